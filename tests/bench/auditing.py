"""Figures of an auditor's work: a replay next to the raw read of the same rows, a first page."""

import time

import psycopg

from billing.log.store import Store
from billing.queries.history import read_history
from billing.queries.replay import replay

ACCOUNT = "company:acme"
PAGES = 40
ROWS = """
select originator_id, originator_version, notification_id, topic, state from billing_events
where position('"payer":"company:acme"'::bytea in state) > 0"""


def read_raw(url: str) -> float:
    """Return the seconds to fetch the rows of the account's calls and do nothing with them."""
    with psycopg.connect(url) as connection, connection.cursor("raw", binary=True) as cursor:
        cursor.itersize = 5_000
        begin = time.perf_counter()
        cursor.execute(ROWS.encode())
        for _ in cursor:
            pass
        return time.perf_counter() - begin


def replay_account(url: str) -> tuple[float, int]:
    """Return the seconds to recompute the account's balance, and the number of its events."""
    store = Store(url)
    with psycopg.connect(url, autocommit=True) as connection:
        begin = time.perf_counter()
        *_, progress = replay(connection, store, ACCOUNT)
        seconds = time.perf_counter() - begin
    store.close()
    if not progress.equal:
        raise RuntimeError(f"{progress.balance_micros} is not {progress.shown_micros}")
    return seconds, progress.events


def first_page(url: str) -> float:
    """Return the median seconds for the first page of the account's history."""
    store = Store(url)
    seconds = []
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(PAGES):
            begin = time.perf_counter()
            read_history(connection, store, ACCOUNT, size=50)
            seconds.append(time.perf_counter() - begin)
    store.close()
    return sorted(seconds)[PAGES // 2]
