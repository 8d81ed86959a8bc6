"""Checks that every wallet adds up, after each closing and once a day.

For every wallet, the postings of all months add up to its balance, and those up to the month of its
last statement add up to what that statement closed with. `balances` and `books` are read in one
snapshot in which both have read the same part of the log. What differs is written down by wallet;
the pages and the metrics warn of it until a later check finds nothing.
"""

import logging
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from billing.log.positions import positions

NAME = "ledger"
EVERY = timedelta(days=1)

DUE = """
select completed from books where not exists (
  select from ledger_checks c where c.completed = books.completed and c.checked_at > %s)"""
LOCK = "select pg_try_advisory_xact_lock(1818584167)"  # one check at a time
SNAPSHOT = "set transaction isolation level repeatable read"
DIFFERENCES = """
with months as (
  select account, month, sum(amount_micros)::bigint as moved_micros from account_months
  group by account, month),
wallets as (
  select account, sum(moved_micros)::bigint as books_micros from months group by account),
last as (
  select distinct on (account) account, month, closing_micros from statements
  order by account, month desc)
select account, '', coalesce(b.balance_micros, 0), coalesce(w.books_micros, 0)
from balances b full join wallets w using (account)
where coalesce(b.balance_micros, 0) <> coalesce(w.books_micros, 0)
union all
select l.account, l.month, l.closing_micros, coalesce(sum(m.moved_micros), 0)::bigint
from last l left join months m on m.account = l.account and m.month <= l.month
group by l.account, l.month, l.closing_micros
having l.closing_micros <> coalesce(sum(m.moved_micros), 0)"""
COUNT = "select count(*) from balances"
NOTE = """
insert into ledger_checks (checked_at, completed, wallets) values (%s, %s, %s)
on conflict (one) do update set checked_at = excluded.checked_at,
 completed = excluded.completed, wallets = excluded.wallets"""
FORGET = "delete from ledger_differences"
KEEP = "insert into ledger_differences values (%s, %s, %s, %s)"

logger = logging.getLogger("billing.policies")


def check_ledger(connection: Connection[Any], now: datetime) -> bool:
    """Check all wallets if a month was completed or a day has passed; return whether it was done.

    It is put off while another service checks, and while the two read models have read different
    parts of the log.
    """
    due = connection.execute(DUE, (now - EVERY,)).fetchone()
    if not due:
        return False
    with connection.transaction():
        connection.execute(SNAPSHOT)
        if connection.execute(LOCK).fetchone() != (True,):
            return False
        read_to = {position for position, _ in positions(connection, ("balances", "books"))}
        if len(read_to) > 1:
            return False
        found = connection.execute(DIFFERENCES).fetchall()
        ((wallets,),) = connection.execute(COUNT).fetchall()
        connection.execute(FORGET)
        with connection.cursor() as cursor:
            cursor.executemany(KEEP, found)
        connection.execute(NOTE, (now, *due, wallets))
    for account, month, shown_micros, books_micros in found:
        logger.error(
            "%s does not add up: %s says %s micro-units, the books %s",
            account,
            f"the statement of {month}" if month else "the balance",
            shown_micros,
            books_micros,
        )
    return True
