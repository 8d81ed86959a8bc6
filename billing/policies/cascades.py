"""Watches devices in a cascade: a call recorded by both is charged once."""

from datetime import datetime
from typing import Any

from psycopg import Connection

from billing.aggregates.event import Envelope
from billing.commands.cascades import LinkCalls, Pair, link_calls
from billing.log.sealing import CALLS
from billing.log.store import Store

MOST = 1_000  # pairs per append

# Same normalised number, overlapping times, equal durations, within the tolerances.
_MATCHES = """
 rule.upper = upper.device_id and rule.lower = lower.device_id
 and lower.number = upper.number
 and lower.started_at between upper.started_at - make_interval(secs => rule.start_seconds)
   and upper.started_at + make_interval(secs => rule.start_seconds)
 and abs(lower.talk_ms - upper.talk_ms) <= rule.duration_seconds * 1000
 and lower.started_at < upper.started_at + make_interval(secs => rule.start_seconds
   + upper.talk_ms / 1000)"""
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

    def watch(self, connection: Connection[Any], store: Store, now: datetime) -> int:
        """Link matching records, nearest in time first; return the last position, or 0."""
        ((last,),) = connection.execute(LAST).fetchall()
        if last <= self._seen:
            return 0
        found = connection.execute(PAIRS, {"seen": self._seen}).fetchall()
        if not found:
            self._seen = last
            return 0
        pairs = tuple(
            Pair(CALLS + lower, CALLS + upper)
            if charged == "lower"
            else Pair(CALLS + upper, CALLS + lower)
            for charged, lower, upper, _ in found
        )
        envelope = Envelope(recorded_at=now, actor="system")
        position = link_calls(store, LinkCalls(pairs=pairs), envelope)
        if not position:  # none can be linked: skip them from now on
            self._seen = last
        return position
