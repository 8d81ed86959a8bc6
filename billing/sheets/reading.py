"""Has a sheet read by a process of its own, so that no file can stop who reads it."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from io import BufferedRandom, BufferedReader
from pathlib import Path
from typing import Self

import msgspec

from billing.sheets.messages import Answer, Question
from billing.sheets.row import Row
from billing.values import Refused

MOST_BYTES = 25_000_000
MOST_ROWS = 300_000
LONGEST_NAME = 200  # characters of a file name

logger = logging.getLogger(__name__)


class SheetReading:
    """One sheet and the process that reads it, which ends with the `with` statement.

    `source` is the file or its bytes. Refused immediately if it is larger than MOST_BYTES.
    """

    def __init__(self, source: bytes | Path, file_name: str, *, most_rows: int = MOST_ROWS) -> None:
        self._file_name = file_name[-LONGEST_NAME:].encode(errors="replace").decode()
        size = source.stat().st_size if isinstance(source, Path) else len(source)
        if size > MOST_BYTES:
            raise Refused(
                "%(name)s has %(size)s MB. The limit is %(most)s MB; split it into several files.",
                name=self._file_name,
                size=size // 1_000_000,
                most=MOST_BYTES // 1_000_000,
            )
        question = msgspec.json.encode(Question(self._file_name, most_rows)).decode()
        command = (sys.executable, "-m", "billing.sheets", question)
        with _seekable(source) as file:
            self._process = subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE)  # noqa: S603 -- ourselves

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        with self._process:
            pass  # it waits, and closes the pipe

    def stop(self) -> None:
        """End the process; reading further rows is refused."""
        self._process.kill()

    def rows(self) -> Iterator[Row]:
        """Yield the non-empty rows. Refused if it is no sheet, or needs too much time or memory."""
        decoder = msgspec.json.Decoder(Answer)
        for line in self._process.stdout or ():
            if not line.endswith(b"\n"):
                break  # it was ended while it wrote
            answer = decoder.decode(line)
            if answer.refused:
                message, values = answer.refused
                raise Refused(message, **values)
            yield from answer.rows
            if answer.is_last:
                return
        logger.warning("reading %r ended with %s", self._file_name, self._process.wait())
        raise Refused(
            "%(name)s needs more time or memory than a spreadsheet may. Save its values as .csv, "
            "or split it into several files.",
            name=self._file_name,
        )


def _seekable(source: bytes | Path) -> BufferedReader | BufferedRandom:
    """The file, as a process can read it at any place."""
    if isinstance(source, Path):
        return source.open("rb")
    file = os.fdopen(os.memfd_create("sheet"), "w+b")
    file.write(source)
    file.seek(0)
    return file
