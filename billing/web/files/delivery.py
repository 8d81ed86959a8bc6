"""Hands over files: each is written to the disk first, and then sent from there.

So no connection of the database waits for whoever reads slowly, or never (docs/decisions/0144). A
person who would wait long gets a page with the progress; a program gets what is there so far.
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

PATIENCE_SECONDS = 2.0  # longer than that, a page with progress is better than silence
PROGRAM_SECONDS = (
    50.0  # for what can't be sent before it is whole: shorter than a server's patience
)
AGAIN_SECONDS = 10  # when to ask again, of whoever was refused
LOOK_SECONDS = 0.1
CHUNK = 1 << 18  # bytes of a file in memory
TYPES = {
    "xlsx": EXCEL,
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
}
STATUS = {"full": 507, "slow": 503, "away": 503, "fault": 500}  # of what a program is told
Answer = BaseHTTPResponse | None  # None: it was sent already


async def deliver(
    request: Request[Any, Any], file_name: str, make: Make, expected: int = 0
) -> Answer:
    """Make a file and send it; some at a time for each administrator, and for all of them."""
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
    """Send a file that is done."""
    await send_file(request, job.path, job.file_name, TYPES[job.kind])


async def send_file(request: Request[Any, Any], path: Path, name: str, kind: str) -> None:
    """Send a file of the disk under a name, a little of it in memory at a time."""
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
    """The file, or what of it is there; no page of progress is shown to a program."""
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
    elif request.transport:  # the end that the server puts would make it look whole
        request.transport.close()
    return None


async def _follow(job: Job, task: "asyncio.Task[None]") -> AsyncGenerator[bytes, None]:
    """The bytes of a file from its beginning on, as they come, until nobody writes any more."""
    while not job.is_readable and not task.done():
        await asyncio.wait([task], timeout=LOOK_SECONDS)
    try:
        file = await asyncio.to_thread(job.open_to_read)
    except FileNotFoundError:  # it failed
        return
    with file:
        while True:
            is_ended = task.done()  # asked before it is read: nothing comes after that
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
