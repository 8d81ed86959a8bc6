"""A query of a page may take so long and no longer; the page says so."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psycopg
import pytest

from billing.database import limits
from tests.web.serving import SignIn, add_administrator, add_token, install, served


def test_a_page_that_takes_too_long_says_so_in_both_languages(
    database_url: str, tmp_path: Path, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(database_url)
    add_administrator(database_url)
    monkeypatch.setattr(limits, "PAGE_SECONDS", 2)
    token = {"authorization": f"Bearer {add_token(database_url, 'accounts')}"}
    with (
        served(database_url, tmp_path) as address,
        psycopg.connect(database_url) as connection,
        ThreadPoolExecutor() as pool,
    ):
        client = sign_in(address)
        connection.execute("lock table movements in access exclusive mode")
        spanish = {"accept-language": "es"}
        asked = [
            pool.submit(client.get, "/movements"),
            pool.submit(client.get, "/movements", headers=spanish),
            pool.submit(httpx.get, f"{address}/api/v1/movements", headers=token, timeout=60),
        ]
        page, other, told = [each.result() for each in asked]
        assert [each.status_code for each in (page, other, told)] == [503, 503, 503]
        assert "This takes too long" in page.text
        assert "Choose a shorter period" in page.text
        assert "Esto tarda demasiado" in other.text
        assert told.json()["title"]
        connection.rollback()
        assert client.get("/movements").status_code == 200
