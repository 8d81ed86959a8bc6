"""The kinds of drills: each makes its installation, strikes it so many times, and compares."""

import contextlib
import errno
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from billing.cli.setup import said_here
from billing.database.embedded import EmbeddedServer
from billing.ingest.files import ingest_file
from billing.log.store import Store
from tests.drills.drill import ROUND, Drill, Plan, drilling
from tests.drills.home import BILLING, Home, beside, install
from tests.drills.load import HOUR, Call, make_call
from tests.drills.results import Checked, Struck
from tests.drills.strikes import KILLS, SERVER_DEATHS
from tests.embedded import until
from tests.standby import Network, Server, open_network, open_primary, open_standby

CLOCK = Path(__file__).parent / "clock"
DISK_MB = 450
FOREVER = (
    "select count(*) from billing_events_default"
    " where topic in ('MonthClosed.1', 'MonthArchived.1', 'NumbersShortened.1', 'BackupRemoved.1')"
)
CLOSED = "select open_month >= to_char(now(), 'YYYY-MM') from books"
READ_MODELS = ("balances", "usage", "call_list", "books", "devices")
OLD_CALLS = 100
COMMAND_SECONDS = 120.0


def embedded(folder: Path) -> Home:
    """An installation with a database of its own, which runs not."""
    server = EmbeddedServer(folder)
    home = install(folder, server.url)
    server.stop()
    return home


def kills(plan: Plan) -> None:
    """Kill processes of a service and of its database, one at a time and all at once."""
    home = embedded(plan.folder / "data")
    with drilling(Drill("kills", [home], plan)) as drill:
        drill.strike(KILLS)


def server_deaths(plan: Plan) -> None:
    """Kill, stop and restart the embedded database."""
    home = embedded(plan.folder / "data")
    with drilling(Drill("server deaths", [home], plan)) as drill:
        drill.strike(SERVER_DEATHS)


@contextlib.contextmanager
def behind_network(plan: Plan) -> Iterator[tuple[Home, Server, Network]]:
    """An installation whose database is reached by TCP."""
    with open_primary(plan.folder / "database") as server, open_network(server) as network:
        yield install(plan.folder / "data", server.url, network.url), server, network


def connections(plan: Plan) -> None:
    """Cut connections, leave them half open, swallow what is sent, stop the server's processes."""
    with behind_network(plan) as (home, server, network):

        def stop_and_start() -> None:
            server.kill()
            time.sleep(1)
            server.start(wait=False)

        outages: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
            "cut connections": (network.cut, lambda: None),
            "half-open connections": (network.forget, lambda: None),
            "a black hole": (network.freeze, network.thaw),
            "a database that hangs": (server.suspend, server.resume),
            "a killed database elsewhere": (stop_and_start, lambda: None),
        }
        with drilling(Drill("connections", [home], plan)) as drill:
            for number in plan.turns():
                what = list(outages)[number % len(outages)]
                begin, end = outages[what]
                time.sleep(drill.choose.uniform(0, 1))
                begin()
                if what in ("a black hole", "a database that hangs"):
                    time.sleep(drill.choose.uniform(2, 8))
                end()
                drill.measure(what, time.monotonic())


def two_services(plan: Plan) -> None:
    """Two services on one database, the same records sent to both, and kills of either."""
    with behind_network(plan) as (home, _, _):
        homes = [home, beside(home, plan.folder / "other")]
        strikes = {what: strike for what, strike in KILLS.items() if what != "kill a backend"}
        with drilling(Drill("two services", homes, plan)) as drill:
            drill.strike(strikes)


def failovers(plan: Plan) -> None:
    """Kill the primary, now and then while its synchronous standby hangs, and promote that one."""
    slots = [plan.folder / "a", plan.folder / "b"]
    hosts = ",".join(str(slot) for slot in slots)
    url = f"host={hosts} user=postgres dbname=postgres target_session_attrs=read-write"
    with contextlib.ExitStack() as held:
        primary = held.enter_context(open_primary(plan.folder / "database"))
        _point(slots[0], primary)
        home = install(plan.folder / "data", url, url)
        with drilling(Drill("failovers", [home], plan)) as drill:
            for number in plan.turns():
                standby = held.enter_context(open_standby(primary, f"standby{number}"))
                _point(slots[number % 2], standby)
                primary.set("synchronous_standby_names", "*")
                time.sleep(drill.choose.uniform(0.5, 2))
                if drill.choose.random() < 0.5:
                    standby.suspend()
                    time.sleep(drill.choose.uniform(0, 12))  # in the meantime senders send again
                at = time.monotonic()
                primary.kill()
                standby.resume()
                standby.promote()
                standby.set("synchronous_standby_names", "")
                drill.measure("failover to a synchronous standby", at)
                primary = standby


def _point(slot: Path, server: Server) -> None:
    """Let the service find a server under a name that stays."""
    slot.unlink(missing_ok=True)
    slot.symlink_to(server.place.data)


def full_disks(plan: Plan) -> None:
    """Fill the disk of the data directory for some seconds."""
    with _small_disk(plan.folder / "disk") as disk:
        if disk is None:
            return
        home = embedded(disk / "data")
        with drilling(Drill("full disks", [home], plan)) as drill:
            for number in plan.turns():
                time.sleep(drill.choose.uniform(0, 2))
                filler, seconds = disk / "filler", drill.choose.uniform(2, 8)
                what = "a full disk" if number % 2 else "a full disk, without room for the WAL"
                _fill(filler, seconds, (lambda: None) if number % 2 else lambda: _use_up_wal(home))
                filler.unlink()
                drill.measure(what, time.monotonic())


@contextlib.contextmanager
def _small_disk(folder: Path) -> Iterator[Path | None]:
    """A small file system; None, and a word, where we may not mount one."""
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=711", "none", str(folder)]
    if os.geteuid() or subprocess.run(mounting, check=False).returncode:  # noqa: S603 -- constant
        print("full disks: left out, no small disk can be mounted here", flush=True)
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S603, S607 -- constant


def _use_up_wal(home: Home) -> None:
    """Let the database begin another file of its log of changes, while it can."""
    with contextlib.suppress(psycopg.Error), home.connect() as connection:
        connection.execute("select pg_switch_wal()")


def _fill(filler: Path, seconds: float, when_full: Callable[[], None]) -> None:
    """Take what room there is, and whatever becomes free, for so long."""
    end = time.monotonic() + seconds
    with filler.open("wb", buffering=0) as file:
        while time.monotonic() < end:
            try:
                file.write(bytes(65_536))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                when_full()
                time.sleep(0.05)


def clock_jumps(plan: Plan) -> None:
    """Set the clock to another day for a while, with kills of who reads it; nothing is closed."""
    home = embedded(plan.folder / "data")
    set_clock = plan.folder / "clock"
    path = os.pathsep.join([str(CLOCK), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    extra = {"PYTHONPATH": path, "DRILL_CLOCK": str(set_clock)}
    jumps = {
        "the clock a year ahead": timedelta(days=365),
        "the clock two months ahead": timedelta(days=61),
        "the clock a day behind": timedelta(days=-1),
        "the clock a year behind": timedelta(days=-365),
    }
    strikes = {f"kill {name}": KILLS[f"kill {name}"] for name in ("keeping", "policies", "serve")}
    with drilling(Drill("clock jumps", [home], plan, extra=extra)) as drill:
        until(lambda: _one(home, CLOSED))
        before = _one(home, FOREVER)
        for number in plan.turns():
            what = list(jumps)[number % len(jumps)]
            at = time.monotonic()
            set_clock.write_text(str(jumps[what].total_seconds()))
            time.sleep(drill.choose.uniform(1, 4))
            strikes[drill.choose.choice(list(strikes))](drill.services[0], drill.choose)
            time.sleep(drill.choose.uniform(2, 6))
            drill.measure(what, at)
            set_clock.write_text("0")
            drill.measure(f"{what}, and back", time.monotonic())
            if _one(home, FOREVER) != before:
                drill.load.faults.append(f"{what}: something was closed for good")


def _one(home: Home, statement: str) -> object:
    with home.connect() as connection:
        (row,) = connection.execute(statement.encode()).fetchall()
    return row[0]


def at_once(plan: Plan) -> None:
    """Archive, attach, back up, restore and rebuild at once under load, and kill some of it."""
    home = embedded(plan.folder / "data")
    calls, months = _load_old_calls(home, plan)
    newest = timedelta(hours=2)
    with drilling(Drill("keeping at once", [home], plan, oldest=newest)) as drill:
        drill.load.include(calls)
        until(lambda: _one(home, CLOSED))
        made = _billing(home, "backup", "--calls", f"{months[0]}-01/{months[-1]}-28", "f.backup")
        made.wait(COMMAND_SECONDS)
        commands = [["archive"], ["attach"], ["detach"], ["backup"], ["rebuild"], ["restore"]]
        for number in plan.turns():
            words = [_about(drill.choose.choice(commands), months, drill.choose) for _ in range(2)]
            begun = [_billing(home, *each) for each in words]
            struck = drill.choose.random() < 0.5
            for each in begun:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    each.wait(drill.choose.uniform(0.5, 5) if struck else COMMAND_SECONDS)
                each.kill()
                each.wait()
            if drill.choose.random() < 0.3:
                KILLS["kill everything"](drill.services[0], drill.choose)
            drill.measure(" and ".join(sorted(each[0] for each in words)), time.monotonic())
            if number % (ROUND // 5) == 0:
                drill.compare()
                drill.load.start()


def _about(words: list[str], months: list[str], choose: random.Random) -> list[str]:
    match words[0]:
        case "rebuild":
            return [*words, choose.choice(READ_MODELS)]
        case "restore":
            return [*words, "f.backup"]
        case "backup":
            return words
        case _:
            return [*words, choose.choice(months)]


def _billing(home: Home, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 -- ourselves
        [*BILLING, *words],
        env={**home.environment, "PYTHONPATH": str(Path(__file__).parents[2])},
        cwd=home.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _load_old_calls(home: Home, plan: Plan) -> tuple[list[Call], list[str]]:
    """Calls of the months before this one, which can be archived; and these months."""
    choose = random.Random(plan.seed)  # noqa: S311 -- no secret
    since = datetime.now(UTC) - datetime.now(UTC).replace(day=1, hour=0, minute=0)
    calls = [
        make_call(f"old-{number}", choose, timedelta(days=60), since + 24 * HOUR)
        for number in range(OLD_CALLS)
    ]
    file = plan.folder / "old.ndjson"
    file.write_bytes(b"".join(call.line() for call in calls))
    server = EmbeddedServer(home.folder)
    store = Store(server.url)
    ingest_file(
        store,
        file,
        device_id="pbx",
        record_format="auto",
        envelope=said_here(),
        progress=lambda *_: None,
    )
    store.close()
    server.stop()
    return calls, sorted({call.started_at.strftime("%Y-%m") for call in calls})


def keeping(plan: Plan) -> None:
    """The drill of tests/keeping: operations of keeping killed at random places."""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "tests/keeping/test_drills.py"],
        cwd=root,
        env={**os.environ, "DRILLS": str(plan.count)},
        check=False,
    )
    what = "an operation of keeping is killed"
    for _ in range(plan.count):
        plan.results.add(Struck(drill="keeping", what=what))
    faults = ("tests/keeping/test_drills.py failed",) if done.returncode else ()
    plan.results.add(Checked(drill="keeping", records=0, lost=0, doubled=0, faults=faults))


# How many strikes of each for 1,000 kills.
KINDS: dict[str, tuple[Callable[[Plan], None], int]] = {
    "kills": (kills, 1_000),
    "server-deaths": (server_deaths, 100),
    "connections": (connections, 50),
    "two-services": (two_services, 100),
    "failovers": (failovers, 20),
    "full-disks": (full_disks, 10),
    "clock-jumps": (clock_jumps, 20),
    "keeping-at-once": (at_once, 50),
    "keeping": (keeping, 50),
}
