"""An installation that drills are done on: a company, two accounts that pay, a device, a token."""

import contextlib
import os
import secrets
import socket
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import psycopg

from billing.aggregates.event import Envelope
from billing.cli.setup import said_here
from billing.commands import extensions, rate_groups, sub_accounts
from billing.database import migrate
from billing.log.store import Store
from tests.ingest import serving
from tests.web.serving import add_administrator, add_token

BILLING = [sys.executable, "-m", "billing"]
USER = "user:ana"  # pays for the calls of EXTENSION
EXTENSION = "101"
PORTS = range(10_000, 30_000)  # below those that the system gives to clients
MONTHS_AGO = timedelta(days=65)  # the books begin then: months of theirs can be closed


class Home(msgspec.Struct, frozen=True, kw_only=True):
    """What a drill knows of an installation.

    `url` is how the drill itself reaches the database, `served_url` how the service does: "" is an
    embedded one. `folder` is the service's data directory.
    """

    folder: Path
    url: str
    served_url: str = ""
    token: str  # of a program that reads the call list
    web: int
    cdr: int

    @property
    def environment(self) -> dict[str, str]:
        """The settings of every command that is run here."""
        return {
            **os.environ,
            "DATABASE_URL": self.served_url,
            "BILLING_DATA_DIR": str(self.folder),
            "BILLING_WEB_PORT": str(self.web),
            "BILLING_CDR_PORT": str(self.cdr),
        }

    def connect(self) -> psycopg.Connection:
        """A connection of the drill's own; raises OperationalError while the database is away."""
        return psycopg.connect(self.url, autocommit=True, connect_timeout=2)


def own_port() -> int:
    """A port that nobody has, and that the system gives nobody while the service is down."""
    while True:
        port = secrets.randbelow(PORTS.stop - PORTS.start) + PORTS.start
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def install(folder: Path, url: str, served_url: str = "") -> Home:
    """Fill an empty database; `url` answers now."""
    migrate(url)
    store = Store(url)
    early = Envelope(recorded_at=datetime.now(UTC) - MONTHS_AGO, actor="system", address="drill")
    first = rate_groups.CreateRateGroup(group_id="first", name="First", currency="EUR")
    rate_groups.create_rate_group(store, first, early)
    serving.install(url)
    said = said_here()
    opened = sub_accounts.OpenSubAccount(
        account=USER, company_id="acme", name="Ana", own_wallet=True
    )
    sub_accounts.open_sub_account(store, opened, said)
    line = extensions.Assignment(extension=EXTENSION, account=USER)
    assign = extensions.AssignExtensions(device_id="pbx", assignments=(line,))
    extensions.assign_extensions(store, assign, said)
    store.close()
    add_administrator(url)
    return Home(
        folder=folder,
        url=url,
        served_url=served_url,
        token=add_token(url, "calls"),
        web=own_port(),
        cdr=own_port(),
    )


def beside(home: Home, folder: Path) -> Home:
    """A second service on the same database, with a folder and ports of its own."""
    return msgspec.structs.replace(home, folder=folder, web=own_port(), cdr=own_port())
