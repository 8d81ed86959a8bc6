"""The current number plan: the entries of each layer."""

from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import Cursor

from billing.aggregates.number_plan import Key, NumberPlanChanged, NumberPlanReplaced, key_of
from billing.log.store import Recorded
from billing.periods import UNDATED
from billing.rating.number_plan import PlanEntry

NAME = "number_plan"
TABLES = ("plan_entries",)

EMPTY = "delete from plan_entries where layer = %s"
REMOVE = """
delete from plan_entries e
using unnest(%s::text[], %s::text[], %s::boolean[], %s::timestamptz[])
 k (prefix, country, short, effective_from)
where e.layer = %s and e.prefix = k.prefix and e.country = k.country and e.short = k.short
 and e.effective_from = k.effective_from"""
COPY = """
copy plan_entries (layer, prefix, country, short, effective_from, area, type, min_len, max_len,
 recorded_at, actor) from stdin"""


def apply(cursor: Cursor[Any], batch: Sequence[Recorded]) -> None:
    """Apply a batch of events to the layers."""
    for recorded in batch:
        match recorded.event:
            case NumberPlanReplaced(entries=entries):
                cursor.execute(EMPTY, (recorded.stream,))
                _write(cursor, recorded, {key_of(entry): entry for entry in entries})
            case NumberPlanChanged(entries=entries, removed=removed):
                changed = {key_of(entry): entry for entry in entries}
                _remove(cursor, recorded.stream, [*changed, *map(key_of, removed)])
                _write(cursor, recorded, changed)


def _remove(cursor: Cursor[Any], layer: str, keys: Iterable[Key]) -> None:
    rows = [(*key[:3], key[3] or UNDATED) for key in keys]
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        cursor.execute(REMOVE, [*columns, layer])


def _write(cursor: Cursor[Any], recorded: Recorded, entries: dict[Key, PlanEntry]) -> None:
    by = (recorded.envelope.recorded_at, recorded.envelope.actor)
    with cursor.copy(COPY) as copy:
        for (prefix, country, short, since), entry in entries.items():
            key = (recorded.stream, prefix, country, short, since or UNDATED)
            lengths = (entry.min_len, entry.max_len)
            copy.write_row((*key, entry.area, entry.type, *lengths, *by))
