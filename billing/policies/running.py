"""The job that runs the policies as long as the service runs."""

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import psycopg
from psycopg import Connection

from billing.config import Config
from billing.keeping.clock import Clock
from billing.log.positions import is_shown
from billing.log.store import Store
from billing.policies import cascades, closing, ledger, limits, mails
from billing.policies.cascades import Cascades
from billing.policies.isolation import Isolation
from billing.policies.mails import Mailer

EVERY_SECONDS = 1.0

logger = logging.getLogger("billing.policies")


def run_policies(config: Config, stopping: threading.Event) -> None:
    """Run the policies until `stopping` is set.

    Each run waits until the last decisions are shown.
    """
    store = Store(config.database_url)
    mailer = Mailer(config.smtp_url, config.mail_from) if config.smtp_url else None
    with psycopg.connect(config.database_url, autocommit=True) as connection:
        logger.info("policies watch the read models")
        policies = Policies(connection, store, mailer)
        while not stopping.is_set():
            policies.step()
            stopping.wait(EVERY_SECONDS)
    store.close()


class Policies:
    """All policies over one connection. What one of them can't act on stops nothing else."""

    def __init__(self, connection: Connection[Any], store: Store, mailer: Mailer | None) -> None:
        self._connection, self._store, self._mailer = connection, store, mailer
        self._cascades, self._clock = Cascades(), Clock()
        self._isolations = {
            name: Isolation(connection, store, name)
            for name in (limits.NAME, closing.NAME, cascades.NAME, ledger.NAME, mails.NAME)
        }
        self._waiting_for = 0

    def step(self) -> None:
        """Run each policy once, unless their last decisions are not shown yet."""
        connection, store = self._connection, self._store
        if not is_shown(connection, self._waiting_for):
            return
        now, clock = self._clock.look(connection)
        self._waiting_for = max(  # a mail is no decision: nothing waits for it
            self._run(limits.NAME, partial(limits.watch_limits, connection, store, now)),
            self._run(closing.NAME, partial(closing.close_books, connection, store, now, clock)),
            self._run(cascades.NAME, partial(self._cascades.watch, connection, store, now)),
        )
        self._isolations[ledger.NAME].run(partial(ledger.check_ledger, connection, now))
        self._isolations[mails.NAME].run(self._send_mails)

    def _run(self, name: str, policy: Callable[..., int]) -> int:
        isolation = self._isolations[name]
        return isolation.run(lambda: policy(isolation=isolation))

    def _send_mails(self) -> int:
        if self._mailer:
            mails.send_mails(self._connection, self._store, self._mailer)
        return 0
