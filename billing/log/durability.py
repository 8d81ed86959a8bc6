"""What makes an append durable: its commit waits for the disk, and for the standbys if there are.

PostgreSQL reports a commit as done, with a warning, when its wait for a standby is cut short. That
is not stored where it must be stored: the sender gets a failure, sends it again, and then the
answer waits for the standby (docs/decisions/0130).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.errors import Diagnostic

LOCK = 0x62696C6C  # advisory lock that keeps positions in commit order
# One round trip. Whatever the server, the database or the user has set: a commit waits for the
# disk and for synchronous standbys, and no limit for statements cuts that wait short.
BEGIN = f"""
select set_config('synchronous_commit', case current_setting('synchronous_commit')
   when 'remote_apply' then 'remote_apply' else 'on' end, true),
 set_config('statement_timeout', '0', true), pg_advisory_xact_lock({LOCK})"""
# Only a transaction that wrote waits at its commit, and then for all that was written before it.
WRITE_NOTHING = "select pg_logical_emit_message(true, 'contarifa', '')"
CUT_SHORT = "SyncRepWaitForLSN"  # where PostgreSQL says so; the words depend on its language
ADMIN_SHUTDOWN = "57P01"


class NotConfirmed(psycopg.OperationalError):
    """A commit is on this server, and whether it is on the standby nobody knows."""


@contextmanager
def durable(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """A transaction that holds the lock of appends; after it, everything is stored.

    Raises NotConfirmed where the wait for a standby was cut short.
    """
    told = list[str]()

    def listen(said: Diagnostic) -> None:
        if said.source_function == CUT_SHORT or said.sqlstate == ADMIN_SHUTDOWN:
            told.append(said.message_primary or "the wait for the standby was cut short")

    connection.add_notice_handler(listen)
    try:
        with connection.transaction():
            connection.execute(BEGIN, prepare=True)
            yield
    finally:
        connection.remove_notice_handler(listen)
    if told:
        raise NotConfirmed(told[0])
