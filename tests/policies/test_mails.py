"""Warnings are sent by a real SMTP conversation, once configured, to their recipients."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import ClassVar

import msgspec
import psycopg
import pytest

from billing.aggregates.account import (
    AccountFrozenByPolicy,
    LimitsSet,
    LowBalanceWarned,
)
from billing.aggregates.company import CompanyChanged
from billing.aggregates.event import Envelope, Event
from billing.log.store import Pending, Store
from billing.policies.mails import Mailer, send_mails
from tests.projections.sample import INSTALLATION, append, runner

SAID = Envelope(recorded_at=datetime(2026, 11, 23, tzinfo=UTC), actor="system")
ACME = "company:acme"


class Conversation(socketserver.StreamRequestHandler):
    """The server side of SMTP, as far as one message needs it."""

    received: ClassVar[list[str]] = []

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            word = line[:4].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                text = b""
                while (part := self.rfile.readline()) != b".\r\n":
                    text += part
                self.received.append(text.decode())
            if word == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            self.wfile.write(b"250 ok\r\n")


@pytest.fixture
def mailer() -> Iterator[Mailer]:
    Conversation.received.clear()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Conversation) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Mailer(f"smtp://127.0.0.1:{server.server_address[1]}", "billing@example.com")
        server.shutdown()


def tell(store: Store, *events: Event) -> None:
    version = len(store.load(ACME))
    store.append(
        [Pending(ACME, version + place, event, SAID) for place, event in enumerate(events, 1)]
    )


def test_a_warning_and_a_freeze_are_mailed_once_and_earlier_ones_are_not(
    database_url: str, store: Store, mailer: Mailer
) -> None:
    append(store, INSTALLATION)
    low = LowBalanceWarned(balance_micros=4_500_000, threshold_micros=5_000_000)
    limits = LimitsSet(
        credit_limit_micros=0,
        low_balance_micros=5_000_000,
        freeze_at_limit=True,
        warn_email="pagos@acme.example",
    )
    tell(store, limits, low)
    own = runner(database_url, store)
    own.catch_up()
    with psycopg.connect(database_url, autocommit=True) as connection:
        send_mails(connection, store, mailer)
        assert Conversation.received == []
        tell(store, low, AccountFrozenByPolicy(balance_micros=-1, limit_micros=0))
        own.catch_up()
        send_mails(connection, store, mailer)
        send_mails(connection, store, mailer)
    own.close()
    warned, frozen = Conversation.received
    assert "To: pagos@acme.example" in warned
    assert "4.5 EUR" in warned
    assert "Acme: cuenta congelada / account frozen" in frozen


def test_an_unreachable_mail_server_blocks_nothing(database_url: str, store: Store) -> None:
    append(store, INSTALLATION)
    nobody = Mailer("smtp://127.0.0.1:1", "billing@example.com")
    own = runner(database_url, store)
    with psycopg.connect(database_url, autocommit=True) as connection:
        send_mails(connection, store, nobody)
        tell(
            store,
            LimitsSet(
                credit_limit_micros=None,
                low_balance_micros=1,
                freeze_at_limit=False,
                warn_email="x@acme.example",
            ),
            LowBalanceWarned(balance_micros=0, threshold_micros=1),
        )
        own.catch_up()
        send_mails(connection, store, nobody)
        row = connection.execute(
            "select position from checkpoints where name = 'policy:mails'"
        ).fetchone()
    own.close()
    assert row == (store.after(0, 1000)[-1].position,)


@pytest.mark.parametrize("recipient", ["a@acme.example\nBcc: b@x.example", "\x00@", "ñ@ñ", "@"])
def test_no_name_and_no_address_stops_the_mails(
    database_url: str, store: Store, mailer: Mailer, recipient: str
) -> None:
    append(store, INSTALLATION)
    limits = LimitsSet(
        credit_limit_micros=None,
        low_balance_micros=1,
        freeze_at_limit=False,
        warn_email=recipient,
    )
    low = LowBalanceWarned(balance_micros=0, threshold_micros=1)
    renamed = CompanyChanged(
        name="Acme\r\nBcc: b@x.example", time_zone="Europe/Madrid", payment="prepaid"
    )
    with (
        closing(runner(database_url, store)) as own,
        psycopg.connect(database_url, autocommit=True) as connection,
    ):
        send_mails(connection, store, mailer)
        tell(store, renamed, limits, low)
        own.catch_up()
        send_mails(connection, store, mailer)
        tell(store, msgspec.structs.replace(limits, warn_email="pagos@acme.example"), low)
        own.catch_up()
        send_mails(connection, store, mailer)
    last = Conversation.received[-1]
    assert "To: pagos@acme.example" in last
    assert "\nBcc" not in last
