"""Sends an e-mail when the policy warns or freezes, if SMTP and a recipient are configured.

It follows the log with its own checkpoint, so each mail is sent at least once. Events from before
the configuration are skipped.
"""

import logging
import smtplib
from email.message import EmailMessage
from typing import Any
from urllib.parse import unquote, urlsplit

from psycopg import Connection

from billing.aggregates.account import AccountFrozenByPolicy, LowBalanceWarned
from billing.log import positions
from billing.log.set_aside import describe, note, place_of
from billing.log.store import Recorded, Store
from billing.values import Money, decimal_string

CHECKPOINT = "policy:mails"
NAME = "mail-run"  # of all mails; a single one is set aside under the checkpoint's name
BATCH = 1_000
TIMEOUT_SECONDS = 20
RECIPIENTS = """
select account, name, currency, warn_email from accounts
where account = any(%s) and warn_email <> ''"""

logger = logging.getLogger("billing.policies")


class Mailer:
    """A mail server given by its URL: smtp://user:password@host:587, or smtps://…:465."""

    def __init__(self, smtp_url: str, sender: str) -> None:
        self._url = urlsplit(smtp_url)
        self._sender = sender

    def send(self, recipient: str, subject: str, text: str) -> None:
        """Send one message. Raises OSError or SMTPException."""
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self._sender, recipient, subject
        message.set_content(text)
        url, secure = self._url, self._url.scheme == "smtps"
        kind = smtplib.SMTP_SSL if secure else smtplib.SMTP
        with kind(url.hostname or "", url.port or 0, timeout=TIMEOUT_SECONDS) as server:
            if not secure and server.has_extn("starttls"):
                server.starttls()
            if url.username:
                server.login(unquote(url.username), unquote(url.password or ""))
            server.send_message(message)


def send_mails(connection: Connection[Any], store: Store, mailer: Mailer) -> None:
    """Send mails for the events since the last run.

    A warning of which no mail can be made, as with an invalid e-mail address, is set aside.
    """
    positions.register(connection, CHECKPOINT, at_head=True)
    position = positions.shown(connection, CHECKPOINT)
    while events := store.after_without_calls(position, BATCH):
        warnings = [
            each
            for each in events
            if isinstance(each.event, LowBalanceWarned | AccountFrozenByPolicy)
        ]
        rows = connection.execute(RECIPIENTS, ([each.stream for each in warnings],)).fetchall()
        recipients = {account: rest for account, *rest in rows}
        for each in warnings:
            if each.stream in recipients:
                try:
                    _send(mailer, each, *recipients[each.stream])
                except Exception as error:  # noqa: BLE001 -- the others are sent
                    logger.error("No mail about %s: %s", each.stream, describe(error))  # noqa: TRY400
                    note(connection, CHECKPOINT, place_of(each), error)
        position = events[-1].position
        positions.advance(connection, [CHECKPOINT], position)


def _send(mailer: Mailer, recorded: Recorded, name: str, currency: str, recipient: str) -> None:
    event: Any = recorded.event
    name = " ".join(name.split())  # a name may hold a line break
    balance = Money(event.balance_micros, currency)
    amount = f"{decimal_string(balance.micros)} {balance.currency}"
    if isinstance(event, LowBalanceWarned):
        subject = f"{name}: saldo bajo / low balance"
        text = (
            f"El saldo de {name} es {amount}, por debajo del umbral de aviso.\n"
            f"The balance of {name} is {amount}, below the warning threshold.\n"
        )
    else:
        subject = f"{name}: cuenta congelada / account frozen"
        text = (
            f"El saldo de {name} es {amount}, por debajo del límite de crédito. "
            f"La cuenta se congeló.\n"
            f"The balance of {name} is {amount}, below the credit limit. The account was frozen.\n"
        )
    try:
        mailer.send(recipient, subject, text)
    except (OSError, smtplib.SMTPException) as error:
        # A mail server that refuses must not hold up the others; the page and the log warn as well.
        logger.warning("The mail about %s could not be sent: %s", recorded.stream, error)
