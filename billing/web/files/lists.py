"""A list as a file: its name, its fields and its rows; sent as CSV or as Excel.

Both are written to a file in the background, in batches of rows.
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
from billing.web.files.delivery import Answer, deliver
from billing.web.files.facts import facts_of
from billing.web.files.tables import ROWS_AT_ONCE, Cells, CsvFile, Facts
from billing.web.files.writer import ListWriter
from billing.web.files.xlsx import Column, Kind
from billing.web.kit.i18n import language
from billing.web.services.export_jobs import Job, RowWriter, write_rows
from billing.web.site import Site, site_of

Row = TypeVar("Row")
Filter = TypeVar("Filter")
# The function that reads a list for its page: connection, filter, place, rows of a page.
ListPage = Callable[[AsyncConnection[Any], Filter, Place | None, int], Awaitable[Page[Row]]]


class Field(msgspec.Struct, Generic[Row], frozen=True):
    """A column of a list, and the function that returns its cell from a row."""

    head: str
    cell: Callable[[Row], Any]  # a value of the column's kind: see Column
    kind: Kind = "text"
    width: int = 16
    own: bool = False  # whether most texts occur once
    sum: bool = False  # whether a total makes sense


class ListFile(msgspec.Struct, Generic[Row], frozen=True, kw_only=True):
    """A list to send: its title, fields, rows and filter."""

    title: str
    fields: Sequence[Field[Row]]
    rows: Sequence[Row] | AsyncGenerator[list[Row], None]  # all of them, or page by page
    given: Mapping[str, str] = {}  # the filter as URL parameters
    period: Period | None = None
    facts: Facts = ()  # facts to state before the filter


def columns_of(fields: Sequence[Field[Any]]) -> list[Column]:
    """Return the columns of some fields."""
    return [Column(each.head, each.kind, each.width, each.own, each.sum) for each in fields]


def cells_of(fields: Sequence[Field[Row]], row: Row) -> Cells:
    """Return the cells of a row."""
    return [each.cell(row) for each in fields]


async def all_pages(
    site: Site, read: ListPage[Filter, Row], wanted: Filter, key_type: Any
) -> AsyncGenerator[list[Row], None]:
    """Yield all rows of a filter, by the pages of the list; `key_type` is the type of its keys."""
    place: Place | None = None
    async with await site.connect_background_async() as connection:
        while True:
            found = await read(connection, wanted, place, ROWS_AT_ONCE)
            yield found.rows
            if not found.after:
                return
            place = decode_place(found.after, "", key_type)


async def send_list(request: Request[Any, Any], file: ListFile[Any]) -> Answer:
    """Send a list as a file, in the format at the end of the URL."""
    facts = [*file.facts, *await facts_of(request, file.given, file.period)]
    columns, pages = columns_of(file.fields), _cells(file)
    site, said = site_of(request), language()
    is_csv = request.path.endswith(".csv")

    async def make(job: Job) -> None:
        writer: Callable[[], RowWriter]
        if is_csv:
            writer = partial(CsvFile, job.file, site.zone, columns)
        else:
            writer = partial(ListWriter, job.file, site.zone, said, file.title, columns)
        await write_rows(job, pages, writer, facts)

    return await deliver(request, f"{file.title}.{'csv' if is_csv else 'xlsx'}", make)


async def _cells(file: ListFile[Row]) -> AsyncGenerator[list[Cells], None]:
    """Yield the cells of all rows, in batches."""
    if isinstance(file.rows, Sequence):
        yield [cells_of(file.fields, row) for row in file.rows]
        return
    async with aclosing(file.rows) as pages:
        async for rows in pages:
            yield [cells_of(file.fields, row) for row in rows]
