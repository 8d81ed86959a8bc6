"""The parsers of foreign bytes, each as a function of one body, and the corpus of each."""

import io
import re
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes
from zoneinfo import ZoneInfo

import msgspec
from sanic import Request, Sanic
from sanic.compat import Header
from sanic.exceptions import SanicException

from billing.decks import cells
from billing.decks.columns import COLUMNS, HEAD_ROWS, guess
from billing.decks.reading import Terms, read_deck
from billing.ingest.doorkeeper import credentials_of
from billing.ingest.endpoint import MOST_RECORDS
from billing.periods import read_month
from billing.queries.reach import EVERYTHING
from billing.reading import SourceProfile, Unacceptable, read_body, read_file
from billing.sheets import match_headers
from billing.sheets.parsing import parse_sheet
from billing.values import (
    Refused,
    is_email,
    parse_amount,
    parse_micros,
    parse_price,
    plain_price,
    possible_price,
)
from billing.web.api.api import Recharge
from billing.web.calls.filters import NAMES, read_call_filter
from billing.web.kit.filters import read_listing
from billing.web.kit.forms import Form
from billing.web.kit.i18n import LANGUAGES, choose_language
from billing.web.rates.rate_form import read_rate
from billing.web.statistics.view import read_view

CORPUS = Path(__file__).parent / "corpus"
RECEIVED = datetime(2026, 11, 23, 2, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Madrid")
MOST_ROWS = 2_000
PART = re.compile(rb"^@@ ([^\r\n]{1,80})\r?\n", re.MULTILINE)
PROFILES = (
    SourceProfile(),
    SourceProfile(zone="America/Lima", format="asterisk", fallback_encoding="utf-16"),
    SourceProfile(zone="Europe/Madrid", columns=("id", "start", "duration", "src", "dst", "")),
    SourceProfile(zone="Asia/Kathmandu", format="kamailio", fallback_encoding="no-such"),
)
ENCODINGS = ("", "", "gzip", "deflate", "br")


class Target(msgspec.Struct, frozen=True):
    """A parser: its name, which is that of its corpus, what it does, and how it may refuse."""

    name: str
    parse: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...]

    def corpus(self) -> list[bytes]:
        """Its bodies, in a fixed order."""
        return [path.read_bytes() for path in sorted((CORPUS / self.name).iterdir())]


def read_records(body: bytes) -> None:
    """Read a submission and the same bytes as a file; every record can be stored."""
    choice = zlib.crc32(body)
    profile = PROFILES[choice % len(PROFILES)]
    encoding = ENCODINGS[choice % len(ENCODINGS)]
    with suppress(Unacceptable):
        found = read_file(io.BytesIO(body), profile=profile, received_at=RECEIVED)
        for record in islice(found, MOST_RECORDS):  # a file may have any number
            msgspec.json.encode(record)
    for record in read_body(
        body,
        content_encoding=encoding,
        profile=profile,
        received_at=RECEIVED,
        most_records=MOST_RECORDS,
    ):
        msgspec.json.encode(record)
        assert record.cdr.key, "a record without a key"


def read_deck_of(file: bytes) -> None:
    """Read a sheet as a deck: its rows, its columns, its prices."""
    rows = list(islice(parse_sheet(io.BytesIO(file), "deck", MOST_ROWS), MOST_ROWS))
    msgspec.json.encode(rows)
    header, places = guess(rows[:HEAD_ROWS])
    places = places or {"name": 0, "prefix": 1, "price": 2, "increment": 3, "effective_from": 4}
    read_deck(rows, header, places, Terms(zone=ZONE))


def read_workbook(body: bytes) -> None:
    """Read a workbook whose parts stand in the body, each below its name."""
    names = PART.split(body)[1:]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        parts = dict(zip(names[::2], names[1::2], strict=True))
        for name, text in parts.items():
            archive.writestr(name.decode("latin-1").replace("\0", "_"), text)
    read_deck_of(file.getvalue())


def read_cells(body: bytes) -> None:
    """Read each line as everything that a cell or a field may be."""
    for line in body.decode(errors="replace").split("\n")[:10]:
        for read in CELLS:
            with suppress(Refused):
                read(line)


CELLS: tuple[Callable[[str], object], ...] = (
    cells.prefixes,
    lambda text: cells.prefixes(text, text),
    cells.increments,
    lambda text: cells.beginning(text, ZONE),
    plain_price,
    possible_price,
    parse_price,
    lambda text: parse_amount(text, "EUR"),
    parse_micros,
    read_month,
    is_email,
    lambda text: match_headers(text.split(";"), COLUMNS),
)


@cache
def _app() -> Sanic[Any, Any]:
    return Sanic("fuzz", configure_logging=False)


def _request(path: bytes, method: str = "GET") -> Request[Any, Any]:
    headers = Header({"content-type": "application/x-www-form-urlencoded"})
    return Request(path, headers, "1.1", method, None, _app())  # type: ignore[arg-type]


def read_query(body: bytes) -> None:
    """Read the query of a URL as the filters of calls and of statistics."""
    request = _request(b"/?" + quote_from_bytes(body, "=&%+.,:-_*").encode())
    with suppress(Refused):
        read_call_filter(request, ZONE)
    for key in ((datetime, str), (str, int)):
        with suppress(Refused):
            read_listing(request, NAMES, tuple[key])  # type: ignore[valid-type]
    given = {name: str(request.args.get(name)) for name in request.args}
    read_view(given, ZONE, EVERYTHING)


def read_form(body: bytes) -> None:
    """Read the fields of a form as everything that a field may be."""
    request = _request(b"/", "POST")
    request.body = body
    form = Form.of(request)
    for name in list(form.given)[:30]:
        form.money(name, "EUR")
        form.day(name)
        form.begin_of_day(name, ZONE)
        form.moment(name, ZONE)
        form.whole(name)
        form.text(name)
        form.many(name)
    read_rate(Form.of(request), ZONE)


def read_credentials(body: bytes) -> None:
    """Read a header of Basic credentials."""
    credentials_of(body.decode("latin-1"))


def read_language(body: bytes) -> None:
    """Read a header of accepted languages."""
    assert choose_language(None, body.decode("latin-1")) in LANGUAGES


def read_api(body: bytes) -> None:
    """Read the JSON of a recharge."""
    sent = msgspec.json.decode(body, type=Recharge)
    parse_micros(sent.amount)


RECORDS = (
    "native",
    "freeswitch_json",
    "freeswitch_xml",
    "asterisk",
    "ami",
    "kamailio",
    "kamailio_log",
    "parameter",
    "form",
    "csv",
    "packed",
)
TARGETS = {
    target.name: target
    for target in (
        *(Target(name, read_records, (Unacceptable,)) for name in RECORDS),
        Target("sheet_text", read_deck_of, (Refused,)),
        Target("sheet_workbook", read_workbook, (Refused,)),
        Target("sheet_zip", read_deck_of, (Refused,)),
        Target("cells", read_cells, ()),
        Target("query", read_query, (Refused, SanicException)),
        Target("web_form", read_form, (Refused, SanicException)),
        Target("credentials", read_credentials, ()),
        Target("language", read_language, ()),
        Target("api", read_api, (Refused, msgspec.MsgspecError, UnicodeDecodeError)),
    )
}
