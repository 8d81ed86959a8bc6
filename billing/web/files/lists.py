"""Sends a whole list as CSV, streamed, or as Excel, made in the background: by its own pages."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import msgspec
from sanic import Request
from sanic.response import BaseHTTPResponse, ResponseStream

from billing.queries.paging import Page, Place, decode_place
from billing.web.files.delivery import deliver
from billing.web.files.tables import CsvTable, attachment
from billing.web.files.writer import ListWriter
from billing.web.files.xlsx import Column
from billing.web.kit.i18n import language
from billing.web.services.export_jobs import Job, write_rows
from billing.web.site import Site, site_of

Read = Callable[[Any, Place | None], Awaitable[Page[Any]]]
Row = list[Any]
Pages = AsyncGenerator[list[Row], None]
Answer = BaseHTTPResponse | ResponseStream | None


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """A list as a file: what it is called, what its columns are, its rows, and its filter."""

    title: str
    columns: Sequence[Column]
    pages: Pages
    facts: Sequence[tuple[str, str]] = ()


async def all_pages(
    site: Site, read: Read, key: Any, row_of: Callable[[Any], Row]
) -> AsyncGenerator[list[Row], None]:
    """The cells of all rows of a list, by its own pages."""
    place: Place | None = None
    async with site.pool.connection() as connection:
        while True:
            found = await read(connection, place)
            yield [row_of(row) for row in found.rows]
            if not found.after:
                return
            place = decode_place(found.after, "", key)


async def send_list(request: Request[Any, Any], exported: Exported) -> Answer:
    """Answer with a file of a list, of the kind that the URL ends with."""
    if request.path.endswith(".csv"):
        await _stream(request, exported)
        return None
    site, said = site_of(request), language()

    async def make(job: Job) -> None:
        writer = partial(ListWriter, job.path, site.zone, said, exported.title, exported.columns)
        await write_rows(job, exported.pages, writer, exported.facts)

    return await deliver(request, f"{exported.title}.xlsx", make)


async def _stream(request: Request[Any, Any], exported: Exported) -> None:
    headers = attachment(f"{exported.title}.csv")
    response = await request.respond(content_type="text/csv; charset=utf-8", headers=headers)
    writer = CsvTable(exported.columns, site_of(request).zone)
    await response.send(writer.head())
    async for rows in exported.pages:
        await response.send(writer.rows(rows))
    await response.eof()


async def at_once(rows: Sequence[Row]) -> AsyncGenerator[list[Row], None]:
    """The rows of a list that is read whole."""
    yield list(rows)
