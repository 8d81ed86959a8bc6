"""A deck of 200,000 rows from its file to the pages, and looking up a number in it.

Like the pages, this runs decks in a separate process; it reports the peak memory of that process.
"""

import asyncio
import io
import multiprocessing
import random
import resource
import time
from datetime import UTC, datetime
from itertools import islice

import msgspec
import psycopg
import xlsxwriter

from billing.commands.catalogue import Catalogue
from billing.decks import uploads
from billing.decks.columns import guess
from billing.interpreter import tune
from billing.log.store import Store
from billing.offload.process import Offload
from billing.offload.tasks import Answer, Apply, Preview, Wish
from billing.projections import projections
from billing.projections.runner import Runner
from billing.sheets import SheetReading
from tests.bench.installation import SAID

ROWS = 200_000
NUMBERS = 300_000
HEAD = ("Destino", "Prefijo", "Precio", "Incrementos", "Vigente desde")
BEGINS = datetime(2027, 1, 1, tzinfo=UTC)
ZONE = "Europe/Madrid"


class Measured(msgspec.Struct, frozen=True):
    """Rows of name, seconds and count; the peak memory of any process that worked on a deck."""

    rows: list[tuple[str, float, int]]
    megabytes: float


def measure(url: str) -> Measured:
    """Preview and import two decks one after the other, and look up numbers in both.

    Call it in a small process: a child's memory begins with that of its parent.
    """
    rows = []
    for seed, name in ((5, "deck of 200,000 rows"), (6, "the same with other prices")):
        content = workbook(seed)
        rows.append((f"{name} (xlsx): previewed", preview(url, content, name), ROWS))
        rows.append((f"{name}: imported, shown", apply(url, name), ROWS))
    megabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    rows.append(("look-up among their prefixes", look_up(url), NUMBERS))
    return Measured(rows, megabytes)


def workbook(seed: int = 5) -> bytes:
    """Return a deck of mobile and other destinations; every twentieth cell has two prefixes."""
    made, dice = io.BytesIO(), random.Random(seed)  # noqa: S311 -- the same deck each time
    book = xlsxwriter.Workbook(made, {"constant_memory": True})
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, HEAD)
    for row in range(1, ROWS + 1):
        prefix = str(10_000_000 + row * 397)
        cell = f"{prefix}, {prefix}1" if row % 20 == 0 else prefix
        price = f"0,{dice.randrange(10, 90_000):05}"
        sheet.write_row(row, 0, (f"Destino {row // 50}", cell, price, "60/1", "2027-01-01"))
    book.close()
    return made.getvalue()


def preview(url: str, content: bytes, name: str) -> float:
    """Read a deck and compare it with a group; the seconds."""
    with SheetReading(content, name) as sheet:
        header, columns = guess(list(islice(sheet.rows(), 25)))
    with psycopg.connect(url, autocommit=True) as connection:
        uploads.keep(connection, uploads.Upload(name, "deck", name, content), SAID.actor)
    wish = Wish(
        header=header,
        columns=columns,
        zone=ZONE,
        effective_from=BEGINS,
        unit_s=60,
        increment="1",
        complete=True,
    )
    begin = time.perf_counter()
    asked = Preview(group_id="deck", upload_id=name, wish=wish, now=datetime.now(UTC))
    answer = asyncio.run(_asked(url, asked))
    if not answer.previewed or answer.previewed.wrong:
        raise AssertionError(answer)
    return time.perf_counter() - begin


def apply(url: str, name: str) -> float:
    """Import the previewed deck and wait until the pages show it; return the seconds."""
    begin = time.perf_counter()
    asyncio.run(_asked(url, Apply(group_id="deck", upload_id=name, envelope=SAID)))
    process = multiprocessing.get_context("spawn").Process(target=_project, args=(url,))
    process.start()
    process.join()
    return time.perf_counter() - begin


def _project(url: str) -> None:
    """Keep the read models up to date, as the job does."""
    tune()
    store = Store(url)
    runner = Runner(url, store, projections(ZONE))
    runner.catch_up()
    runner.close()
    store.close()


async def _asked(url: str, asked: Preview | Apply) -> Answer:
    return await Offload(url).run(asked)


def look_up(url: str) -> float:
    """Look up the prices of numbers in all prefixes; return the seconds without building."""
    catalogue, store = Catalogue(), Store(url)
    catalogue.refresh(store)
    store.close()
    group, dice = catalogue.context.groups["deck"], random.Random(6)  # noqa: S311 -- the same numbers each time
    numbers = [str(dice.randrange(10_000_000, 90_000_000)) + "123" for _ in range(NUMBERS)]
    begin = time.perf_counter()
    for number in numbers:
        group.by_prefix(number, BEGINS)
    return time.perf_counter() - begin
