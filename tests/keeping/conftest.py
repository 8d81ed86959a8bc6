"""Fixtures for tests of keeping."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from billing.keeping.keeper import Keeper
from billing.log.store import Store
from tests.conftest import fresh_database
from tests.keeping.sample import install, keeper_of


@pytest.fixture(scope="session")
def installed(
    server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The name of a database with calls in two months and closed books."""
    with fresh_database(server_url, template) as url:
        store = Store(url)
        install(keeper_of(url, store, tmp_path_factory.mktemp("installed")))
        store.close()
        yield str(conninfo_to_dict(url)["dbname"])


@pytest.fixture
def database_url(server_url: str, installed: str) -> Iterator[str]:
    """The URL of a clone of that database for one test."""
    with fresh_database(server_url, installed) as url:
        yield url


@pytest.fixture
def keeper(database_url: str, store: Store, tmp_path: Path) -> Keeper:
    """The keeper of that database."""
    return keeper_of(database_url, store, tmp_path)
