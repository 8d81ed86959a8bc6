"""The evidence of an account: its events as they lie in the log, with the seals that cover them."""

import asyncio
from collections.abc import Iterator
from typing import Any

import msgspec
from psycopg import Connection
from sanic import Blueprint, Request

from billing.keeping.shortened_ranges import shortened_stretches
from billing.log.positions import head
from billing.log.store import Recorded, Store
from billing.queries.history import moved_on
from billing.queries.seals import Seal, seals_over
from billing.web.accounts.account import view_of
from billing.web.files.delivery import deliver
from billing.web.files.lists import Answer
from billing.web.files.tables import about, attachment
from billing.web.files.xlsx import Book, Column
from billing.web.kit import words
from billing.web.kit.access import EVERY_ROLE, admits
from billing.web.kit.i18n import gettext, language, set_language
from billing.web.kit.telling import tell
from billing.web.services.export_jobs import Job, in_thread
from billing.web.site import Site, site_of

WINDOW = 50_000  # positions read at a time
blueprint = Blueprint("evidence")
_encode = msgspec.json.Encoder().encode


def events_of(connection: Connection[Any], store: Store, account: str) -> Iterator[list[Recorded]]:
    """All events of an account and of its calls, a stretch of the log at a time. Blocks."""
    last = head(connection)
    past = store.past() if store.past else None
    for begin in range(0, last, WINDOW):
        yield list(store.concerning(account, begin, min(begin + WINDOW, last), past))


def evidence_lines(connection: Connection[Any], store: Store, account: str) -> Iterator[bytes]:
    """NDJSON: each event with its place in the log, then the seals over that stretch. Blocks.

    Where numbers were shortened, what says so stands among them: the seals are of before.
    """
    shortened = shortened_stretches(connection)
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
        positions = [each.position for each in events]
        lines += [
            _encode({"shortened": each})
            for each in shortened
            if any(each.first_position <= at <= each.last_position for at in positions)
        ]
        lines += [
            _encode({"seal": seal})
            for seals in seals_over(connection, positions[0], positions[-1])
            for seal in seals
            if any(seal.first_position <= at <= seal.last_position for at in positions)
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
async def send_excel(request: Request[Any, Any], account: str) -> Answer:
    """The events in words with the balance after each, and the seals."""
    view = await view_of(request, account)
    site, said = site_of(request), language()

    def write(job: Job) -> None:
        set_language(said)
        _write(job, site, account, view.currency)

    return await deliver(request, f"{account}.xlsx", in_thread(write))


def _write(job: Job, site: Site, account: str, currency: str) -> None:
    """A sheet of the events, a sheet of the seals over them; a stretch of the log at a time."""
    book = Book(job.path, site.zone)
    book.sheet(gettext("Events"), _event_columns())
    balance, span = 0, [0, 0]
    with site.connect() as connection:
        for events in events_of(connection, site.store, account):
            rows = []
            for each in events:
                moved = moved_on(account, each)
                balance += moved
                rows.append(_event_row(each, moved, balance, currency))
            book.rows(rows)
            job.rows += len(rows)
            if events:
                span = [span[0] or events[0].position, events[-1].position]
        book.sheet(gettext("Seals"), _seal_columns())
        for seals in seals_over(connection, *span):
            book.rows([_seal_row(seal) for seal in seals])
    about(book, [(gettext("Account"), account), (gettext("Time zone"), site.zone.key)])
    book.close()


def _event_row(each: Recorded, moved: int, balance: int, currency: str) -> list[Any]:
    envelope = each.envelope
    return [
        each.position,
        envelope.recorded_at,
        each.topic,
        tell(each.event, currency),
        moved or None,
        balance,
        words.actor(envelope.actor),
        envelope.address,
        each.stream,
    ]


def _event_columns() -> list[Column]:
    return [
        Column(gettext("Position"), "count", 12),
        Column(gettext("Recorded"), "time", 24),
        Column(gettext("Event"), width=22),
        Column(gettext("What happened"), width=60),
        Column(gettext("Amount"), "exact"),
        Column(gettext("Balance"), "exact"),
        Column(gettext("By"), width=20),
        Column(gettext("Address"), width=16),
        Column(gettext("Stream"), width=40, own=True),
    ]


def _seal_row(seal: Seal) -> list[Any]:
    digests = _encode(seal.digests).decode()
    return [
        seal.first_position,
        seal.last_position,
        seal.events,
        seal.previous,
        digests,
        seal.seal,
    ]


def _seal_columns() -> list[Column]:
    return [
        Column(gettext("First position"), "count"),
        Column(gettext("Last position"), "count"),
        Column(gettext("Events"), "count"),
        Column(gettext("Seal before"), width=66, own=True),
        Column(gettext("Digests"), width=90, own=True),
        Column(gettext("Seal"), width=66, own=True),
    ]
