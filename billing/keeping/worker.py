"""The keeping job: does the queued tasks, and queues the nightly ones."""

import logging
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
from msgspec.structs import replace

from billing.aggregates.event import Envelope
from billing.aggregates.keeping import Keeping
from billing.commands.keeping import load_keeping
from billing.keeping import backup, queue
from billing.keeping.archive import archive
from billing.keeping.attach import attach, detach
from billing.keeping.clock import Clock, may_step
from billing.keeping.exclusive import Busy, exclusive
from billing.keeping.gathering import gather_months
from billing.keeping.keeper import Keeper, ReportProgress
from billing.keeping.months import due_months
from billing.keeping.new_files import sweep, unfinished_in
from billing.keeping.queue import Task
from billing.keeping.restore import restore_calls
from billing.keeping.shortening import is_unshortened, shorten
from billing.queries.clock import AGREES, ClockState
from billing.values import Refused

WAITING = ("archive", "shorten", backup.SCHEDULED)  # kinds that wait while the clock is in doubt
LOCK = 0x6B656570  # one keeping job at a time
EVERY_SECONDS = 1.0
LOOK_EVERY = timedelta(minutes=1)  # between checks for tasks that are due
NIGHT = 3  # hour, in the installation's time zone
AGAIN_AFTER = timedelta(hours=6)  # until a refused task is tried again
INSTALLED = "select min(applied_at) from migrations"

logger = logging.getLogger("billing.keeping")


class Worker:
    """Does the tasks of one database, one after the other."""

    def __init__(self, keeper: Keeper, zone: str, clock: Clock | None = None) -> None:
        self._keeper = keeper
        self._zone = ZoneInfo(zone)
        self._clock = clock or Clock(keeps=True)
        self._connection = psycopg.connect(keeper.url, autocommit=True)
        self._looked = datetime.min.replace(tzinfo=UTC)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def run(self, stopping: threading.Event) -> None:
        """Work until `stopping` is set."""
        while not self._is_alone():
            if stopping.wait(EVERY_SECONDS):
                return
        logger.info("keeping watches the months and the backups")
        while not stopping.is_set():
            if not self.step(*self._clock.look(self._connection)):
                stopping.wait(EVERY_SECONDS)

    def _is_alone(self) -> bool:
        row = self._connection.execute("select pg_try_advisory_lock(%s)", (LOCK,)).fetchone()
        return bool(row and row[0])

    def step(self, now: datetime, clock: ClockState = AGREES) -> bool:
        """Do the next task; return whether there was one that could be done."""
        if abs(now - self._looked) >= LOOK_EVERY:
            self._looked = now
            self._sweep()
            if not clock.is_doubted:  # such a clock does not say which months are to come
                with suppress(Busy):
                    gather_months(self._keeper, now)
            if not clock.is_waiting:
                self.ask_what_is_due(now, clock)
        task = queue.take(self._connection, now, WAITING if clock.is_waiting else ())
        if task is None:
            return False
        try:
            outcome = self._do(task, clock.mark(replace(task.envelope, recorded_at=now)))
        except Busy:
            queue.put_back(self._connection, task)
            return False
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

    def _sweep(self) -> None:
        """Remove unfinished files of killed operations, unless an operation is running."""
        folders = self._keeper.archives, self._keeper.backups
        if not any(unfinished_in(folder) for folder in folders):
            return
        with suppress(Busy), exclusive(self._keeper.url, "sweep", self._keeper.wait_seconds):
            for folder in folders:
                sweep(folder)

    def ask_what_is_due(self, now: datetime, clock: ClockState = AGREES) -> None:
        """Queue the archiving of months past the keeping time, and the nightly backup."""
        if now.astimezone(self._zone).hour < NIGHT:
            return
        state = load_keeping(self._keeper.store)
        for kind, argument in self._due(state, now):
            if not self._was_refused(kind, argument, now) and may_step(
                self._connection, clock, kind
            ):
                self._ask(kind, argument, now)

    def _due(self, state: Keeping, now: datetime) -> Iterator[tuple[str, str]]:
        """Yield the kind and the argument of every task that is due."""
        if state.shorten_months:
            for month in due_months(self._connection, state.shorten_months, now):
                if is_unshortened(self._connection, self._keeper.store, month):
                    yield "shorten", month
        for month in due_months(self._connection, state.months, now):
            if month not in state.attached:
                yield "archive", month
        if self._backup_is_due(state.backup_days, now):
            yield backup.SCHEDULED, ""

    def _backup_is_due(self, days: int, now: datetime) -> bool:
        if not days:
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

    def _do(self, task: Task, envelope: Envelope) -> str:
        """Do a task; return its outcome."""
        keeper = self._keeper
        tell = queue.teller(self._connection, task)
        match task.kind:
            case "archive" | "attach" | "detach" | "shorten":
                return self._do_month(task, envelope, tell)
            case backup.FULL | backup.SCHEDULED:
                return backup.back_up(keeper, envelope, task.kind, progress=tell).file
            case backup.CALLS:
                period = backup.parse_period(task.argument)
                return backup.back_up_calls(
                    keeper, period, self._zone, envelope, progress=tell
                ).file
            case "restore":
                file = backup.known_file(keeper, task.argument)
                read, missing = restore_calls(keeper, file, envelope)
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
