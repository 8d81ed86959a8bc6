"""What every test can ask for: a migrated database of its own, cloned from a template."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from billing.database import migrate
from billing.database.embedded import EmbeddedServer
from billing.log.store import Store
from tests.embedded import open_folder


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The URL of a PostgreSQL: DATABASE_URL if set, else an embedded one."""
    given = os.environ.get("DATABASE_URL")
    if given:
        yield given
        return
    # Not in pytest's own folder, which other users can't enter: started by root, the server runs as
    # another user, and data it can't reach would be put elsewhere and stay there.
    with open_folder() as folder:
        server = EmbeddedServer(folder)
        yield server.url
        server.stop()


@pytest.fixture(scope="session")
def template(server_url: str) -> Iterator[str]:
    """The name of a migrated database to clone."""
    name = f"template_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
    migrate(make_conninfo(server_url, dbname=name))
    yield name
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)".encode())


@contextmanager
def fresh_database(server_url: str, template: str) -> Iterator[str]:
    """Yield the URL of a migrated, empty database, and drop it afterwards."""
    name = f"test_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        # Copying the files takes a third of the time of writing all pages to the WAL (the default).
        clone = f"create database {name} template {template} strategy file_copy"
        connection.execute(clone.encode())
    yield make_conninfo(server_url, dbname=name)
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)".encode())


@pytest.fixture
def database_url(server_url: str, template: str) -> Iterator[str]:
    """The URL of a migrated, empty database for one test."""
    with fresh_database(server_url, template) as url:
        yield url


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """The log of that database."""
    store = Store(database_url)
    yield store
    store.close()
