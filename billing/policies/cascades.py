"""Watches devices in a cascade: a call recorded by both is charged once."""

from datetime import datetime
from operator import attrgetter
from typing import Any

from psycopg import Connection

from billing.aggregates.event import Envelope
from billing.commands.cascades import LinkCalls, Pair, link_calls
from billing.log.sealing import CALLS
from billing.log.store import Store
from billing.policies.isolation import Isolation

NAME = "cascades"
MOST = 1_000  # pairs per append

# Whatever events say, the moments computed here are moments that PostgreSQL knows.
_MOST_SECONDS, _LONGEST_SECONDS = 86_400, 366 * 86_400
_START = f"greatest(-1, least(rule.start_seconds, {_MOST_SECONDS}))"
# Same normalised number, overlapping times, equal durations, within the tolerances.
_MATCHES = f"""
 rule.upper = upper.device_id and rule.lower = lower.device_id
 and lower.number = upper.number
 and lower.started_at between upper.started_at - make_interval(secs => {_START})
   and upper.started_at + make_interval(secs => {_START})
 and abs(lower.talk_ms - upper.talk_ms) <= least(rule.duration_seconds, {_MOST_SECONDS}) * 1000
 and lower.started_at < upper.started_at + make_interval(secs => {_START}
   + least(upper.talk_ms / 1000, {_LONGEST_SECONDS}))
 and case rule.charged when 'lower' then lower.call_id else upper.call_id end
   <> all(%(resting)s)"""
_COLUMNS = """
 rule.charged, lower.call_id, upper.call_id,
 abs(extract(epoch from lower.started_at - upper.started_at)) as apart"""
LAST = "select coalesce(max(position), 0) from cascade_records"
PAIRS = f"""
select {_COLUMNS} from cascade_records as lower, cascade_rules as rule, cascade_records as upper
where lower.position > %(seen)s and {_MATCHES}
union
select {_COLUMNS} from cascade_records as upper, cascade_rules as rule, cascade_records as lower
where upper.position > %(seen)s and {_MATCHES}
order by apart, 2, 3 limit {MOST}"""


class Cascades:
    """Pairs records received since the last run; the first run checks all unpaired records."""

    def __init__(self) -> None:
        self._seen = 0

    def watch(
        self,
        connection: Connection[Any],
        store: Store,
        now: datetime,
        isolation: Isolation | None = None,
    ) -> int:
        """Link matching records, nearest in time first; return the last position, or 0."""
        isolation = isolation or Isolation(connection, store, NAME)
        ((last,),) = connection.execute(LAST).fetchall()
        if last <= self._seen:
            return 0
        resting = [stream[len(CALLS) :] for stream in isolation.resting]
        found = connection.execute(PAIRS, {"seen": self._seen, "resting": resting}).fetchall()
        if not found and not resting:
            self._seen = last
        if not found:
            return 0
        pairs = tuple(
            Pair(CALLS + lower, CALLS + upper)
            if charged == "lower"
            else Pair(CALLS + upper, CALLS + lower)
            for charged, lower, upper, _ in found
        )
        envelope = Envelope(recorded_at=now, actor="system")
        position = isolation.act(
            pairs,
            attrgetter("charged"),
            lambda some: link_calls(store, LinkCalls(pairs=some), envelope),
        )
        if not position and not isolation.resting:  # none can be linked: skip them from now on
            self._seen = last
        return position
