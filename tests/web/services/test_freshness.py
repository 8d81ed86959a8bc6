"""Every page warns when its figures are behind the log or lack an event."""

from pathlib import Path

import psycopg
import pytest

from billing.web.services import freshness
from tests.web.serving import SignIn, add_administrator, install, served

PAGES = ("/", "/calls", "/companies", "/movements", "/statistics", "/user-accounts", "/devices")


def test_every_page_says_that_figures_are_behind_or_lack_an_event(
    database_url: str, sign_in: SignIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freshness, "MAX_AGE_SECONDS", 0.0)
    monkeypatch.setattr(freshness, "MOST_BEHIND", 0)
    install(database_url)
    add_administrator(database_url)
    with (
        served(database_url, tmp_path) as address,
        psycopg.connect(database_url, autocommit=True) as connection,
    ):
        client = sign_in(address)
        for path in PAGES:
            page = client.get(path).text
            assert "not been counted yet" not in page, path
            assert "set aside" not in page, path
        connection.execute("update checkpoints set position = position - 1 where name = 'usage'")
        connection.execute(
            "insert into set_aside values ('usage', 7, 'call:x', 'CallRated.1', 'KeyError', now())"
        )
        connection.execute("insert into beats (at, doubt) values (now(), 'jumped')")
        for path in PAGES:
            page = client.get(path).text
            assert "The clock of the server is in doubt" in page, path
            assert "1 event has not been counted yet" in page, path
            assert "1 event could not be processed" in page, path
        system = client.get("/system").text
        assert "KeyError" in system
        metrics = client.get("/metrics").text
        assert "contarifa_clock_doubted 1" in metrics
        assert 'contarifa_events_set_aside{projection="usage"} 1' in metrics
