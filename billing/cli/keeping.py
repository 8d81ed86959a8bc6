"""The command line of keeping: backup, restore, archive, attach, clock; backups before upgrades."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from billing.cli.setup import said_here
from billing.config import Config
from billing.database import Database, migrate, pending
from billing.keeping import archive, attach, backup, restore
from billing.keeping.archive_format import check
from billing.keeping.clock import Clock, confirm, refuse_doubt
from billing.keeping.exclusive import exclusive
from billing.keeping.keeper import WAIT_SECONDS, Keeper
from billing.log.store import Store
from billing.values import Refused


def add_commands(commands: Any) -> None:
    """Add `backup`, `restore`, `archive`, `attach`, `detach`."""
    for name, run, text in (
        ("backup", run_backup, "Back up everything, or the calls of a period, while serving."),
        ("restore", run_restore, "Restore a backup: into an empty database, or missing calls."),
        ("archive", run_archive, "Archive a month of calls to a file."),
        (
            "attach",
            run_attach,
            "Attach an archived month, so that it can be searched.",
        ),
        ("detach", run_detach, "Detach an attached month."),
    ):
        parser = commands.add_parser(name, help=text, description=text)
        parser.set_defaults(run=run)
        if name == "backup":
            parser.add_argument(
                "file", type=Path, nargs="?", help="default: a new name in the backup folder"
            )
            parser.add_argument(
                "--calls",
                default="",
                metavar="FROM/TO",
                help="first and last day: 2026-03-01/2026-03-31",
            )
        elif name == "restore":
            parser.add_argument("file", type=Path)
        else:
            parser.add_argument("month", help="a month: 2026-03")
    text = "What is known of this machine's clock; confirm that it is right."
    parser = commands.add_parser("clock", help=text, description=text)
    parser.set_defaults(run=run_clock)
    parser.add_argument("word", nargs="?", choices=("confirm",))


@contextmanager
def keeping(config: Config) -> Iterator[Keeper]:
    """Migrate the database, and yield its keeper."""
    offer_backup(config, wanted=False)
    migrate(config.database_url)
    store = Store(config.database_url)
    try:
        yield Keeper(config.database_url, store, config.archives, config.backups)
    finally:
        store.close()


def run_backup(arguments: argparse.Namespace, config: Config) -> int:
    with keeping(config) as keeper:
        if arguments.calls:
            period = backup.parse_period(arguments.calls)
            zone = ZoneInfo(config.time_zone)
            made = backup.back_up_calls(keeper, period, zone, said_here(), path=arguments.file)
        else:
            made = backup.back_up(keeper, said_here(), path=arguments.file)
    folder = arguments.file.parent if arguments.file else config.backups
    print(f"{folder / made.file}: {made.events} events, {made.size_bytes} bytes")
    print(f"SHA-256: {made.sha256}")
    return 0


def run_restore(arguments: argparse.Namespace, config: Config) -> int:
    file: Path = arguments.file
    if check(file, (backup.FULL, backup.CALLS)).kind == backup.CALLS:
        with keeping(config) as keeper:
            read, missing = restore.restore_calls(keeper, file, said_here())
        print(f"{read} events read, {missing} missing ones restored.")
        return 0
    proof = restore.restore(
        config.database_url, file, config.archives, config.time_zone, tell=print
    )
    print(f"Restored: {proof.events} events under {proof.seals} seals, {proof.accounts} balances")
    if not proof.compared:
        print("Balances not compared: they were behind the log when the backup was made.")
    return 0


def run_archive(arguments: argparse.Namespace, config: Config) -> int:
    with keeping(config) as keeper:
        with Database(config.database_url).connect() as connection:
            refuse_doubt(connection)
        for part in archive.archive(keeper, arguments.month, said_here()):
            print(f"{keeper.archives / part.file}: {part.events} events, {part.size_bytes} bytes")
    return 0


def run_attach(arguments: argparse.Namespace, config: Config) -> int:
    with keeping(config) as keeper:
        attach.attach(keeper, arguments.month, said_here())
    print(f"{arguments.month} is attached and can be searched.")
    return 0


def run_detach(arguments: argparse.Namespace, config: Config) -> int:
    with keeping(config) as keeper:
        attach.detach(keeper, arguments.month, said_here())
    print(f"{arguments.month} was detached.")
    return 0


def run_clock(arguments: argparse.Namespace, config: Config) -> int:
    migrate(config.database_url)
    with Database(config.database_url).connect() as connection:
        now, clock = Clock().look(connection)
        if arguments.word:
            confirm(connection, now, said_here().actor)
    told = f"{now.astimezone(ZoneInfo(config.time_zone)):%Y-%m-%d %H:%M:%S %Z}"
    if arguments.word:
        print(f"The clock is confirmed: {told}")
    elif clock.is_doubted:
        hours = clock.ran_seconds // 3600
        print(f"The clock is in doubt ({clock.doubt}) for {hours} h of running: {told}")
    else:
        print(f"The clock agrees: {told}")
    return 0


def offer_backup(config: Config, *, wanted: bool) -> None:
    """Before the upgrade of a database in use: back it up if `wanted`, or if a person agrees.

    The backup reads the tables before the upgrade, and writes nothing to them.
    """
    names = pending(config.database_url)
    if not names:
        return
    if not wanted and sys.stdin.isatty():
        print(f"The database will be upgraded ({', '.join(names)}).")
        wanted = input("Back up first? [Y/n] ").strip().lower() not in ("n", "no")
    if not wanted:
        return
    now = datetime.now(UTC).strftime(backup.NAME)
    path = backup.new_path(config.backups, f"before-upgrade-{now}")
    try:
        with exclusive(config.database_url, f"backup {path.name}", WAIT_SECONDS):
            backup.write_backup(config.database_url, config.archives, path, backup.FULL)
    except Refused as refused:
        raise Refused("Upgrade stopped, the backup failed: %(why)s", why=refused) from refused
    print(f"Backed up to {path}")
