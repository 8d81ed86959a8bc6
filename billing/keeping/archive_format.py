"""The format of archives and backups: a readable first line, compressed frames, a checksum.

A file gets its name only when it is complete (keeping/new_files.py).
"""

import hashlib
import os
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from billing import __version__
from billing.keeping.new_files import making
from billing.values import Refused

FORMAT = 1
MAGIC = "contarifa"
LEVEL = 1  # of gzip: level 6 saves a third of the size and takes three times as long
BLOCK = 1 << 20
ROWS = 500  # of one frame
FRAME = struct.Struct("!BI")  # lengths of the name and of the data
MEMBER = 20  # frames of events in one gzip member; reading can begin at any member
TRAILER = b"\nend %020d sha256 %b\n"  # offset of the last member, and the checksum
TRAILER_LENGTH = len(TRAILER % (0, bytes(64)))
INDEX, END = "index", "end"

EventRow = tuple[int, str, int, str, bytes]  # position, stream, version, topic, state
SealRow = tuple[int, int, int, bytes, str, bytes]  # last, first, events, previous, digests, seal


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of a file."""

    kind: str  # archive, full, calls
    made_at: str
    format: int = FORMAT
    magic: str = MAGIC
    program: str = ""
    migrations: dict[str, str] = {}  # name -> SHA-256, of a full backup
    months: tuple[str, ...] = ()
    about: str = ""  # the month or the period


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A complete file."""

    path: Path
    sha256: str  # of the whole file, as sha256sum prints it
    size_bytes: int


class _Hashing:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.inside = hashlib.sha256()  # of everything before the trailer
        self.whole = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes, *, trailer: bool = False) -> None:
        self._file.write(data)
        self.whole.update(data)
        if not trailer:
            self.inside.update(data)
        self.size += len(data)


def _compressor() -> Any:
    return zlib.compressobj(LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16)


class Writer:
    """Writes frames to a new file."""

    def __init__(self, file: BinaryIO, header: Header) -> None:
        self._out = _Hashing(file)
        self._out.write(msgspec.json.encode(header) + b"\n")
        self._gzip = _compressor()
        self._encode = msgspec.msgpack.Encoder().encode
        self._frames = 0  # number of frames of events
        self._index: list[tuple[int, int]] = []  # (first position, offset) of each member

    def add(self, name: str, data: bytes) -> None:
        """Write one frame."""
        told = name.encode()
        head = FRAME.pack(len(told), len(data)) + told
        for part in (head, data):
            if packed := self._gzip.compress(part):
                self._out.write(packed)

    def add_rows(self, name: str, rows: Sequence[Any]) -> None:
        """Write one frame of rows."""
        if name == "events":
            if self._frames % MEMBER == 0:
                self._index.append((rows[0][0], self._begin_member()))
            self._frames += 1
        self.add(name, self._encode(rows))

    def _begin_member(self) -> int:
        self._out.write(self._gzip.flush())
        self._gzip = _compressor()
        return self._out.size

    def finish(self, manifest: msgspec.Struct) -> None:
        """Write the manifest, the index and the checksum."""
        begin = self._begin_member()
        self.add(INDEX, msgspec.json.encode(self._index))
        self.add(END, msgspec.json.encode(manifest))
        self._out.write(self._gzip.flush())
        digest = self._out.inside.hexdigest().encode()
        self._out.write(TRAILER % (begin, digest), trailer=True)

    def written(self, path: Path) -> Written:
        """Describe the complete file."""
        return Written(path=path, sha256=self._out.whole.hexdigest(), size_bytes=self._out.size)


@contextmanager
def writing(path: Path, header: Header) -> Iterator[Writer]:
    """Make a file. After the block it is complete and on disk; after an exception it is gone."""
    with making(path) as file:
        yield Writer(file, msgspec.structs.replace(header, program=__version__))


def check(path: Path, kinds: tuple[str, ...], sha256: str = "") -> Header:
    """Return the header of a file. Refused if it is not complete, or not of one of these kinds."""
    if not path.is_file():
        raise Refused("There is no file %(file)s.", file=path.name)
    with path.open("rb") as file:
        header = _read_header(path, file.readline(BLOCK))
        if header.kind not in kinds:
            raise Refused(
                "The file %(file)s is of another kind: %(kind)s.", file=path.name, kind=header.kind
            )
        inside, whole, trailer = _checksums(path, file)
    if not trailer.startswith(b"\nend "):
        raise Refused("The file %(file)s is truncated: its end is missing.", file=path.name)
    if not trailer.endswith(b" sha256 %b\n" % inside.encode()):
        raise Refused("The file %(file)s is damaged: its checksum does not match.", file=path.name)
    if sha256 and sha256 != whole:
        raise Refused("The file %(file)s is not the one that was created.", file=path.name)
    return header


def _read_header(path: Path, line: bytes) -> Header:
    with suppress(msgspec.MsgspecError, UnicodeDecodeError):
        told = msgspec.json.decode(line)
        if isinstance(told, dict) and told.get("magic") == MAGIC:
            if told.get("format") != FORMAT:
                raise Refused(
                    "The file %(file)s was made by a newer program (%(program)s).",
                    file=path.name,
                    program=told.get("program"),
                )
            return msgspec.convert(told, Header)
    raise Refused("%(file)s is neither an archive nor a backup of this program.", file=path.name)


def _checksums(path: Path, file: BinaryIO) -> tuple[str, str, bytes]:
    """Return the SHA-256 of all before the trailer and of the whole file, and the trailer."""
    inside = hashlib.sha256()
    left = path.stat().st_size - TRAILER_LENGTH
    file.seek(0)
    while left > 0 and (block := file.read(min(BLOCK, left))):
        inside.update(block)
        left -= len(block)
    whole = inside.copy()
    trailer = file.read()
    whole.update(trailer)
    return inside.hexdigest(), whole.hexdigest(), trailer


def frames(path: Path, begin: int = 0) -> Iterator[tuple[str, bytes]]:
    """Yield the frames in order, from the member at offset `begin`; the last is the manifest."""
    with path.open("rb") as file:
        if begin:
            file.seek(begin)
        else:
            file.readline(BLOCK)
        read = _reader(file)
        while True:
            lengths = FRAME.unpack(read(FRAME.size))
            name, data = read(lengths[0]).decode(), read(lengths[1])
            yield name, data
            if name == END:
                return


def _reader(file: BinaryIO) -> Callable[[int], bytes]:
    """Return a function that reads a number of decompressed bytes."""
    gunzip = zlib.decompressobj(zlib.MAX_WBITS | 16)
    waiting, packed = bytearray(), b""

    def read(count: int) -> bytes:
        nonlocal gunzip, packed
        while len(waiting) < count:
            packed = packed or file.read(BLOCK // 4)
            if not packed:
                raise Refused("A file is truncated: its end is missing.")
            waiting.extend(gunzip.decompress(packed))
            packed = gunzip.unused_data
            if gunzip.eof:  # another member follows
                gunzip = zlib.decompressobj(zlib.MAX_WBITS | 16)
        taken = bytes(waiting[:count])
        del waiting[:count]
        return taken

    return read


_events = msgspec.msgpack.Decoder(list[EventRow])
_seals = msgspec.msgpack.Decoder(list[SealRow])


def decode_events(data: bytes) -> list[EventRow]:
    """Decode the events of one frame."""
    return _events.decode(data)


def event_rows(path: Path, after: int = 0) -> Iterator[EventRow]:
    """Yield the events after a position, in order."""
    begin = 0
    if after:
        known = [offset for first, offset in _index_of(path) if first <= after]
        begin = known[-1] if known else 0
    for name, data in frames(path, begin):
        if name == "events":
            for row in _events.decode(data):
                if row[0] > after:
                    yield row


def _index_of(path: Path) -> list[tuple[int, int]]:
    with path.open("rb") as file:
        file.seek(-TRAILER_LENGTH, os.SEEK_END)
        begin = int(file.read(TRAILER_LENGTH).split()[1])
    return msgspec.json.decode(next(frames(path, begin))[1], type=list[tuple[int, int]])


def seal_rows(path: Path) -> Iterator[SealRow]:
    """Yield the seals of a file, by position."""
    for name, data in frames(path):
        if name == "seals":
            yield from _seals.decode(data)
