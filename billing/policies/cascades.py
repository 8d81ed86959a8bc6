"""Watches devices in a cascade: a call recorded by both is charged once.

Each run links the candidates that are closer than the partners their records have now. What was
parted from its partner by this is compared again, so after some runs no two records are left that
resemble each other more than their partners, whatever the order of arrival.
"""

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
# Same normalised number, overlapping times, equal durations, within the tolerances. A record whose
# caller is an extension of the upper device is that device's own call.
_MATCHES = f"""
 rule.upper = upper.device_id and rule.lower = lower.device_id
 and lower.number = upper.number and not upper.own
 and lower.started_at between upper.started_at - make_interval(secs => {_START})
   and upper.started_at + make_interval(secs => {_START})
 and abs(lower.talk_ms - upper.talk_ms) <= least(rule.duration_seconds, {_MOST_SECONDS}) * 1000
 and lower.started_at < upper.started_at + make_interval(secs => {_START}
   + least(upper.talk_ms / 1000, {_LONGEST_SECONDS}))
 and case rule.charged when 'lower' then lower.call_id else upper.call_id end
   <> all(%(resting)s)
 and not exists (select from cascade_pairs as pair where pair.reason <> '' and (
   pair.charged_id = lower.call_id and pair.other_id = upper.call_id
   or pair.charged_id = upper.call_id and pair.other_id = lower.call_id))"""
_COLUMNS = """
 rule.charged, lower.call_id as lower_id, upper.call_id as upper_id,
 (abs(extract(epoch from lower.started_at - upper.started_at)) * 1000000)::bigint as apart_us,
 abs(lower.talk_ms - upper.talk_ms) as longer_ms,
 lower.partner as lower_partner, lower.apart_us as lower_apart, lower.longer_ms as lower_longer,
 upper.partner as upper_partner, upper.apart_us as upper_apart, upper.longer_ms as upper_longer"""

# That of `closeness` in aggregates/pairs.py.
_ORDER = "apart_us, longer_ms, least(lower_id, upper_id), greatest(lower_id, upper_id)"


def _closer(place: str) -> str:
    """The condition that a candidate is closer than the present partner of the lower or upper."""
    partner, own_id = f"{place}_partner", f"{place}_id"
    return f"""
 ({partner} is null or ({_ORDER})
   < ({place}_apart, {place}_longer, least({own_id}, {partner}), greatest({own_id}, {partner})))"""


LAST = "select coalesce(max(changed), 0) from cascade_records"
PAIRS = f"""
select charged, lower_id, upper_id from (
  select {_COLUMNS}
  from cascade_records as lower, cascade_rules as rule, cascade_records as upper
  where lower.changed > %(seen)s and {_MATCHES}
  union
  select {_COLUMNS}
  from cascade_records as upper, cascade_rules as rule, cascade_records as lower
  where upper.changed > %(seen)s and {_MATCHES}
) as candidate where {_closer("lower")} and {_closer("upper")}
order by {_ORDER} limit {MOST}"""


class Cascades:
    """Pairs records that changed since the last run; the first run checks all records."""

    def __init__(self) -> None:
        self._seen = 0

    def watch(
        self,
        connection: Connection[Any],
        store: Store,
        now: datetime,
        isolation: Isolation | None = None,
    ) -> int:
        """Link matching records, the closest first; return the last position, or 0."""
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
            for charged, lower, upper in found
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
