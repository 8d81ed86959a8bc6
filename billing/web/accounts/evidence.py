"""The evidence of an account: its events as stored in the log, with the seals that cover them."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import msgspec
from psycopg import Connection
from sanic import Blueprint, Request

from billing.aggregates.event import Envelope
from billing.keeping.shortened_ranges import read_shortenings
from billing.log.positions import head
from billing.log.store import Recorded, Store
from billing.queries.history import moved_on
from billing.queries.names import read_stream_names
from billing.queries.seals import Seal, seals_over
from billing.web.accounts.account import view_of
from billing.web.files.delivery import Answer, deliver
from billing.web.files.lists import Field, cells_of, columns_of
from billing.web.files.tables import about
from billing.web.files.xlsx import Book
from billing.web.kit import words
from billing.web.kit.access import EVERY_ROLE, admits
from billing.web.kit.i18n import gettext, language, set_language
from billing.web.kit.telling import mentioned, tell
from billing.web.services.export_jobs import Job, in_thread
from billing.web.site import Site, site_of

WINDOW = 50_000  # positions in one read
AT_ONCE = 1_000  # events in memory at a time
blueprint = Blueprint("evidence")
_encode = msgspec.json.Encoder().encode


def events_of(connection: Connection[Any], store: Store, account: str) -> Iterator[list[Recorded]]:
    """Yield all events of an account and of its calls, at most AT_ONCE at a time. Blocks."""
    last = head(connection)
    past = store.past() if store.past else None
    for begin in range(0, last, WINDOW):
        events = store.concerning(account, begin, min(begin + WINDOW, last), past)
        while some := list(islice(events, AT_ONCE)):
            yield some


def evidence_lines(connection: Connection[Any], store: Store, account: str) -> Iterator[bytes]:
    """Yield NDJSON: a batch of events with their positions, then the seals of them. Blocks.

    Seals cover the original numbers; the events about shortened numbers are among the lines. Each
    seal is there once, after the first batch with one of its events.
    """
    waiting, last_seal = read_shortenings(connection), 0
    for events in events_of(connection, store, account):
        positions = [each.position for each in events]
        lines = [_line(account, each) for each in events]
        shortened = [
            each for each in waiting if _covers(each.first_position, each.last_position, positions)
        ]
        waiting = [each for each in waiting if each not in shortened]
        lines += [_encode({"shortened": each}) for each in shortened]
        for seals in seals_over(connection, positions[0], positions[-1]):
            for seal in seals:
                first, last = seal.first_position, seal.last_position
                if last > last_seal and _covers(first, last, positions):
                    lines.append(_encode({"seal": seal}))
                    last_seal = last
        yield b"\n".join(lines) + b"\n"


def _line(account: str, recorded: Recorded) -> bytes:
    return _encode(
        {
            "position": recorded.position,
            "stream": recorded.stream,
            "version": recorded.version,
            "topic": recorded.topic,
            "event": recorded.event,
            "envelope": recorded.envelope,
            "moved_micros": moved_on(account, recorded),
        }
    )


def _covers(first: int, last: int, positions: Sequence[int]) -> bool:
    """Return whether a range of the log has one of some sorted positions."""
    place = bisect_left(positions, first)
    return place < len(positions) and positions[place] <= last


@blueprint.get("/accounts/<account:str>/evidence.ndjson", unquote=True)
@admits(*EVERY_ROLE, limited=True)
async def send_ndjson(request: Request[Any, Any], account: str) -> Answer:
    """Send the evidence as NDJSON."""
    site = site_of(request)
    await view_of(request, account)

    def write(job: Job) -> None:
        with site.connect_background() as connection:
            for lines in evidence_lines(connection, site.store, account):
                job.file.write(lines)
                job.rows += lines.count(b"\n")

    return await deliver(request, f"{account}.ndjson", in_thread(write))


@blueprint.get("/accounts/<account:str>/evidence.xlsx", unquote=True)
@admits(*EVERY_ROLE, limited=True)
async def send_excel(request: Request[Any, Any], account: str) -> Answer:
    """Send the events in words with the balance after each, and the seals."""
    view = await view_of(request, account)
    site, said = site_of(request), language()

    def write(job: Job) -> None:
        set_language(said)
        _write(job, site, account, view.currency)

    return await deliver(request, f"{account}.xlsx", in_thread(write))


def _write(job: Job, site: Site, account: str, currency: str) -> None:
    """Write a sheet with the events and one with their seals, one batch of events at a time."""
    book = Book(job.file, site.zone)
    names = dict[str, str]()
    fields, seal_fields = _event_fields(currency, names), _seal_fields()
    book.sheet(gettext("Events"), columns_of(fields))
    balance, span = 0, [0, 0]
    with site.connect_background() as connection:
        for events in events_of(connection, site.store, account):
            rows = []
            names.update(read_stream_names(connection, mentioned(events) - names.keys()))
            for each in events:
                moved = moved_on(account, each)
                balance += moved
                rows.append(cells_of(fields, _HistoryRow(each, moved, balance)))
            book.rows(rows)
            job.rows += len(rows)
            span = [span[0] or events[0].position, events[-1].position]
        book.sheet(gettext("Seals"), columns_of(seal_fields))
        for seals in seals_over(connection, *span):
            book.rows([cells_of(seal_fields, seal) for seal in seals])
    about(book, [(gettext("Account"), account), (gettext("Time zone"), site.zone.key)])
    book.close()


class _HistoryRow(NamedTuple):
    """An event of an account, and its effect on the balance."""

    recorded: Recorded
    moved: int  # micro-units
    balance: int


def _event_fields(currency: str, names: dict[str, str]) -> list[Field[_HistoryRow]]:
    def envelope(row: _HistoryRow) -> Envelope:
        return row.recorded.envelope

    def what(row: _HistoryRow) -> str:
        return tell(row.recorded.event, currency, names)

    return [
        Field(gettext("Position"), lambda row: row.recorded.position, "count", 12),
        Field(gettext("Recorded"), lambda row: envelope(row).recorded_at, "time", 24),
        Field(gettext("Event"), lambda row: row.recorded.topic, width=22),
        Field(gettext("What happened"), what, width=60),
        Field(gettext("Amount"), lambda row: row.moved or None, "exact"),
        Field(gettext("Balance"), lambda row: row.balance, "exact"),
        Field(gettext("By"), lambda row: words.actor(envelope(row).actor, names), width=20),
        Field(gettext("IP address"), lambda row: words.address(envelope(row).address), width=16),
        Field(gettext("Stream"), lambda row: row.recorded.stream, width=40, own=True),
    ]


def _seal_fields() -> list[Field[Seal]]:
    return [
        Field(gettext("First position"), lambda seal: seal.first_position, "count"),
        Field(gettext("Last position"), lambda seal: seal.last_position, "count"),
        Field(gettext("Events"), lambda seal: seal.events, "count"),
        Field(gettext("Previous seal"), lambda seal: seal.previous, width=66, own=True),
        Field(gettext("Digests"), lambda seal: _encode(seal.digests).decode(), width=90, own=True),
        Field(gettext("Seal"), lambda seal: seal.seal, width=66, own=True),
    ]
