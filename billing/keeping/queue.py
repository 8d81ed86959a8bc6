"""The queue of tasks for the keeping job: a table, so that it survives every process."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import psycopg
from psycopg.rows import class_row

from billing.aggregates.event import Envelope
from billing.values import Refused

ASK = """
insert into tasks (kind, argument, envelope, requested_at)
select %(kind)s, %(argument)s, %(envelope)s::jsonb, %(now)s
where not exists (
  select from tasks where ended_at is null and kind = %(kind)s and argument = %(argument)s)"""
NEXT = """
update tasks set began_at = %s, done = 0
where task_id = (select min(task_id) from tasks where ended_at is null and kind <> all(%s))
returning task_id, kind, argument, envelope::text as said"""
TELL = "update tasks set done = %s where task_id = %s"
END = """
update tasks set ended_at = %s, done = 100, outcome = %s, refusal = %s::jsonb where task_id = %s"""
PUT_BACK = "update tasks set began_at = null where task_id = %s"
# Needs two clocks: the last beat must be one that agreed (keeping/clock.py).
FORGET = """
delete from tasks
where ended_at < least(%s, (select at + interval '1 hour' from beats)) - interval '90 days'"""
LAST_REFUSED = """
select max(ended_at) from tasks where kind = %s and argument = %s and refusal is not null"""


class Task(msgspec.Struct, frozen=True):
    """A task for the keeping job."""

    task_id: int
    kind: str
    argument: str  # the month, the period or the file
    said: str

    @property
    def envelope(self) -> Envelope:
        """The envelope of the person or program that requested it."""
        return msgspec.json.decode(self.said, type=Envelope)


def ask(connection: psycopg.Connection, kind: str, argument: str, envelope: Envelope) -> None:
    """Queue a task; a task that is queued or running already is not added again."""
    connection.execute(ASK, _asked(kind, argument, envelope))


async def ask_async(
    connection: psycopg.AsyncConnection[Any], kind: str, argument: str, envelope: Envelope
) -> None:
    """Queue a task like `ask`, for pages."""
    await connection.execute(ASK, _asked(kind, argument, envelope))


def _asked(kind: str, argument: str, envelope: Envelope) -> dict[str, Any]:
    return {
        "kind": kind,
        "argument": argument,
        "envelope": msgspec.json.encode(envelope).decode(),
        "now": envelope.recorded_at,
    }


def take(
    connection: psycopg.Connection, now: datetime, excluded: Sequence[str] = ()
) -> Task | None:
    """Take the next task, also one that a killed job had begun; None if there is none.

    Kinds in `excluded` are skipped.
    """
    with connection.cursor(row_factory=class_row(Task)) as cursor:
        return cursor.execute(NEXT, (now, list(excluded))).fetchone()


def put_back(connection: psycopg.Connection, task: Task) -> None:
    """Return a task to the queue because it could not begin yet."""
    connection.execute(PUT_BACK, (task.task_id,))


def teller(connection: psycopg.Connection, task: Task) -> Callable[[float], None]:
    """Return a function that records the progress of a task for the pages."""
    told = 0

    def tell(share: float) -> None:
        nonlocal told
        percent = min(99, int(share * 100))
        if percent > told:
            told = percent
            connection.execute(TELL, (percent, task.task_id))

    return tell


def end(
    connection: psycopg.Connection,
    task: Task,
    now: datetime,
    *,
    outcome: str = "",
    refused: Refused | None = None,
) -> None:
    """Record the result of a task."""
    refusal = None
    if refused:
        values = {name: str(value) for name, value in refused.values.items()}
        refusal = msgspec.json.encode({"message": refused.message, "values": values}).decode()
    connection.execute(END, (now, outcome, refusal, task.task_id))
    connection.execute(FORGET, (now,))
