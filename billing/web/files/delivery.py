"""Send files: CSV as a stream; Excel at once, or by a page with its progress."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from sanic import Request
from sanic.exceptions import ServerError
from sanic.response import BaseHTTPResponse, ResponseStream, file_stream, redirect

from billing.web.files.tables import EXCEL, ROWS_AT_ONCE, attachment
from billing.web.kit.access import is_program
from billing.web.kit.errors import problem
from billing.web.kit.i18n import gettext
from billing.web.kit.pages import page
from billing.web.kit.reach import owner_of
from billing.web.services.export_jobs import Job, Make
from billing.web.site import site_of

PATIENCE_SECONDS = 2.0  # then a page with the progress is shown
Answer = BaseHTTPResponse | ResponseStream | None  # None: the response was streamed
Row = TypeVar("Row")


async def send_csv(
    request: Request[Any, Any], file_name: str, head: str, lines: AsyncIterable[str]
) -> None:
    """Send a CSV file as a stream: its first line, then its lines as they are made."""
    response = await request.respond(
        content_type="text/csv; charset=utf-8", headers=attachment(file_name)
    )
    await response.send(head)
    async for some in lines:
        await response.send(some)
    await response.eof()


async def read_in_threads(rows: Iterator[Row]) -> AsyncGenerator[list[Row], None]:
    """Yield the rows of a blocking iterator in batches."""
    while some := await asyncio.to_thread(lambda: list(islice(rows, ROWS_AT_ONCE))):
        yield some


async def deliver(
    request: Request[Any, Any], file_name: str, make: Make, expected: int = 0
) -> BaseHTTPResponse | ResponseStream:
    """Make a spreadsheet in the background, one at a time for each administrator."""
    site, owner = site_of(request), owner_of(request)
    running = site.exports.running(owner)
    if running and is_program(request):
        return problem(
            409, gettext("A file is already being prepared"), gettext("Try again later.")
        )
    if running:
        return page(request, "files/export.html", 409, page="exports", job=running, busy=True)
    job = Job(owner, site.exports.new_path(), file_name, expected)
    patience = None if is_program(request) else PATIENCE_SECONDS  # programs get the file, no page
    await asyncio.wait([site.exports.begin(job, make)], timeout=patience)
    if job.state == "done":
        return await send_job(job)
    if patience is None:
        raise ServerError
    return redirect(f"/exports/{job.id}")


async def send_job(job: Job) -> ResponseStream:
    """Send the file of a job."""
    return await file_stream(job.path, mime_type=EXCEL, headers=attachment(job.file_name))
