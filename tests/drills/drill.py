"""One installation under load: strike, measure until all is well again, compare, and so on."""

import contextlib
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import msgspec

from tests.drills.checking import check
from tests.drills.home import Home
from tests.drills.load import OLDEST, Load, read_keys
from tests.drills.results import Checked, Results, Struck
from tests.drills.service import Service, until_page, until_shown
from tests.drills.strikes import SELDOM, Strike

PATIENCE = 120.0  # seconds; then a person would do something
MEASURED = 0.1  # share of the strikes that no other one follows until all is well again
DYING_SECONDS = 0.3  # for which what was killed, or lost its parent, may still answer
GAP_SECONDS = 1.0  # at most, until the next strike
ROUND = 50  # strikes between two comparisons


class Plan(msgspec.Struct, frozen=True):
    """What a drill is given: a folder of its own, how many strikes, and luck.

    If `ending` is set there are no more strikes: what was done is compared, and that is all.
    """

    folder: Path
    count: int
    seed: int
    results: Results
    ending: threading.Event

    def turns(self) -> Iterator[int]:
        """The numbers of the strikes, from 1 on."""
        for number in range(1, self.count + 1):
            if self.ending.is_set():
                return
            yield number


class Drill:
    """Services on one database, their senders, and what was found so far."""

    def __init__(
        self,
        name: str,
        homes: Sequence[Home],
        plan: Plan,
        *,
        extra: dict[str, str] | None = None,
        oldest: timedelta = OLDEST,
        measured: float = MEASURED,
        gap: float = GAP_SECONDS,
    ) -> None:
        self.name = name
        self.homes = homes
        self.plan = plan
        self.results = plan.results
        self.choose = random.Random(plan.seed)  # noqa: S311 -- no secret
        self._extra = extra
        self._measured, self._gap = measured, gap
        self._file = plan.folder / "acknowledged"
        self.load = Load(homes, self._file, plan.seed, oldest)
        self._log = plan.folder / "serve.log"
        self.services = [Service(home, self._log, extra) for home in homes]
        self._compared = 0
        self._lost: frozenset[str] = frozenset()
        self._doubled: frozenset[str] = frozenset()

    def begin(self) -> None:
        """Start the senders, and wait until everything works."""
        self.load.start()
        self.measure("start", time.monotonic(), note=False)

    def end(self) -> None:
        """End everything, whatever state it is in."""
        self.load.give_up()
        for service in self.services:
            service.stop()
        self.load.close()

    def measure(self, what: str, at: float, *, note: bool = True) -> None:
        """How long since `at` it takes until all is well; a person does something if it isn't.

        Answers to earlier requests do not count.
        """
        now = time.monotonic()
        with ThreadPoolExecutor(len(self.homes)) as threads:
            pages = [threads.submit(until_page, home, at, PATIENCE) for home in self.homes]
            acknowledged = self.load.wait(at, now, PATIENCE)
            shown = until_shown(self.homes[0], at, PATIENCE)
            answered = [page.result() for page in pages]
        times = [acknowledged, shown, *answered]
        hands = 0
        if None in times:
            hands = 1
            self._lend_a_hand(what)
        if note or hands:
            page = max((each for each in answered if each is not None), default=None)
            self.results.add(
                Struck(
                    drill=self.name,
                    what=what,
                    acknowledged=acknowledged,
                    page=page,
                    shown=shown,
                    hands=hands,
                )
            )

    def _lend_a_hand(self, what: str) -> None:
        """What a person would do: stop the services and start them."""
        print(f"{self.name}: a person had to do something after {what!r}", flush=True)
        for number, service in enumerate(self.services):
            service.stop()
            self.services[number] = Service(service.home, self._log, self._extra)
        self.load.wait(time.monotonic(), time.monotonic(), PATIENCE)

    def strike(self, strikes: Mapping[str, Strike]) -> None:
        """Strike as often as is planned, in a random order, and compare now and then."""
        kinds = [*strikes, *(what for what in strikes if what not in SELDOM)]
        whats = [kinds[number % len(kinds)] for number in range(self.plan.count)]
        self.choose.shuffle(whats)
        for number in self.plan.turns():
            what = whats[number - 1]
            time.sleep(self.choose.uniform(0, self._gap))
            at = self._hit(strikes[what])
            if self.choose.random() < self._measured:
                time.sleep(DYING_SECONDS)
                self.measure(what, at)
            else:
                self.results.add(Struck(drill=self.name, what=what))
            if number % ROUND == 0 and number < self.plan.count:
                self.compare()
                self.load.start()

    def _hit(self, strike: Strike) -> float:
        """Strike a service, as soon as what is to be struck is there; when that was."""
        deadline = time.monotonic() + PATIENCE
        while True:
            at = time.monotonic()
            if strike(self.choose.choice(self.services), self.choose):
                return at
            if at > deadline:
                raise TimeoutError("what is to be struck never came")
            time.sleep(0.05)

    def compare(self) -> None:
        """Let the senders come to an end, and compare."""
        if not self.load.stop(PATIENCE):
            self._lend_a_hand("the last records were never acknowledged")
            self.load.stop(PATIENCE)
        caught_up = until_shown(self.homes[0], time.monotonic(), PATIENCE)
        found = check(self.homes[0], self.load.sent, read_keys(self._file))
        faults = [*found.faults, *self.load.faults]
        if caught_up is None:
            faults.append("the read models never caught up")
        checked = Checked(
            drill=self.name,
            records=len(self.load.acknowledged) - self._compared,
            lost=len(found.lost - self._lost),
            doubled=len(found.doubled - self._doubled),
            faults=tuple(faults[:20]),
        )
        self._compared = len(self.load.acknowledged)
        self._lost, self._doubled = found.lost, found.doubled
        self.load.faults.clear()
        self.results.add(checked)
        print(f"{time.strftime('%H:%M:%S')} {checked}", flush=True)


@contextlib.contextmanager
def drilling(drill: Drill) -> Iterator[Drill]:
    """A drill from its begin to its last comparison; nothing of it runs on afterwards."""
    try:
        drill.begin()
        yield drill
        drill.compare()
    finally:
        drill.end()
