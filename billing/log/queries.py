"""The queries that read events."""

MOST_BYTES = 32_000_000  # of events in memory at a time; a single imported deck has 40 MB
EVENTS = """
select originator_id, originator_version, notification_id, topic, state from billing_events"""


def bounded(statement: str, order: str) -> str:
    """Limit a query to its first events in `order`: as many as fit MOST_BYTES, at least one."""
    return f"""
    select originator_id, originator_version, notification_id, topic, state from (
      select *, sum(octet_length(state)) over (order by {order} rows unbounded preceding) as size
      from ({statement}) as found
    ) as measured where size - octet_length(state) < {MOST_BYTES} order by {order}"""


BY_STREAM = f"""
{EVENTS} where originator_id = any(%s) order by originator_id, originator_version"""
AFTER = bounded(
    f"{EVENTS} where notification_id > %s order by notification_id limit %s", "notification_id"
)
# The two ranges exclude every partition of calls.
AFTER_WITHOUT_CALLS = bounded(
    f"""{EVENTS} where notification_id > %s and topic <> all(%s)
    and (originator_id < 'call:' or originator_id >= 'call;')
    order by notification_id limit %s""",
    "notification_id",
)
FOLLOW = bounded(
    f"{EVENTS} where originator_id = %s and originator_version > %s and topic <> all(%s)",
    "originator_version",
)
VERSION = """
select coalesce(max(originator_version), 0) from billing_events where originator_id = %s"""
BEGINS = """
select exists (select from billing_events where originator_id = %s and topic = any(%s)
  and position(%s in substr(state, 1, 200)) > 0)"""
# Calls that were there at a position and have got another event since; not their first arrivals.
CALLS_CHANGED = """
select distinct originator_id from billing_events as later
where notification_id > %(after)s and originator_version > 1 and topic <> all(%(ignored)s)
 and originator_id >= 'call:' and originator_id < 'call;'
 and exists (select from billing_events as first
  where first.originator_id = later.originator_id and first.originator_version = 1
   and first.notification_id <= %(after)s)
order by originator_id"""
ARCHIVED = "select key, version, digest from archived_calls where key = any(%s)"
AT = f"{EVENTS} where notification_id = any(%s) order by notification_id"
# An event of a call has its payer in its state; other events of an account are on its stream.
CONCERNING = bounded(
    f"""{EVENTS} where notification_id > %s and notification_id <= %s and (originator_id = %s
    or (originator_id >= 'call:' and originator_id < 'call;' and position(%s in state) > 0))
    order by notification_id limit %s""",
    "notification_id",
)
KEY = "select key from installation_keys where name = %s"
