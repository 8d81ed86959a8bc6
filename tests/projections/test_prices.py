"""The read model of prices: many at a time, and none that could stop it."""

import psycopg
import pytest

from billing.aggregates.rate_group import DeckImported, RateGroupCreated, RatesChanged
from billing.cli.setup import said_here
from billing.log.store import Pending, Store
from billing.projections import prices
from billing.rating.rates import Rate, Tier
from tests.web.serving import catch_up

SAID = said_here()


def rate(prefix: str, price: str) -> Rate:
    return Rate(name=prefix, prefix=prefix, tiers=(Tier(price=price),))


def test_a_price_too_large_for_its_column_stops_nothing(store: Store, database_url: str) -> None:
    """Such a price was once accepted, so the log has it permanently."""
    created = RateGroupCreated(name="g", currency="EUR")
    set_once = RatesChanged(rates=(rate("34", "99999999999999"), rate("35", "0.1")))
    store.append(
        [Pending("rate-group:g", n, event, SAID) for n, event in enumerate((created, set_once), 1)]
    )
    catch_up(database_url, store)
    assert standing(database_url) == [("p:34", None), ("p:35", "0.10000000")]


@pytest.mark.parametrize("chunk", [1, 2, 10_000])
def test_the_last_version_of_a_price_counts_however_many_are_written_at_a_time(
    store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(prices, "CHUNK", chunk)
    events = (
        RateGroupCreated(name="g", currency="EUR"),
        RatesChanged(rates=(rate("34", "0.1"), rate("35", "0.1"), rate("34", "0.2"))),
        DeckImported(import_id="i", file_name="f", rates=(rate("35", "0.3"), rate("36", "0.4"))),
        RatesChanged(rates=(rate("36", "0.5"),)),
    )
    store.append([Pending("rate-group:g", n, event, SAID) for n, event in enumerate(events, 1)])
    catch_up(database_url, store)
    expected = [("p:34", "0.20000000"), ("p:35", "0.30000000"), ("p:36", "0.50000000")]
    assert standing(database_url) == expected


def standing(url: str) -> list[tuple[str, str | None]]:
    with psycopg.connect(url) as connection:
        query = "select target, price::text from prices where standing order by target"
        return connection.execute(query).fetchall()
