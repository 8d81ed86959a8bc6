"""Send files: each is written to the disk first, and sent from there.

A slow reader holds no connection to the database (docs/decisions/0144). A person who has to wait
gets a page with the progress; a program gets CSV while it is written.
"""

import asyncio
import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from sanic import Request
from sanic.exceptions import NotFound
from sanic.response import BaseHTTPResponse, HTTPResponse, redirect

from billing.web.files.tables import EXCEL, attachment
from billing.web.kit.access import is_program
from billing.web.kit.errors import error_page, problem
from billing.web.kit.i18n import gettext
from billing.web.kit.pages import page
from billing.web.kit.reach import owner_of
from billing.web.kit.words import EXPORT_PROBLEMS, word
from billing.web.services.export_jobs import PLAIN, Job, Make
from billing.web.site import site_of

PATIENCE_SECONDS = 2.0  # then a page with the progress is shown
PROGRAM_SECONDS = 50.0  # for Excel, which can only be sent when complete
AGAIN_SECONDS = 10  # the Retry-After of a refusal
LOOK_SECONDS = 0.1
CHUNK = 1 << 18  # bytes in memory
TYPES = {
    "xlsx": EXCEL,
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
}
STATUS = {"full": 507, "slow": 503, "away": 503, "fault": 500}  # for a program
Answer = BaseHTTPResponse | None  # None: the response was sent


async def deliver(
    request: Request[Any, Any], file_name: str, make: Make, expected: int = 0
) -> Answer:
    """Make a file and send it; an administrator and all of them have limits at a time."""
    exports, owner = site_of(request).exports, owner_of(request)
    if busy := await exports.turn(owner, PATIENCE_SECONDS):
        return _refuse_another(request, busy[0])
    if exports.is_full():
        return _refuse_all(request)
    job = Job(owner, file_name, expected)
    task = exports.begin(job, make)
    if is_program(request):
        try:
            return await _send_to_program(request, job, task)
        finally:
            exports.forget(job)
    await asyncio.wait([task], timeout=PATIENCE_SECONDS)
    if not job.is_done:
        return redirect(f"/exports/{job.id}")
    await send_job(request, job)
    return None


async def send_job(request: Request[Any, Any], job: Job) -> None:
    """Send the file of a job."""
    await send_file(request, job.path, job.file_name, TYPES[job.kind])


async def send_file(request: Request[Any, Any], path: Path, name: str, kind: str) -> None:
    """Send a file from the disk in chunks."""
    try:
        file = await asyncio.to_thread(path.open, "rb")
    except FileNotFoundError as error:
        raise NotFound from error
    with file:
        size = os.fstat(file.fileno()).st_size
        headers = {**attachment(name), "content-length": str(size)}
        response = await request.respond(content_type=kind, headers=headers)
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            await response.send(chunk)
        await response.eof()


async def _send_to_program(
    request: Request[Any, Any], job: Job, task: "asyncio.Task[None]"
) -> Answer:
    """Send a file when it is complete, or CSV and NDJSON while they are written."""
    is_plain = job.kind in PLAIN
    await asyncio.wait([task], timeout=PATIENCE_SECONDS if is_plain else PROGRAM_SECONDS)
    if job.is_done:
        await send_job(request, job)
        return None
    chunks = _follow(job, task) if is_plain else None
    first = await anext(chunks, b"") if chunks else b""
    if chunks is None or (job.problem and not first):
        return _not_made(job.problem or "slow")
    response = await request.respond(
        content_type=TYPES[job.kind], headers=attachment(job.file_name)
    )
    await response.send(first)
    async for chunk in chunks:
        await response.send(chunk)
    if job.is_done:
        await response.eof()
    elif request.transport:  # a normal end would make it look complete
        request.transport.close()
    return None


async def _follow(job: Job, task: "asyncio.Task[None]") -> AsyncGenerator[bytes, None]:
    """Yield the bytes of a file while it is written, until the job ends."""
    while not job.is_readable and not task.done():
        await asyncio.wait([task], timeout=LOOK_SECONDS)
    try:
        file = await asyncio.to_thread(job.open_to_read)
    except FileNotFoundError:  # the job failed
        return
    with file:
        while True:
            is_ended = task.done()  # checked before reading: no bytes come after the end
            if chunk := await asyncio.to_thread(file.read, CHUNK):
                yield chunk
            elif is_ended:
                return
            else:
                await asyncio.wait([task], timeout=LOOK_SECONDS)


def _not_made(why: str) -> HTTPResponse:
    title = gettext("The file could not be created")
    return _with_wait(problem(STATUS[why], title, word(EXPORT_PROBLEMS, why)))


def _refuse_another(request: Request[Any, Any], job: Job) -> HTTPResponse:
    said = gettext("Files are already being prepared for you. Wait until one is ready.")
    if is_program(request):
        return _with_wait(problem(429, said, gettext("Try again later.")))
    return _with_wait(page(request, "files/export.html", 429, page="exports", job=job, busy=said))


def _refuse_all(request: Request[Any, Any]) -> HTTPResponse:
    title = gettext("Too many files are being prepared")
    said = gettext("Try again in a minute. Nothing is wrong with your request.")
    return _with_wait(error_page(request, 503, title, said))


def _with_wait(answer: HTTPResponse) -> HTTPResponse:
    answer.headers["retry-after"] = str(AGAIN_SECONDS)
    return answer
