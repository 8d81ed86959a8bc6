"""The keeping job: does what it is asked, and every night what is due."""

import logging
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import psycopg

from billing.aggregates.event import Envelope
from billing.commands.keeping import load_keeping
from billing.keeping import backup, queue
from billing.keeping.archive import archive
from billing.keeping.archive_format import UNFINISHED
from billing.keeping.attach import attach, detach
from billing.keeping.keeper import Keeper, ReportProgress
from billing.keeping.months import due_months
from billing.keeping.queue import Task
from billing.keeping.restore import restore_calls
from billing.keeping.shortening import is_unshortened, shorten
from billing.values import Refused

LOCK = 0x6B656570  # one keeping job at a time
EVERY_SECONDS = 1.0
LOOK_EVERY = timedelta(minutes=1)  # for what is due
NIGHT = 3  # o'clock in the installation's zone
AGAIN_AFTER = timedelta(hours=6)  # what was refused
INSTALLED = "select min(applied_at) from migrations"

logger = logging.getLogger("billing.keeping")


class Worker:
    """Does the tasks of one database, one after the other."""

    def __init__(self, keeper: Keeper, zone: str) -> None:
        self._keeper = keeper
        self._zone = ZoneInfo(zone)
        self._connection = psycopg.connect(keeper.url, autocommit=True)
        self._looked = datetime.min.replace(tzinfo=UTC)

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def run(self, stopping: threading.Event) -> None:
        """Work until told to stop."""
        while not self._is_alone():
            if stopping.wait(EVERY_SECONDS):
                return
        for folder in (self._keeper.archives, self._keeper.backups):
            _clear(folder)
        logger.info("keeping watches the months and the backups")
        while not stopping.is_set():
            if not self.step(datetime.now(UTC)):
                stopping.wait(EVERY_SECONDS)

    def _is_alone(self) -> bool:
        row = self._connection.execute("select pg_try_advisory_lock(%s)", (LOCK,)).fetchone()
        return bool(row and row[0])

    def step(self, now: datetime) -> bool:
        """Do the next task; whether there was one."""
        if now - self._looked >= LOOK_EVERY:
            self._looked = now
            self.ask_what_is_due(now)
        task = queue.take(self._connection, now)
        if task is None:
            return False
        try:
            outcome = self._do(task, now)
        except Refused as refused:
            logger.warning("%s %s: %s", task.kind, task.argument, refused)
            queue.end(self._connection, task, datetime.now(UTC), refused=refused)
        except Exception:
            logger.exception("%s %s failed", task.kind, task.argument)
            failed = Refused("It failed; see the service log.")
            queue.end(self._connection, task, datetime.now(UTC), refused=failed)
        else:
            queue.end(self._connection, task, datetime.now(UTC), outcome=outcome)
        return True

    def ask_what_is_due(self, now: datetime) -> None:
        """Ask for the months that fell out of the keeping time, and for the nightly backup."""
        if now.astimezone(self._zone).hour < NIGHT:
            return
        store = self._keeper.store
        state = load_keeping(store)
        if state.shorten_months:
            for month in due_months(self._connection, state.shorten_months, now):
                if is_unshortened(self._connection, store, month) and not self._was_refused(
                    "shorten", month, now
                ):
                    self._ask("shorten", month, now)
        for month in due_months(self._connection, state.months, now):
            if month not in state.attached and not self._was_refused("archive", month, now):
                self._ask("archive", month, now)
        if self._backup_is_due(state.backup_days, now):
            self._ask(backup.SCHEDULED, "", now)

    def _backup_is_due(self, days: int, now: datetime) -> bool:
        if not days or self._was_refused(backup.SCHEDULED, "", now):
            return False
        made = backup.last_scheduled(self._keeper.store)
        if made is None:
            ((made,),) = self._connection.execute(INSTALLED).fetchall()
        since = made.astimezone(self._zone).date()
        return (now.astimezone(self._zone).date() - since).days >= days

    def _was_refused(self, kind: str, argument: str, now: datetime) -> bool:
        ((at,),) = self._connection.execute(queue.LAST_REFUSED, (kind, argument)).fetchall()
        return at is not None and now - at < AGAIN_AFTER

    def _ask(self, kind: str, argument: str, now: datetime) -> None:
        envelope = Envelope(recorded_at=now, actor="system")
        queue.ask(self._connection, kind, argument, envelope)

    def _do(self, task: Task, now: datetime) -> str:
        """Do a task; what came of it."""
        keeper = self._keeper
        tell = queue.teller(self._connection, task)
        envelope = msgspec.structs.replace(task.envelope, recorded_at=now)
        match task.kind:
            case "archive" | "attach" | "detach" | "shorten":
                return self._do_month(task, envelope, tell)
            case backup.FULL | backup.SCHEDULED:
                made = backup.back_up(keeper, envelope, task.kind, progress=tell)
                if task.kind == backup.SCHEDULED:
                    backup.rotate(keeper, envelope)
                return made.file
            case backup.CALLS:
                period = backup.parse_period(task.argument)
                return backup.back_up_calls(
                    keeper, period, self._zone, envelope, progress=tell
                ).file
            case "restore":
                file = backup.known_file(keeper, task.argument)
                read, missing = restore_calls(keeper.store, file, envelope)
                return f"{missing}/{read}"
            case "remove":
                backup.remove(keeper, task.argument, envelope)
                return task.argument
        raise ValueError(task.kind)

    def _do_month(self, task: Task, envelope: Envelope, tell: ReportProgress) -> str:
        month = task.argument
        if task.kind == "archive":
            parts = archive(self._keeper, month, envelope, tell)
            return ", ".join(part.file for part in parts)
        if task.kind == "shorten":
            return str(shorten(self._keeper, month, envelope, tell))
        (attach if task.kind == "attach" else detach)(self._keeper, month, envelope, tell)
        return month


def _clear(folder: Path) -> None:
    """Remove what a killed job left unfinished."""
    for path in folder.glob(f"*{UNFINISHED}"):
        path.unlink(missing_ok=True)
