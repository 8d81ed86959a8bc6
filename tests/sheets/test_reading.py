"""A sheet is read by a process of its own: rows, refusals, and files that it dies of."""

import re
import signal
from itertools import islice
from pathlib import Path

import psutil
import pytest

from billing.sheets import MOST_BYTES, Row, SheetReading
from billing.sheets.__main__ import CPU_SECONDS, MEMORY_BYTES
from billing.values import Refused
from tests.sheets.test_sheets import NAMES, raw_workbook, workbook

BILLING = Path(__file__).parents[2] / "billing"


def read(content: bytes | Path, name: str = "deck.xlsx", most_rows: int = 300_000) -> list[Row]:
    with SheetReading(content, name, most_rows=most_rows) as reading:
        return list(reading.rows())


def reader() -> psutil.Process:
    """The process that reads a sheet now."""
    children = psutil.Process().children()  # among them perhaps the server of other tests
    [found] = [each for each in children if "billing.sheets" in each.cmdline()]
    return found


def refusal(content: bytes, name: str = "deck.xlsx") -> str:
    with pytest.raises(Refused) as caught:
        read(content, name)
    return str(caught.value)


def test_rows_come_from_bytes_and_from_files_whatever_their_texts(tmp_path: Path) -> None:
    long = 'ñ\n"\u2028😀' * 3_000
    content = f'a;"{long.replace(chr(34), chr(34) * 2)}"\n\n;c\n'.encode()
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    assert read(content) == read(path) == [Row(1, ["a", long]), Row(3, ["", "c"])]
    assert read(workbook(["a", 12.5])) == [Row(1, ["a", "12.5"])]
    many = "".join(f"{number};x\n" for number in range(2_345))
    assert [row.cells[0] for row in read(many.encode())] == [str(n) for n in range(2_345)]


def test_refusals_name_the_file_and_what_is_wrong() -> None:
    assert refusal(b"") == "deck.xlsx is empty."
    assert refusal(b" " * (MOST_BYTES + 1)).startswith("deck.xlsx has 25 MB. The limit is 25 MB;")
    assert refusal(b"", "\udc80\0" + "x" * 300_000) == "x" * 200 + " is empty."
    assert refusal(b"", "\udc80.csv") == "?.csv is empty."
    with pytest.raises(Refused, match="more than 2 rows"):
        read(b"1\n2\n3\n", most_rows=2)


def test_the_process_ends_with_the_reading_and_has_its_limits() -> None:
    with SheetReading(b"a;b\n" * 200_000, "deck.csv") as reading:
        assert len(list(islice(reading.rows(), 25))) == 25
        process = reader()  # it waits: what it wrote is not read
        assert process.rlimit(psutil.RLIMIT_CPU) == (CPU_SECONDS, CPU_SECONDS)
        assert process.rlimit(psutil.RLIMIT_AS) == (MEMORY_BYTES, MEMORY_BYTES)
    assert not process.is_running()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGXCPU])
def test_a_reader_that_is_ended_is_a_refusal_that_says_what_to_do(number: signal.Signals) -> None:
    with SheetReading(b"a;b\n" * 200_000, "deck.csv") as reading:
        rows = reading.rows()
        next(rows)
        reader().send_signal(number)
        with pytest.raises(Refused, match=r"more time or memory .* Save its values as .csv, or"):
            list(rows)


@pytest.mark.parametrize(
    ("limit", "soft", "hard"),
    [(psutil.RLIMIT_AS, 1_000_000, MEMORY_BYTES), (psutil.RLIMIT_CPU, 0, CPU_SECONDS)],
    ids=["memory", "time"],
)
def test_a_file_that_exceeds_a_limit_is_refused(limit: int, soft: int, hard: int) -> None:
    with SheetReading(b"a;b\n" * 200_000 + b";" * 900_000, "deck.csv") as reading:
        rows = reading.rows()
        next(rows)
        reader().rlimit(limit, (soft, hard))
        with pytest.raises(Refused, match="more time or memory"):
            list(rows)


def broken_part() -> bytes:
    """A workbook whose sheet is damaged within its compressed bytes."""
    whole = raw_workbook("<s>" + "<row><c><v>1</v></c></row>" * 500 + "</s>")
    place = whole.index(NAMES[1].encode()) + len(NAMES[1]) + 20
    return whole[:place] + bytes(20) + whole[place + 20 :]


def lying_directory() -> bytes:
    """A zip bomb whose directory says that it is small."""
    whole = bytearray(raw_workbook("<s>" + " " * 30_000_000 + "</s>"))
    entry = whole.rindex(b"PK\x01\x02")
    whole[entry + 24 : entry + 28] = (100).to_bytes(4, "little")  # the unpacked size
    return bytes(whole)


def styled(value: str, code: str) -> bytes:
    """A workbook with one number in a number format."""
    styles = (
        f"<s><numFmts><numFmt numFmtId='200' formatCode='{code}'/></numFmts>"
        "<cellXfs><xf numFmtId='200'/></cellXfs></s>"
    )
    return raw_workbook(
        f"<s><row><c s='0'><v>{value}</v></c></row></s>", **{"xl/styles.xml": styles}
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a;b\n".encode("utf-16") + b"\x00\xd8", "damaged"),
        (broken_part(), "damaged"),
        (raw_workbook("<s/>")[:-40], "damaged"),
        (lying_directory(), "damaged"),
        (raw_workbook("<a/>" * 10_000_000), "far more than its size"),
        (raw_workbook("<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><s>&a;</s>"), "not a"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old or a protected"),
    ],
    ids=["UTF-16", "part", "directory", "lying", "bomb", "entity", "old"],
)
def test_damaged_and_malicious_files_are_refused_by_the_process(content: bytes, said: str) -> None:
    assert said in refusal(content)


@pytest.mark.parametrize(
    ("value", "code"),
    [("1e999990", "yyyy-mm-dd"), ("9" * 50_000, "0000"), ("46000", "[[[[" * 4_000)],
    ids=["date", "digits", "format"],
)
def test_absurd_numbers_and_formats_are_texts(value: str, code: str) -> None:
    assert read(styled(value, code)) == [Row(1, [value[:32_767]])]


def test_nothing_but_this_process_parses_uploads() -> None:
    parse = re.compile(r"sheets\.(parsing|workbooks|texts)\b")
    files = {path for path in BILLING.rglob("*.py") if parse.search(path.read_text())}
    assert files == {BILLING / "sheets" / name for name in ("__main__.py", "parsing.py")}
