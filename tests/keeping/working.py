"""Operations of keeping in separate processes that begin at the same moment, or are killed."""

import json
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Self
from zoneinfo import ZoneInfo

from billing.keeping import archive, attach, backup, gathering, restore, shortening
from billing.keeping.keeper import Keeper
from billing.log.store import Store
from billing.periods import Period
from billing.values import Refused
from tests.keeping.sample import LATER
from tests.projections.sample import ZONE

SECONDS = 60
PERIOD = Period(date(2026, 10, 1), date(2026, 11, 30))
OPERATIONS: dict[str, Callable[[Keeper, str], object]] = {
    "archive": lambda keeper, month: archive.archive(keeper, month, LATER),
    "attach": lambda keeper, month: attach.attach(keeper, month, LATER),
    "detach": lambda keeper, month: attach.detach(keeper, month, LATER),
    "shorten": lambda keeper, month: shortening.shorten(keeper, month, LATER),
    "full": lambda keeper, _: backup.back_up(keeper, LATER),
    "calls": lambda keeper, _: backup.back_up_calls(keeper, PERIOD, ZoneInfo(ZONE), LATER),
    "gather": lambda keeper, now: gathering.gather_months(keeper, datetime.fromisoformat(now)),
    "restore": lambda keeper, file: restore.restore_calls(keeper, keeper.backups / file, LATER),
}


class Worker:
    """A process that waits for a signal, does one operation, and reports the result."""

    def __init__(self, keeper: Keeper, operation: str, about: str = "") -> None:
        folder, wait = str(keeper.archives.parent), str(keeper.wait_seconds)
        self.process = subprocess.Popen(  # noqa: S603 -- ourselves
            [sys.executable, "-m", "tests.keeping.working", keeper.url, folder, wait],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._task = json.dumps([operation, about])

    def __enter__(self) -> Self:
        """Wait until it is ready to begin."""
        self._say("")
        assert self._hear() == "ready"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """Make sure that it has ended."""
        self.process.kill()
        self.process.wait(SECONDS)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()

    def begin(self) -> None:
        """Send the signal to begin."""
        self._say(self._task)

    def outcome(self) -> str:
        """Return its report: "done", or why it was refused."""
        said = self._hear()
        self.process.wait(SECONDS)
        return said

    def _say(self, text: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def _hear(self) -> str:
        assert self.process.stdout
        assert select.select([self.process.stdout], [], [], SECONDS)[0], "it said nothing"
        return self.process.stdout.readline().strip()


@contextmanager
def ready(keeper: Keeper, *tasks: tuple[str, str]) -> Iterator[list[Worker]]:
    """Yield processes for these tasks, each ready to begin."""
    made = [Worker(keeper, *task) for task in tasks]
    with ExitStack() as stack:
        yield [stack.enter_context(each) for each in made]


def at_once(keeper: Keeper, *tasks: tuple[str, str]) -> list[str]:
    """Do tasks in processes that begin together; return their reports."""
    with ready(keeper, *tasks) as workers:
        for each in workers:
            each.begin()
        return [each.outcome() for each in workers]


def main() -> None:
    """Do one operation in this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    url, folder, wait = sys.argv[1:]
    sys.stdin.readline()
    store = Store(url)
    store.load("nothing")
    keeper = Keeper(url, store, Path(folder) / "archives", Path(folder) / "backups", float(wait))
    _tell("ready")
    operation, about = json.loads(sys.stdin.readline())
    try:
        OPERATIONS[operation](keeper, about)
    except Refused as refused:
        outcome = str(refused)
    else:
        outcome = "done"
    _tell(outcome)


def _tell(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
