"""A deck of 200,000 rows from its file to the read model, and looking a number up in it."""

import io
import random
import resource
import time
from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo

import msgspec
import xlsxwriter

from billing.commands.catalogue import Catalogue
from billing.commands.rates import ImportDeck, import_deck, load_rate_group
from billing.decks.changes import find_changes
from billing.decks.columns import guess
from billing.decks.reading import Terms, read_deck
from billing.decks.uploads import Prepared
from billing.projections import projections
from billing.projections.runner import Runner
from billing.sheets import read_sheet
from billing.store import Store
from tests.bench.installation import SAID

ROWS = 200_000
NUMBERS = 300_000
HEAD = ("Destino", "Prefijo", "Precio", "Incrementos", "Vigente desde")
BEGINS = datetime(2027, 1, 1, tzinfo=UTC)


def workbook() -> bytes:
    """A deck of mobile and other destinations; every twentieth cell has two prefixes."""
    made, dice = io.BytesIO(), random.Random(5)  # noqa: S311 -- the same deck each time
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


def preview(url: str, content: bytes) -> tuple[float, bytes]:
    """Read and compare; the seconds, and what an import would be given."""
    begin, store = time.perf_counter(), Store(url)
    header, columns = guess(list(islice(read_sheet(content, "deck.xlsx"), 25)))
    terms = Terms(zone=ZoneInfo("Europe/Madrid"))
    deck = read_deck(read_sheet(content, "deck.xlsx"), header, columns, terms)
    changes = find_changes(load_rate_group(store, "deck"), deck.rates, BEGINS, datetime.now(UTC))
    prepared = msgspec.json.encode(Prepared(tuple(changes.rates), tuple(changes.ended)))
    store.close()
    return time.perf_counter() - begin, prepared


def apply(url: str, prepared: bytes) -> float:
    """Import what was previewed, and wait until the pages show it; the seconds."""
    begin, store = time.perf_counter(), Store(url)
    given = msgspec.json.decode(prepared, type=Prepared)
    command = ImportDeck(
        group_id="deck",
        import_id="bench",
        file_name="deck.xlsx",
        rates=given.rates,
        ended=given.ended,
    )
    import_deck(store, command, SAID)
    runner = Runner(url, store, projections("Europe/Madrid"))
    runner.catch_up()
    runner.close()
    store.close()
    return time.perf_counter() - begin


def look_up(url: str) -> float:
    """Find the prices of numbers among all prefixes; the seconds, building not counted."""
    catalogue, store = Catalogue(), Store(url)
    catalogue.refresh(store)
    store.close()
    group, dice = catalogue.context.groups["deck"], random.Random(6)  # noqa: S311 -- the same
    numbers = [str(dice.randrange(10_000_000, 90_000_000)) + "123" for _ in range(NUMBERS)]
    begin = time.perf_counter()
    for number in numbers:
        group.by_prefix(number, BEGINS)
    return time.perf_counter() - begin


def peak_megabytes() -> float:
    """The most memory this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
