"""The events that somebody could not act on: read models, policies, the catalogue.

Each is noted under the name of who lacks it, so that everything else continues and the pages can
say what figures lack (queries/set_aside.py).
"""

from typing import Any, TypeAlias

import psycopg
from psycopg import Connection, Cursor

from billing.log.records import Recorded

# The database or this process is at fault, not an event: the whole is tried again.
TRANSIENT = (psycopg.OperationalError, psycopg.InterfaceError, MemoryError)
OF_AN_EVENT = psycopg.errors.ProgramLimitExceeded  # among the former: a value that no index holds

Executor: TypeAlias = Connection[Any] | Cursor[Any]
Place: TypeAlias = tuple[int, str, str]  # position, stream, topic

LONGEST_ERROR = 2_000
ADD = """
insert into set_aside (name, position, stream, topic, error, at)
values (%s, %s, %s, %s, %s, now()) on conflict do nothing"""
FORGET = "delete from set_aside where name = %s"
FORGET_STREAM = "delete from set_aside where name = %s and stream = %s"


def is_transient(error: Exception) -> bool:
    """Whether the same may succeed a moment later: no event is to blame."""
    return isinstance(error, TRANSIENT) and not isinstance(error, OF_AN_EVENT)


def describe(error: Exception) -> str:
    """An error as it is noted: its kind and its message, without what a text column refuses."""
    said = f"{type(error).__name__}: {error}".replace("\x00", "")
    return said.encode(errors="replace").decode()[:LONGEST_ERROR]


def place_of(event: Recorded) -> Place:
    """Where an event is in the log."""
    return event.position, event.stream, event.topic


def note(connection: Executor, name: str, place: Place, error: Exception) -> None:
    """Note that `name` lacks the event at a place; noting it again changes nothing."""
    connection.execute(ADD, (name, *place, describe(error)))


def forget(connection: Executor, name: str, stream: str = "") -> None:
    """Forget what `name` lacks, of all streams or of one: it is read again."""
    if stream:
        connection.execute(FORGET_STREAM, (name, stream))
    else:
        connection.execute(FORGET, (name,))
