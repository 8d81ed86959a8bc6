"""The `billing` command, for operators and installers."""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
import psycopg

from billing import __version__
from billing.cli import demo, keeping, setup
from billing.config import Config, read_config
from billing.database import migrate, pending
from billing.database.address import in_words, psql_environment, steady
from billing.database.embedded import EmbeddedServer, embedded_if_needed
from billing.ingest.files import ingest_file
from billing.interpreter import tune
from billing.jobs import serve
from billing.jobs.jobs import set_up_logging
from billing.keeping.archived_events import open_store
from billing.keeping.verifying import verify
from billing.log.store import Store
from billing.periods import read_month
from billing.projections import projections
from billing.projections.runner import Runner
from billing.values import Refused

SET_ASIDE = "select name, position, topic, error from set_aside order by name, position"


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(prog="billing", description="Contarifa: call billing.")
    top.add_argument("--version", action="version", version=f"contarifa {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str, run: Callable[[argparse.Namespace, Config], int], text: str
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        return added

    serving = "Serve the pages and the submission interface."
    for name, run, text in (
        ("serve", run_serve, serving),
        ("demo", run_demo, "Serve with demo companies, devices, prices and calls."),
        ("migrate", run_migrate, "Upgrade the database."),
    ):
        backed_up = "back up before an upgrade without asking"
        command(name, run, text).add_argument("--backup", action="store_true", help=backed_up)
    checking = command("verify", run_verify, "Verify the seals of the whole event log.")
    checking.add_argument(
        "--without-archives",
        action="store_true",
        help="skip the files of archived months",
    )
    command("psql", run_psql, "Open psql on the database.")
    rebuild = command("rebuild", run_rebuild, "Rebuild a projection from the event log.")
    rebuild.add_argument("name")
    aside = command("set-aside", run_set_aside, "List the events that could not be processed.")
    aside.add_argument("--retry", action="store_true", help="process them again")
    ingest = command("ingest", run_ingest, "Import a file of call records.")
    ingest.add_argument("file", type=Path)
    ingest.add_argument("--device", required=True, help="id, name or account of the device")
    ingest.add_argument("--format", default="auto", help="record format (default: auto)")
    history = "load records as old as this month (2024-01), each month with its own partition"
    ingest.add_argument("--history", default="", metavar="MONTH", help=history)
    setup.add_commands(commands)
    keeping.add_commands(commands)
    return top


def main() -> int:
    """Run the command; return 0 if it succeeded, 1 if it was refused."""
    set_up_logging()
    tune()
    arguments = parser().parse_args()
    server: EmbeddedServer | None = None
    try:
        config = read_config(os.environ)
        # `serve` answers requests while its database recovers, so it does not wait.
        server = embedded_if_needed(config, wait=arguments.run is not run_serve)
        url = steady(server.url if server else config.database_url)
        config = msgspec.structs.replace(config, database_url=url)
        arguments.server = server
        code: int = _run(arguments, config)
    except Refused as refused:
        print(f"billing: {refused}", file=sys.stderr)
        return 1
    else:
        return code
    finally:
        if server:
            server.stop()


def _run(arguments: argparse.Namespace, config: Config) -> int:
    try:
        code: int = arguments.run(arguments, config)
    except psycopg.OperationalError as error:
        raise in_words(config.database_url, error) from error
    return code


def run_migrate(arguments: argparse.Namespace, config: Config) -> int:
    keeping.offer_backup(config, wanted=arguments.backup)
    applied = migrate(config.database_url)
    print("\n".join(f"applied {name}" for name in applied) or "The database is up to date.")
    return 0


def run_serve(arguments: argparse.Namespace, config: Config) -> int:
    def prepare() -> None:
        keeping.offer_backup(config, wanted=arguments.backup)
        migrate(config.database_url)
        print(f"Pages:      http://{config.bind_address}:{config.web_port}/")
        print(f"Submission: http://{config.bind_address}:{config.cdr_port}/v1/cdr", flush=True)

    return serve.serve(config, prepare, arguments.server)


def run_demo(arguments: argparse.Namespace, config: Config) -> int:
    migrate(config.database_url)
    store = Store(config.database_url)
    demo.create(store, config)
    store.close()
    return run_serve(arguments, config)


def run_verify(arguments: argparse.Namespace, config: Config) -> int:
    pending(config.database_url)  # refuse a newer program's database: its data could look altered
    verdict = verify(
        config.database_url,
        folder=config.archives,
        without_archives=arguments.without_archives,
    )
    outcome = "archived events are missing" if verdict.missing else "all fit"
    print(f"{verdict.events} events under {verdict.seals} seals: {verdict.fault or outcome}.")
    for missing in verdict.missing:
        print(f"Missing, {missing}")
    for part in verdict.left_out:
        events = f"{part.events} events in {part.file}"
        print(f"Not checked (--without-archives), {part.month}: {events}")
    return 0 if verdict.fits else 1


def run_psql(arguments: argparse.Namespace, config: Config) -> int:
    program = str(arguments.server.psql) if arguments.server else "psql"
    told, environment = psql_environment(config.database_url)
    try:
        return os.spawnvpe(os.P_WAIT, program, [program, told], environment)  # noqa: S606 -- no shell
    except FileNotFoundError as error:
        raise Refused("There is no %(name)s here. Install it.", name="psql") from error


def run_rebuild(arguments: argparse.Namespace, config: Config) -> int:
    migrate(config.database_url)
    store = open_store(config.database_url, config.archives)
    runner = Runner(config.database_url, store, projections(config.time_zone))
    runner.rebuild(arguments.name)
    runner.catch_up()
    print(f"{arguments.name} was rebuilt.")
    return 0


def run_set_aside(arguments: argparse.Namespace, config: Config) -> int:
    migrate(config.database_url)
    with psycopg.connect(config.database_url) as connection:
        found = connection.execute(SET_ASIDE).fetchall()
    for name, position, topic, error in found:
        print(f"{name}: {topic} at position {position}: {error}")
    print(f"{len(found)} events are set aside.")
    if arguments.retry and found:
        store = open_store(config.database_url, config.archives)
        models = projections(config.time_zone)
        runner = Runner(config.database_url, store, models)
        for name in sorted({name for name, *_ in found}):
            if name in {model.name for model in models}:
                runner.rebuild(name)
                print(f"{name} reads the log again.")
            else:  # policies and the catalogue try again at their next start, and note what stays
                store.set_aside(name, (), replace=True)
                print(f"{name} was cleared.")
        runner.catch_up()
        runner.close()
        store.close()
    return 0


def run_ingest(arguments: argparse.Namespace, config: Config) -> int:
    migrate(config.database_url)
    if not arguments.file.is_file():
        raise Refused("There is no file %(file)s.", file=arguments.file)
    store = Store(config.database_url)
    counts = ingest_file(
        store,
        arguments.file,
        device_id=setup.find_device(store, config.database_url, arguments.device),
        record_format=arguments.format,
        envelope=setup.said_here(),
        progress=show_progress,
        history_from=read_month(arguments.history) if arguments.history else "",
    )
    print(file=sys.stderr)
    print(counted(counts))
    return 0


def counted(counts: Counter[str]) -> str:
    """Return the counts of an ingestion as text, always all five."""
    names = ("accepted", "duplicate", "suspended", "conflict")
    return f"{counts['read']} read: " + ", ".join(f"{counts[name]} {name}" for name in names)


def show_progress(share: float, counts: Counter[str]) -> None:
    """Print the progress on one line, which is overwritten."""
    bar = "#" * round(share * 30)
    print(f"\r[{bar:<30}] {share:4.0%}  {counted(counts)}", end="", file=sys.stderr, flush=True)
