"""A list as a file: what it is called, its fields and its rows; sent as CSV or as Excel.

CSV is streamed while the rows are read; Excel is made in the background.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, Generic, TypeVar

import msgspec
from psycopg import AsyncConnection
from sanic import Request

from billing.periods import Period
from billing.queries.paging import Page, Place, decode_place
from billing.web.files.delivery import Answer, deliver, send_csv
from billing.web.files.facts import facts_of
from billing.web.files.tables import AT_ONCE, Cells, CsvTable, Facts
from billing.web.files.writer import ListWriter
from billing.web.files.xlsx import Column, Kind
from billing.web.kit.i18n import language
from billing.web.services.export_jobs import Job, write_rows
from billing.web.site import Site, site_of

Row = TypeVar("Row")
Filter = TypeVar("Filter")
# A list as its page reads it: connection, filter, where the page begins, rows of a page.
ListPage = Callable[[AsyncConnection[Any], Filter, Place | None, int], Awaitable[Page[Row]]]


class Field(msgspec.Struct, Generic[Row], frozen=True):
    """One column of a list, and the function that takes its cell from a row."""

    head: str
    cell: Callable[[Row], Any]  # what its kind asks for: see Column
    kind: Kind = "text"
    width: int = 16
    own: bool = False  # whether hardly a text occurs twice
    sum: bool = False  # whether its total says something


class ListFile(msgspec.Struct, Generic[Row], frozen=True, kw_only=True):
    """A list to be sent: its title, its fields, its rows, and the filter that it goes by."""

    title: str
    fields: Sequence[Field[Row]]
    rows: Sequence[Row] | AsyncGenerator[list[Row], None]  # all of them, or page by page
    given: Mapping[str, str] = {}  # the filter as a URL gives it
    period: Period | None = None
    facts: Facts = ()  # what else the file says about itself, before the filter


def columns_of(fields: Sequence[Field[Any]]) -> list[Column]:
    """The columns of some fields."""
    return [Column(each.head, each.kind, each.width, each.own, each.sum) for each in fields]


def cells_of(fields: Sequence[Field[Row]], row: Row) -> Cells:
    """The cells of a row."""
    return [each.cell(row) for each in fields]


async def all_pages(
    site: Site, read: ListPage[Filter, Row], wanted: Filter, key_type: Any
) -> AsyncGenerator[list[Row], None]:
    """All rows of a filter, by the pages of their list; `key_type` is the key of its places."""
    place: Place | None = None
    async with site.pool.connection() as connection:
        while True:
            found = await read(connection, wanted, place, AT_ONCE)
            yield found.rows
            if not found.after:
                return
            place = decode_place(found.after, "", key_type)


async def send_list(request: Request[Any, Any], file: ListFile[Any]) -> Answer:
    """Answer with a list as a file, of the kind that the URL ends with."""
    facts = [*file.facts, *await facts_of(request, file.given, file.period)]
    columns, pages = columns_of(file.fields), _cells(file)
    site, said = site_of(request), language()
    if request.path.endswith(".csv"):
        table = CsvTable(columns, site.zone)
        lines = (table.rows(rows) async for rows in pages)
        await send_csv(request, f"{file.title}.csv", table.head(), lines)
        return None

    async def make(job: Job) -> None:
        writer = partial(ListWriter, job.path, site.zone, said, file.title, columns)
        await write_rows(job, pages, writer, facts)

    return await deliver(request, f"{file.title}.xlsx", make)


async def _cells(file: ListFile[Row]) -> AsyncGenerator[list[Cells], None]:
    """The cells of all rows, some rows at a time."""
    if isinstance(file.rows, Sequence):
        yield [cells_of(file.fields, row) for row in file.rows]
        return
    async with aclosing(file.rows) as pages:
        async for rows in pages:
            yield [cells_of(file.fields, row) for row in rows]
