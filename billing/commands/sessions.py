"""Ends sessions that somebody opened; the login log tells who ended them and why."""

from datetime import datetime

import psycopg

# What had run out before was not ended by anybody.
END = """
with gone as (
 delete from sessions where administrator_id = %(who)s and token_hash <> %(kept)s
  and (%(one)s = '' or left(encode(token_hash, 'hex'), 32) = %(one)s)
 returning *, expires_at < %(now)s as expired)
insert into sign_ins
 (at, kind, reason, sign_in_name, administrator_id, address, browser, ended_by)
select case when expired then gone.expires_at else %(now)s end,
 case when expired then 'expired' else 'ended' end, case when expired then '' else %(reason)s end,
 coalesce(c.sign_in_name, ''), gone.administrator_id, gone.address, gone.browser,
 case when expired then '' else %(by)s end
from gone left join administrator_credentials c on c.administrator_id = gone.administrator_id"""
END_HALVES = "delete from half_sessions where administrator_id = %s"


def end_sessions(
    connection: psycopg.Connection,
    administrator_id: str,
    reason: str,
    by: str,
    now: datetime,
    *,
    one: str = "",
    kept: bytes = b"",
) -> int:
    """End the sessions of somebody, but `kept`, or only `one`; how many. `by` is an actor."""
    values = {
        "who": administrator_id,
        "reason": reason,
        "by": by,
        "now": now,
        "one": one,
        "kept": kept,
    }
    if not one:
        connection.execute(END_HALVES, (administrator_id,))
    return connection.execute(END, values).rowcount
