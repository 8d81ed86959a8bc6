"""Prices: every version ever set, ended or removed, with time and actor; and the imports."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
from psycopg import Cursor

from billing.aggregates.rate_group import (
    DeckImported,
    DeckImportUndone,
    RatesChanged,
    RatesWithdrawn,
    changes_of,
)
from billing.log.store import Recorded
from billing.periods import UNDATED
from billing.rating.rates import Rate, RateKey, target_of

NAME = "prices"
TABLES = ("prices", "deck_imports")
PRICE = re.compile(r"[0-9]{1,10}([.][0-9]{1,8})?", re.ASCII)  # what numeric(18,8) holds exactly
CHUNK = 10_000  # prices written at a time: a deck has 200,000

REPLACE = """
update prices p set standing = false
from unnest(%s::text[], %s::text[], %s::timestamptz[]) k (group_id, target, effective_from)
where p.group_id = k.group_id and p.target = k.target and p.effective_from = k.effective_from
 and p.standing"""
COPY = """
copy prices (group_id, target, effective_from, position, kind, standing, name, price, unit_s, rate,
 recorded_at, actor, source) from stdin"""
IMPORT = """
insert into deck_imports values (%s, %s, %s, %s, %s, %s, %s, %s)
on conflict (import_id) do nothing"""
UNDO = "update deck_imports set undone_at = %s, undone_by = %s where import_id = %s"
Key = tuple[str, str, datetime]
Change = tuple[str, Rate | RateKey]  # kind ("set", also for ended prices, or "removed") and price


def apply(cursor: Cursor[Any], batch: Sequence[Recorded]) -> None:
    """Write the versions of a batch; of several for one time the last is in force."""
    waiting: list[tuple[Key, Change, Recorded]] = []
    for recorded in batch:
        _follow_import(cursor, recorded)
        once = dict(_changes(recorded))  # repeated in one event: the last one counts
        for key, change in once.items():
            waiting.append((key, change, recorded))
            if len(waiting) == CHUNK:
                _write(cursor, waiting)
                waiting.clear()
    if waiting:
        _write(cursor, waiting)


def _write(cursor: Cursor[Any], changes: Sequence[tuple[Key, Change, Recorded]]) -> None:
    last = {key: recorded.position for key, _, recorded in changes}
    columns = zip(*last, strict=True)
    cursor.execute(REPLACE, [list(column) for column in columns])
    with cursor.copy(COPY) as copy:
        for key, change, recorded in changes:
            standing = last[key] == recorded.position
            kind, *others = _cells(change)
            by = (recorded.envelope.recorded_at, recorded.envelope.actor)
            source = getattr(recorded.event, "file_name", "")
            copy.write_row((*key, recorded.position, kind, standing, *others, *by, source))


def _changes(recorded: Recorded) -> Iterator[tuple[Key, Change]]:
    event = recorded.event
    if not isinstance(event, RatesChanged | RatesWithdrawn | DeckImported | DeckImportUndone):
        return
    group_id = recorded.stream.partition(":")[2]
    set_or_ended, removed = changes_of(event)
    for kind, rates in (("set", set_or_ended), ("removed", removed)):
        for rate in rates:
            key = (group_id, target_of(rate), rate.effective_from or UNDATED)
            yield key, (kind, rate)


def _cells(change: Change) -> tuple[Any, ...]:
    """Return the kind, the name, the first price with its unit, and the whole rate as JSON."""
    kind, rate = change
    if isinstance(rate, RateKey):
        return ("ended" if kind == "set" else kind, "", None, None, "")
    tiers = rate.tiers or (rate.bands[0].tiers if rate.bands else ())
    price = (tiers[0].price, tiers[0].unit_s) if tiers else (None, None)
    if price[0] is not None and not PRICE.fullmatch(price[0]):  # was accepted once
        price = (None, None)
    return (kind, rate.name, *price, msgspec.json.encode(rate).decode())


def _follow_import(cursor: Cursor[Any], recorded: Recorded) -> None:
    group_id, envelope = recorded.stream.partition(":")[2], recorded.envelope
    match recorded.event:
        case DeckImported(import_id=import_id, file_name=name, rates=rates, ended=ended):
            counts = (len(rates), len(ended))
            by = (envelope.recorded_at, envelope.actor)
            cursor.execute(IMPORT, (import_id, group_id, recorded.position, name, *counts, *by))
        case DeckImportUndone(import_id=import_id):
            cursor.execute(UNDO, (envelope.recorded_at, envelope.actor, import_id))
