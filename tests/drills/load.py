"""Senders that behave like phone systems: what is not acknowledged is sent again until it is.

Every acknowledged key is in a file, and the file on the disk, before the sender continues.
"""

import base64
import http.client
import json
import os
import random
import threading
import time
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import msgspec

from tests.drills.home import EXTENSION, Home
from tests.ingest.serving import ACCOUNT, PASSWORD

SENDERS = 4
PAUSE_SECONDS = 0.15  # of each sender between two bodies, on average
MOST_RECORDS = 8  # of a body
OLDEST = timedelta(days=50)  # call that is sent
HOUR = timedelta(hours=1)
TIMEOUT_SECONDS = 10.0
AGAIN_SECONDS = 0.1
SENT_AGAIN = 0.05  # share of bodies with records that were acknowledged before
MICROS_A_MINUTE = 18_000  # the price in tests/ingest/serving.py
SECRET = base64.b64encode(f"{ACCOUNT}:{PASSWORD}".encode()).decode()
HEADERS = {"authorization": f"Basic {SECRET}", "content-type": "application/x-ndjson"}


class Call(msgspec.Struct, frozen=True):
    """What was sent under a key."""

    key: str
    started_at: datetime
    minutes: int
    caller: str

    @property
    def micros(self) -> int:
        """What it must cost."""
        return self.minutes * MICROS_A_MINUTE

    def line(self) -> bytes:
        """Its record."""
        answered = self.started_at + timedelta(seconds=5)
        record = {
            "id": self.key,
            "start": self.started_at.isoformat(),
            "answer": answered.isoformat(),
            "end": (answered + timedelta(minutes=self.minutes)).isoformat(),
            "duration_ms": self.minutes * 60_000 + 5_000,
            "bill_ms": self.minutes * 60_000,
            "src": self.caller,
            "dst": "934567890",
            "disposition": "answered",
        }
        return json.dumps(record).encode() + b"\n"


class Answered(msgspec.Struct, frozen=True):
    """When a body was sent and acknowledged, on the monotonic clock."""

    begun: float
    ended: float


class Load:
    """Senders at work, from `start` until `stop`."""

    def __init__(
        self, homes: Sequence[Home], file: Path, seed: int, oldest: timedelta = OLDEST
    ) -> None:
        self.sent: dict[str, Call] = {}
        self.acknowledged: set[str] = set()
        self.faults: list[str] = []  # answers that no sender may get
        self.ports = [home.cdr for home in homes]
        self._file = file.open("ab")
        self._seed = seed
        self.oldest = oldest
        self._lock = threading.Lock()
        self._answered = threading.Condition(self._lock)
        self._answers: deque[Answered] = deque(maxlen=1_000)
        self._recent: deque[str] = deque(maxlen=2_000)
        self.stopping = threading.Event()
        self.given_up = threading.Event()
        self._threads: list[threading.Thread] = []
        self._starts = 0

    def start(self) -> Self:
        """Begin, or continue."""
        self.stopping.clear()
        self._starts += 1
        self._threads = [
            threading.Thread(target=Sender(self, f"{self._seed}-{self._starts}-{number}").run)
            for number in range(SENDERS)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def include(self, calls: Sequence[Call]) -> None:
        """Note calls that came in by another way."""
        with self._lock:
            self.sent.update((call.key, call) for call in calls)
        self._keep([call.key for call in calls])

    def _keep(self, keys: Sequence[str]) -> None:
        """Write down acknowledged keys; when this returns, they are on the disk."""
        self.acknowledged.update(keys)
        self._file.write("".join(f"{key}\n" for key in keys).encode())
        self._file.flush()
        os.fsync(self._file.fileno())

    def stop(self, patience: float) -> bool:
        """End when all that was sent is acknowledged; False if that takes longer."""
        self.stopping.set()
        deadline = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        return not self._threads

    def give_up(self) -> None:
        """End soon, whatever is not acknowledged."""
        self.given_up.set()
        self.stop(2 * TIMEOUT_SECONDS)

    def wait(self, at: float, sent_at: float, patience: float) -> float | None:
        """The seconds from `at` until the first body sent since `sent_at` was acknowledged."""
        deadline = time.monotonic() + patience
        with self._answered:
            while True:
                ends = [each.ended for each in self._answers if each.begun >= sent_at]
                if ends:
                    return min(ends) - at
                if not self._answered.wait(deadline - time.monotonic()):
                    return None

    def note(self, keys: list[str], content: bytes, begun: float) -> None:
        """Write down what was acknowledged to a body that was sent at `begun`."""
        results = [each["status"] for each in json.loads(content)["results"]]
        with self._answered:
            for key, status in zip(keys, results, strict=True):
                known = key in self.acknowledged
                if status not in ("accepted", "duplicate") or (known and status != "duplicate"):
                    self.faults.append(f"{key} is {status}, acknowledged before: {known}")
                self._recent.append(key)
            self._keep(keys)
            self._answers.append(Answered(begun, time.monotonic()))
            self._answered.notify_all()

    def make(self, calls: Sequence[Call], choose: random.Random) -> list[Call]:
        """Note what is going to be sent; now and then together with what was sent before."""
        with self._lock:
            self.sent.update((call.key, call) for call in calls)
            if self._recent and choose.random() < SENT_AGAIN:
                return [*calls, self.sent[choose.choice(self._recent)]]
        return list(calls)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Sender:
    """One phone system: a body at a time, again and again until it is acknowledged."""

    def __init__(self, load: Load, name: str) -> None:
        self._load = load
        self._name = name
        self._choose = random.Random(name)  # noqa: S311 -- no secret
        self._connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        """Until the load is stopped and the last body is acknowledged."""
        number = 0
        while not self._load.stopping.is_set():
            count = self._choose.randint(1, MOST_RECORDS)
            names = [f"{self._name}-{number + each}" for each in range(count)]
            calls = [make_call(name, self._choose, self._load.oldest) for name in names]
            number += count
            calls = self._load.make(calls, self._choose)
            while not self._post(calls) and not self._load.given_up.wait(AGAIN_SECONDS):
                self._hang_up()
            self._load.stopping.wait(self._choose.expovariate(1 / PAUSE_SECONDS))
        self._hang_up()

    def _post(self, calls: Sequence[Call]) -> bool:
        """Send once; whether it was acknowledged."""
        begun = time.monotonic()
        if self._connection is None:
            port = self._choose.choice(self._load.ports)
            self._connection = http.client.HTTPConnection(
                "127.0.0.1", port, timeout=TIMEOUT_SECONDS
            )
        try:
            body = b"".join(call.line() for call in calls)
            self._connection.request("POST", "/v1/cdr", body, HEADERS)
            response = self._connection.getresponse()
            status, content = response.status, response.read()
        except (OSError, http.client.HTTPException):
            return False
        if status == http.HTTPStatus.OK:
            self._load.note([call.key for call in calls], content, begun)
        elif status != http.HTTPStatus.SERVICE_UNAVAILABLE:
            self._load.faults.append(f"{status} {content[:200]!r}")
        return status == http.HTTPStatus.OK

    def _hang_up(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None


def make_call(key: str, choose: random.Random, oldest: timedelta, newest: timedelta = HOUR) -> Call:
    """A call between so long and so long ago."""
    ago = choose.uniform(newest.total_seconds(), oldest.total_seconds())
    begun = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=int(ago))
    return Call(key, begun, choose.randint(1, 9), choose.choice((EXTENSION, "102", "103")))


def read_keys(file: Path) -> set[str]:
    """The acknowledged keys that are in the file; a last line that is torn is none."""
    lines = file.read_bytes().split(b"\n")[:-1]
    return {line.decode() for line in lines}
