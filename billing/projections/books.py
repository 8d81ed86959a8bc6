"""The books: movements of each wallet per month, and closed statements.

A charge belongs to the month in which its call started, a movement to the month in which it was
made, the rounding of a statement to the statement's month. If the month of a charge or movement is
closed already, it belongs to the open month and is marked as late. The end of a month is an event
(`MonthClosed`), so every replay assigns each charge to the same month.
"""

from collections.abc import Sequence
from typing import Any

from psycopg import Cursor

from billing.aggregates.statement import MonthClosed, StatementClosed, StatementsCompleted
from billing.log.store import Recorded
from billing.periods import local_month, month_after, month_before
from billing.projections.postings import postings_in

NAME = "books"
TABLES = ("books", "account_months", "statements")

STATE = "select open_month, zone from books"
BEGIN = "insert into books (open_month, zone, completed) values (%s, %s, %s)"
SET_OPEN_MONTH = "update books set open_month = %s"
# A rebuild must use the time zone of the first closing, not the current setting.
FIRST_ZONE = """
select convert_from(state, 'UTF8')::jsonb -> 'event' ->> 'zone' from billing_events
where originator_id = 'books' and originator_version = 1"""
ADD = """
insert into account_months as old (account, month, kind, class, late, calls, billed_seconds,
  amount_micros)
select * from unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::bool[], %s::int8[],
  %s::int8[], %s::int8[])
on conflict (account, month, kind, class, late) do update set
  calls = old.calls + excluded.calls,
  billed_seconds = old.billed_seconds + excluded.billed_seconds,
  amount_micros = old.amount_micros + excluded.amount_micros"""
ADD_STATEMENTS = "insert into statements values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
SET_COMPLETED = "update books set completed = %s"

Key = tuple[str, str, str, str, bool]  # account, month, kind, class, late


def apply(cursor: Cursor[Any], batch: Sequence[Recorded], zone: str) -> None:
    """Add a batch to its months."""
    found = cursor.execute(STATE).fetchone() or _begin(cursor, batch[0], zone)
    open_month, zone = found
    closings = [recorded for recorded in batch if isinstance(recorded.event, MonthClosed)]
    sums, open_month = _add_up(batch, closings, open_month, zone)
    if open_month != found[0]:
        cursor.execute(SET_OPEN_MONTH, (open_month,))
    if sums:
        rows = [(*key, *total) for key, total in sums.items()]
        cursor.execute(ADD, [list(column) for column in zip(*rows, strict=True)])
    statements = [_statement(each) for each in batch if isinstance(each.event, StatementClosed)]
    if statements:
        cursor.executemany(ADD_STATEMENTS, statements)
    for recorded in batch:
        if isinstance(recorded.event, StatementsCompleted):
            cursor.execute(SET_COMPLETED, (recorded.event.month,))


def _add_up(
    batch: Sequence[Recorded], closings: Sequence[Recorded], open_month: str, zone: str
) -> tuple[dict[Key, list[int]], str]:
    """Return the sums of a batch by month, and the month that is open after it."""
    sums: dict[Key, list[int]] = {}
    envelope, made = None, ""
    lines = iter(closings)
    line = next(lines, None)
    for recorded, posting in postings_in(batch):
        while line and line.position < recorded.position:
            open_month, line = _after(line), next(lines, None)
        if recorded.envelope is not envelope:  # shared by the records of a submission
            envelope = recorded.envelope
            made = local_month(envelope.recorded_at, zone)
        month = made
        if posting.filed_at and (started := local_month(posting.filed_at, zone)) < made:
            month = started
        late = month < open_month and not posting.month
        place = posting.month or (open_month if late else month)
        key = (posting.account, place, posting.kind, posting.call_class, late)
        total = sums.get(key)
        if total is None:
            total = sums[key] = [0, 0, 0]
        total[0] += posting.calls
        total[1] += posting.billed_seconds
        total[2] += posting.amount_micros
    while line:
        open_month, line = _after(line), next(lines, None)
    return sums, open_month


def _after(closing: Recorded) -> str:
    event: Any = closing.event
    return month_after(event.month)


def _begin(cursor: Cursor[Any], first: Recorded, zone: str) -> tuple[str, str]:
    """Open the books at the first event; calls from before that month are late ones of it."""
    closed_in = cursor.execute(FIRST_ZONE).fetchone()
    zone = closed_in[0] if closed_in else zone
    open_month = local_month(first.envelope.recorded_at, zone)
    cursor.execute(BEGIN, (open_month, zone, month_before(open_month)))
    return open_month, zone


def _statement(recorded: Recorded) -> tuple[Any, ...]:
    event: Any = recorded.event
    totals = event.totals
    return (
        recorded.stream,
        event.month,
        recorded.position,
        event.currency,
        event.opening_micros,
        totals.credited_micros,
        totals.charged_micros,
        event.closing_micros,
        sum(charge.calls for charge in totals.charges),
        recorded.envelope.recorded_at,
        event.rounding_micros,
    )
