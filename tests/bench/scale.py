"""`make bench-scale`: the time of pages with many calls, and its growth with their number.

BENCH_CALLS sets the number (10,000,000). A tenth of it is measured as well, in turns, page by page.
"""

import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psycopg
from psycopg import AsyncCursor
from psycopg_pool import AsyncConnectionPool

from billing.database import Configure, Database
from billing.database.embedded import EmbeddedServer
from billing.interpreter import tune_for_pages
from tests.bench import filling
from tests.bench.filling import COMPANIES, DEVICES, EXTENSIONS, GATEWAYS, USERS
from tests.bench.installation import database
from tests.web import serving

CALLS = int(os.environ.get("BENCH_CALLS", "10000000"))
TIMES = int(os.environ.get("BENCH_TIMES", "100"))
HALF_YEAR = "from=2026-06-01&to=2026-11-20"
MONTH = "from=2026-10-22&to=2026-11-20"
chance = random.Random(3)  # noqa: S311 -- repeatable, not secret
statements: list[tuple[float, Any, Any]] = []  # the statements of the last page, with their seconds
slowest: dict[str, tuple[float, Any, Any]] = {}


def any_of(most: int) -> int:
    """Choose one of so many."""
    return chance.randrange(most)


LISTS: dict[str, Callable[[], str]] = {
    "first page": lambda: "",
    "of a company": lambda: f"&company=c{any_of(COMPANIES)}",
    "of a user account": lambda: f"&user=user:u{any_of(USERS)}",
    "of a gateway account": lambda: f"&gateway=gateway:g{any_of(GATEWAYS)}",
    "of a device": lambda: f"&device=d{any_of(DEVICES)}",
    "of an extension": lambda: f"&extension={1000 + any_of(EXTENSIONS)}",
    "to an area": lambda: f"&area=Area {any_of(filling.AREAS)}",
    "number begins": lambda: f"&match=begins&q=%2B34{600_000 + any_of(399_999)}",
    "number ends": lambda: f"&match=ends&q={any_of(10**6):06}",
    "suspended": lambda: "&status=suspended",
    "of a class": lambda: "&class=international",
    "busy in a company": lambda: f"&result=busy&company=c{any_of(COMPANIES)}",
    "of an hour": lambda: f"&hour={any_of(24)}&status=charged",
}
STATISTICS: dict[str, Callable[[], str]] = {
    "of all companies": lambda: "",
    "of a company": lambda: f"&company=c{any_of(COMPANIES)}",
    "of all users": lambda: "&by=user",
    "of a user account": lambda: f"&by=user&account=user:u{any_of(USERS)}",
    "of all gateways": lambda: "&by=gateway",
    "of a gateway account": lambda: f"&by=gateway&account=gateway:g{any_of(GATEWAYS)}",
}


class Timed(AsyncCursor[Any]):
    """Records each statement and its duration."""

    async def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        begin = time.perf_counter()
        try:
            return await super().execute(query, params, **options)
        finally:
            statements.append((time.perf_counter() - begin, query, params))


class TimedDatabase(Database):
    """A database whose pages record their statements."""

    async def open_async(
        self, configure: Configure | None = None, **options: Any
    ) -> AsyncConnectionPool:
        """Open the pool of the pages."""
        return await super().open_async(configure, cursor_factory=Timed, **options)


def measure(client: httpx.Client, path: str) -> float:
    """Return the milliseconds until a page arrives."""
    statements.clear()
    begin = time.perf_counter()
    answer = client.get(path)
    waited = (time.perf_counter() - begin) * 1000
    if answer.status_code != httpx.codes.OK:
        raise RuntimeError(answer.text)
    return waited


def measure_both(few: httpx.Client, many: httpx.Client, name: str, path: str) -> tuple[float, ...]:
    """Return the milliseconds of one page in both; record the slowest statement of the larger."""
    waits = measure(few, path), measure(many, path)
    worst = max(statements, key=lambda each: each[0])
    if worst[0] > slowest.get(name, (0.0,))[0]:
        slowest[name] = worst
    return waits


def pages() -> dict[str, Callable[[], str]]:
    """Return the URL of every page to measure, for any account."""
    found: dict[str, Callable[[], str]] = {}
    for said, period in (("30 days", MONTH), ("6 months", HALF_YEAR)):
        for name, query in LISTS.items():
            found[f"calls, {said}, {name}"] = partial(_address, f"/calls?{period}", query)
    for name, query in STATISTICS.items():
        found[f"statistics, 6 months, {name}"] = partial(
            _address, f"/statistics?{HALF_YEAR}", query
        )
    return found


def _address(path: str, query: Callable[[], str]) -> str:
    return path + query()


def compare(few: httpx.Client, many: httpx.Client) -> None:
    """Measure the same pages in both, in turns: other load slows both alike."""
    print(f"  {'milliseconds':<44}{'p50':>8}{'p99':>8}   growth of p50, p99", flush=True)
    for name, address in pages().items():
        path = address()
        for client in (few, many):
            client.get(path)  # templates are compiled and pages of the disk read once
        waits = [measure_both(few, many, name, address()) for _ in range(TIMES)]
        before, after = (sorted(each) for each in zip(*waits, strict=True))
        middle, last = TIMES // 2, TIMES * 99 // 100
        growth = f"{after[middle] / before[middle]:8.2f}{after[last] / before[last]:8.2f}"
        print(f"  {name:<44}{after[middle]:8.1f}{after[last]:8.1f}   {growth}", flush=True)


def explain(url: str) -> None:
    """Return the plan of the slowest statement of all."""
    name, (seconds, query, values) = max(slowest.items(), key=lambda item: item[1][0])
    print(f"\nThe slowest statement, {seconds * 1000:.0f} ms, of {name}:\n{query}\n")
    text = query if isinstance(query, str) else query.decode()
    with psycopg.connect(url) as connection:
        for (line,) in connection.execute(f"explain (analyze, buffers) {text}".encode(), values):
            print(f"  {line}")


@contextmanager
def filled(server_url: str, calls: int) -> Iterator[str]:
    """Yield the URL of a database with so many calls."""
    with database(server_url, f"bench_scale_{calls}") as url:
        begin = time.perf_counter()
        filling.fill(url, calls)
        serving.add_administrator(url)
        with psycopg.connect(url) as connection:
            size = connection.execute("select pg_size_pretty(pg_database_size(current_database()))")
            ((text,),) = size.fetchall()
        seconds = time.perf_counter() - begin
        print(f"{calls:,} calls over 6 months, {text}, filled in {seconds:.0f} s", flush=True)
        yield url


@contextmanager
def signed_in(url: str, folder: Path) -> Iterator[httpx.Client]:
    """Yield a client that is signed in to the pages of a database."""
    with (
        serving.served(url, folder) as address,
        httpx.Client(
            base_url=address, headers={"origin": address, "accept-language": "en"}, timeout=120
        ) as client,
    ):
        client.post("/sign-in", data={"name": "marta", "password": serving.PASSWORD})
        yield client


def main() -> int:
    """Measure a tenth and all; DATABASE_URL names a server to use instead of our own."""
    vars(serving)["Database"] = TimedDatabase  # its pages record their statements
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)  # started by root, the server runs as another user
        given = os.environ.get("DATABASE_URL")
        server = None if given else EmbeddedServer(Path(folder) / "data")
        url = given or server.url  # type: ignore[union-attr] # one of them is set
        with filled(url, CALLS // 10) as tenth, filled(url, CALLS) as whole:
            with (
                signed_in(tenth, Path(folder) / "few") as few,
                signed_in(whole, Path(folder) / "many") as many,
            ):
                tune_for_pages()  # as the job of the pages does
                compare(few, many)
            explain(whole)
        if server:
            server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
