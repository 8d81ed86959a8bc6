"""What tests of keeping ask for."""

from pathlib import Path

import pytest

from billing.keeping.keeper import Keeper
from billing.store import Store
from tests.keeping.sample import install, keeper_of


@pytest.fixture
def keeper(database_url: str, store: Store, tmp_path: Path) -> Keeper:
    """A keeper of an installation with calls in two months."""
    made = keeper_of(database_url, store, tmp_path)
    install(made)
    return made
