"""What a route takes in: a form in memory or, where sheets are uploaded, files on disk.

Each route says so (`takes=` of `admits`), and nothing is read before it is known who sends it and
that they may.
"""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, Self
from urllib.parse import parse_qs

import msgspec
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header
from sanic import Request
from sanic.exceptions import BadRequest, PayloadTooLarge
from sanic.request import RequestParameters

from billing.doors.bodies import arriving, in_memory
from billing.doors.door import door_of
from billing.sheets import MOST_BYTES

MOST_PARTS = 50  # of a form with files
KEPT_SECONDS = 3600  # an upload that was left behind by a kill


class Takes(msgspec.Struct, frozen=True):
    """What a route takes in."""

    most_bytes: int
    files: bool = False


FORM = Takes(32_768)  # a filter of 10,000 letters, each of them written as %41
LIST = Takes(262_144)  # a form with a box for each of many
SHEETS = Takes(MOST_BYTES + 1_000_000, files=True)  # a slightly larger file gets a message


class SentFile(msgspec.Struct, frozen=True):
    """An uploaded file; it is there until the request was answered."""

    name: str
    path: Path
    size: int  # bytes


@asynccontextmanager
async def taken_in(request: Request[Any, Any], takes: Takes) -> AsyncIterator[None]:
    """Have the body of a request while this lasts: `body`, `form`, and its files (`sent_file`).

    Raises PayloadTooLarge, ServiceUnavailable, and BadRequest where a form can't be read.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    request.parsed_form, request.parsed_files = RequestParameters(), RequestParameters()
    request.ctx.files = {}
    async with AsyncExitStack() as stack:
        try:
            if takes.files and kind == "multipart/form-data":
                boundary = options.get("boundary", "")
                await stack.enter_context(_Upload(request, takes.most_bytes, boundary)).read()
            else:
                most_bytes = FORM.most_bytes if takes.files else takes.most_bytes
                await stack.enter_async_context(in_memory(request, most_bytes))
            if kind == "application/x-www-form-urlencoded":
                request.parsed_form = RequestParameters(parse_qs(request.body.decode()))
        except (MultipartError, UnicodeDecodeError) as error:
            raise BadRequest("The form can't be read.") from error
        yield


def sent_file(request: Request[Any, Any], name: str) -> SentFile | None:
    """Return the file of a field; None if none was chosen or it is empty."""
    files: dict[str, SentFile] = request.ctx.files
    return files.get(name)


class _Upload:
    """A form with files on its way to disk."""

    def __init__(self, request: Request[Any, Any], most_bytes: int, boundary: str) -> None:
        self._request = request
        self._most_bytes = most_bytes
        self._parser = PushMultipartParser(boundary, max_segment_count=MOST_PARTS, strict=True)
        self._budget = door_of(request).disk
        self._held = 0
        self._folder = TemporaryDirectory(dir=_place(request))
        self._fields: dict[str, list[str]] = {}
        self._field = b""
        self._field_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._budget.give_back(self._held)
        self._folder.cleanup()

    async def read(self) -> None:
        """Take the form in. Raises MultipartError, PayloadTooLarge, ServiceUnavailable."""
        file: BinaryIO | None = None
        segment: MultipartSegment
        try:
            async for part in arriving(self._request, self._most_bytes, self._budget):
                self._held += len(part)
                for event in self._parser.parse(part):
                    if isinstance(event, MultipartSegment):
                        segment, self._field = event, b""
                        file = self._new_file() if event.filename is not None else None
                    elif event is None:
                        self._end(segment, file)
                    elif file:
                        await asyncio.to_thread(file.write, event)  # a disk may be slow
                    else:
                        self._add(event)
            self._parser.close()
        finally:
            if file:
                file.close()
        self._request.parsed_form = RequestParameters(self._fields)

    def _new_file(self) -> BinaryIO:
        return (Path(self._folder.name) / token_hex(8)).open("wb")

    def _add(self, data: bytes) -> None:
        self._field_bytes += len(data)
        if self._field_bytes > FORM.most_bytes:
            raise PayloadTooLarge("The fields of the form are too large.")
        self._field += data

    def _end(self, segment: MultipartSegment, file: BinaryIO | None) -> None:
        name = segment.name or ""
        if file is None:
            self._fields.setdefault(name, []).append(self._field.decode())
            return
        file.close()
        if segment.size:
            sent = SentFile(segment.filename or "", Path(file.name), segment.size)
            self._request.ctx.files.setdefault(name, sent)


def _place(request: Request[Any, Any]) -> Path:
    """Where uploads lie; what a kill left behind is removed."""
    place: Path = request.app.ctx.site.config.uploads
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in place.iterdir():
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > KEPT_SECONDS:
                shutil.rmtree(left)
    return place
