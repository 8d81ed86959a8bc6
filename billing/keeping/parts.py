"""The files of archived months as the log names them, and whether they are there."""

from pathlib import Path

import msgspec
import psycopg

from billing.aggregates.keeping import MonthArchived
from billing.keeping.container import check
from billing.values import Refused

ARCHIVED = """
select state from billing_events_default where topic = 'MonthArchived.1' order by notification_id"""


class _State(msgspec.Struct, frozen=True):
    event: MonthArchived


_state = msgspec.json.Decoder(_State)


def archived_parts(connection: psycopg.Connection) -> list[MonthArchived]:
    """Every part in the order it was archived, as this connection's snapshot has it."""
    return [_state.decode(row[0]).event for row in connection.execute(ARCHIVED, binary=True)]


def split_missing(
    parts: list[MonthArchived], folder: Path
) -> tuple[list[MonthArchived], tuple[str, ...]]:
    """The parts whose file is there and whole; and what is wrong with the others."""
    whole, missing = [], []
    for part in parts:
        try:
            check(folder / part.file, ("archive",), part.sha256)
        except Refused as refused:
            missing.append(f"{part.month}: {refused}")
        else:
            whole.append(part)
    return whole, tuple(missing)
