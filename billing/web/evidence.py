"""The evidence of an account: its events as they lie in the log, with the seals that cover them."""

import asyncio
from collections.abc import Iterator
from typing import Any

import msgspec
from psycopg import Connection
from sanic import Blueprint, Request
from sanic.response import HTTPResponse, raw

from billing.projections.reading.history import moved_on
from billing.store import Recorded, Store
from billing.web import words
from billing.web.access import EVERY_ROLE, admits
from billing.web.account_page import view_of
from billing.web.export_table import EXCEL, Sheet, attachment, workbook
from billing.web.export_xlsx import Column
from billing.web.i18n import gettext, language, set_language
from billing.web.site import Site, site_of
from billing.web.telling import tell

WINDOW = 50_000  # positions read at a time
MOST_IN_WORKBOOK = 200_000  # events; beyond, the NDJSON has them all
LAST = "select coalesce(max(last_position), 0) from seals"
SEALS = """
select first_position, last_position, events, encode(previous, 'hex'), digests,
  encode(seal, 'hex')
from seals where last_position >= %s and first_position <= %s order by last_position"""
blueprint = Blueprint("evidence")
_encode = msgspec.json.Encoder().encode


def events_of(connection: Connection[Any], store: Store, account: str) -> Iterator[list[Recorded]]:
    """All events of an account and of its calls, a stretch of the log at a time. Blocks."""
    row = connection.execute(LAST).fetchone()
    last = row[0] if row else 0
    past = store.past() if store.past else None
    for begin in range(0, last, WINDOW):
        yield list(store.concerning(account, begin, min(begin + WINDOW, last), past))


def evidence_lines(connection: Connection[Any], store: Store, account: str) -> Iterator[bytes]:
    """NDJSON: each event with its place in the log, then the seals over that stretch. Blocks."""
    for events in events_of(connection, store, account):
        if not events:
            continue
        lines = [
            _encode(
                {
                    "position": each.position,
                    "stream": each.stream,
                    "version": each.version,
                    "topic": each.topic,
                    "event": each.event,
                    "envelope": each.envelope,
                    "moved_micros": moved_on(account, each),
                }
            )
            for each in events
        ]
        names = ("first_position", "last_position", "events", "previous", "digests", "seal")
        span = (events[0].position, events[-1].position)
        positions = [each.position for each in events]
        lines += [
            _encode({"seal": dict(zip(names, row, strict=True))})
            for row in connection.execute(SEALS, span).fetchall()
            if any(row[0] <= position <= row[1] for position in positions)
        ]
        yield b"\n".join(lines) + b"\n"


@blueprint.get("/accounts/<account:str>/evidence.ndjson", unquote=True)
@admits(*EVERY_ROLE, limited=True)
async def send_ndjson(request: Request[Any, Any], account: str) -> None:
    """Everything, streamed."""
    site = site_of(request)
    await view_of(request, account)
    response = await request.respond(
        content_type="application/x-ndjson", headers=attachment(f"{account}.ndjson")
    )
    with site.connect() as connection:
        lines = evidence_lines(connection, site.store, account)
        while (chunk := await asyncio.to_thread(next, lines, None)) is not None:
            await response.send(chunk)
    await response.eof()


@blueprint.get("/accounts/<account:str>/evidence.xlsx", unquote=True)
@admits(*EVERY_ROLE, limited=True)
async def send_excel(request: Request[Any, Any], account: str) -> HTTPResponse:
    """The events in words with the balance after each, and the seals."""
    view = await view_of(request, account)
    site, said = site_of(request), language()
    data = await asyncio.to_thread(_workbook, site, account, view.currency, said)
    return raw(data, 200, attachment(f"{account}.xlsx"), EXCEL)


def _workbook(site: Site, account: str, currency: str, said: str) -> bytes:
    set_language(said)
    rows: list[tuple[Any, ...]] = []
    balance = 0
    with site.connect() as connection:
        for events in events_of(connection, site.store, account):
            for each in events:
                moved = moved_on(account, each)
                balance += moved
                what = tell(each.event, currency)
                place = (each.position, each.envelope.recorded_at, each.topic, what)
                who = (words.actor(each.envelope.actor), each.envelope.address)
                rows.append((*place, moved or None, balance, *who, each.stream))
            if len(rows) > MOST_IN_WORKBOOK:
                break
        span = (rows[0][0], rows[-1][0]) if rows else (0, 0)
        seals = connection.execute(SEALS, span).fetchall()
    columns = [
        Column(gettext("Position"), "count", 12),
        Column(gettext("Recorded"), "time", 24),
        Column(gettext("Event"), width=22),
        Column(gettext("What happened"), width=60),
        Column(gettext("Amount"), "exact"),
        Column(gettext("Balance"), "exact"),
        Column(gettext("By"), width=20),
        Column(gettext("Address"), width=16),
        Column(gettext("Stream"), width=40),
    ]
    seal_columns = [
        Column(gettext("First position"), "count"),
        Column(gettext("Last position"), "count"),
        Column(gettext("Events"), "count"),
        Column(gettext("Seal before"), width=66),
        Column(gettext("Digests"), width=90),
        Column(gettext("Seal"), width=66),
    ]
    told = [(*row[:4], _encode(row[4]).decode(), row[5]) for row in seals]
    sheets = [
        Sheet(gettext("Events"), columns, rows[:MOST_IN_WORKBOOK]),
        Sheet(gettext("Seals"), seal_columns, told),
    ]
    return workbook(sheets, [(gettext("Account"), account)], site.zone)
