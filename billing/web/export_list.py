"""Sends a whole list as CSV, streamed, or as Excel: by the list's own pages."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from sanic import Request
from sanic.response import HTTPResponse, raw

from billing.projections.reading.paging import Page, Place, decode_place
from billing.web.export_table import EXCEL, CsvTable, Sheet, attachment, workbook
from billing.web.export_xlsx import Column
from billing.web.i18n import language, set_language
from billing.web.site import site_of

Read = Callable[[Any, Place | None], Awaitable[Page[Any]]]
Row = list[Any]


async def all_pages(request: Request[Any, Any], read: Read, key: Any) -> AsyncIterator[list[Any]]:
    """All rows of a list, by its own pages."""
    place: Place | None = None
    async with site_of(request).pool.connection() as connection:
        while True:
            found = await read(connection, place)
            yield found.rows
            if not found.after:
                return
            place = decode_place(found.after, "", key)


async def send_list(
    request: Request[Any, Any],
    name: str,
    columns: list[Column],
    pages: AsyncIterator[list[Row]],
) -> HTTPResponse | None:
    """Answer with a file of these rows, of the kind that the address ends with."""
    site, said = site_of(request), language()
    if request.path.endswith(".csv"):
        headers = attachment(f"{name}.csv")
        response = await request.respond(content_type="text/csv; charset=utf-8", headers=headers)
        writer = CsvTable(columns, site.zone)
        await response.send(writer.head())
        async for rows in pages:
            await response.send(writer.rows(rows))
        await response.eof()
        return None
    rows = [row async for some in pages for row in some]

    def make() -> bytes:
        set_language(said)
        return workbook([Sheet(name, columns, rows)], [], site.zone)

    data = await asyncio.to_thread(make)
    return raw(data, 200, attachment(f"{name}.xlsx"), EXCEL)
