"""The job that runs the policies as long as the service runs."""

import logging
import threading

import psycopg

from billing.config import Config
from billing.keeping.clock import Clock
from billing.log.positions import is_shown
from billing.log.store import Store
from billing.policies.cascades import Cascades
from billing.policies.closing import close_books
from billing.policies.ledger import check_ledger
from billing.policies.limits import watch_limits
from billing.policies.mails import Mailer, send_mails

EVERY_SECONDS = 1.0

logger = logging.getLogger("billing.policies")


def run_policies(config: Config, stopping: threading.Event) -> None:
    """Run the policies until `stopping` is set.

    Each run waits until the last decisions are shown.
    """
    store = Store(config.database_url)
    mailer = Mailer(config.smtp_url, config.mail_from) if config.smtp_url else None
    waiting_for = 0
    cascades, clock = Cascades(), Clock()
    with psycopg.connect(config.database_url, autocommit=True) as connection:
        logger.info("policies watch the read models")
        while not stopping.is_set():
            if is_shown(connection, waiting_for):
                now, state = clock.look(connection)
                waiting_for = max(
                    watch_limits(connection, store, now),
                    close_books(connection, store, now, state),
                    cascades.watch(connection, store, now),
                )
                check_ledger(connection, now)
                if mailer:
                    send_mails(connection, store, mailer)
            stopping.wait(EVERY_SECONDS)
    store.close()
