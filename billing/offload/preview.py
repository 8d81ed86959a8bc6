"""The preview of a deck: parse, compare, and measure on last month's calls. Blocks."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from msgspec.structs import replace

from billing.aggregates import call
from billing.aggregates.rate_group import PRICES
from billing.commands.catalogue import Catalogue
from billing.commands.deciding import fold
from billing.decks import uploads
from billing.decks.changes import Changes, find_changes
from billing.decks.impact import Impact, NeededPrices, PastCall, differ
from billing.decks.reading import Deck, Terms, read_deck
from billing.decks.uploads import Prepared
from billing.log import positions
from billing.log.sealing import CALLS
from billing.log.store import Store
from billing.offload.tasks import Preview, Previewed
from billing.periods import last_month
from billing.queries.past_calls import MOST, charged_calls
from billing.queries.prices import every_version
from billing.rating.chain import rate_cdr
from billing.rating.context import RatingContext
from billing.rating.rates import RateGroup
from billing.sheets import SheetReading
from billing.values import Refused

CALLS_AT_ONCE = 2_000  # calls read from the log at a time
PATIENCE_SECONDS = 5.0


def preview(url: str, request: Preview) -> Previewed:
    """Compute what an import would do, and store it with the file; writes nothing else."""
    with psycopg.connect(url, autocommit=True) as connection:
        upload = uploads.find(connection, request.group_id, request.upload_id)
        if upload is None:
            raise Refused("The file is no longer available. Send it again.")
        wish, store = request.wish, Store(url)
        terms = Terms(
            zone=ZoneInfo(wish.zone),
            effective_from=wish.effective_from,
            unit_s=wish.unit_s,
            increment=wish.increment,
        )
        with SheetReading(upload.content, upload.file_name) as sheet:
            del upload
            deck = read_deck(sheet.rows(), wish.header, wish.columns, terms)
        result = Previewed(
            rows=deck.rows, duplicates=deck.duplicates, wrong=deck.wrong, wrong_rows=deck.wrong_rows
        )
        prepared: Prepared | None = None
        if deck.rates and not deck.wrong:
            _wait_for_prices(connection)
            changes, impact = _compare(connection, store, request, deck)
            prepared = Prepared(tuple(changes.rates), tuple(changes.ended))
            result = replace(
                result,
                counts=changes.counts,
                shown=changes.shown,
                same=changes.same,
                changed=len(changes.rates) + len(changes.ended),
                impact=impact,
                cut=impact.calls >= MOST,
            )
        uploads.prepare(connection, request.upload_id, prepared if result.changed else None)
        store.close()
    return result


def _wait_for_prices(connection: psycopg.Connection[Any]) -> None:
    """Wait until the read model has all prices set so far. Refused after PATIENCE_SECONDS."""
    position = positions.head(connection)
    if not positions.wait_until_shown(connection, position, "prices", patience_s=PATIENCE_SECONDS):
        raise Refused("The prices are still being updated. Try again in a moment.")


def _compare(
    connection: psycopg.Connection[Any], store: Store, request: Preview, deck: Deck
) -> tuple[Changes, Impact]:
    """Return the changes of the deck, and their effect on last month's calls."""
    wish, now = request.wish, request.now
    begins = wish.effective_from or now
    latest = max(rate.effective_from or begins for rate in deck.rates)
    at = max(latest, begins)
    begin, end = last_month(now, wish.zone)
    calls = [PastCall(*found) for found in charged_calls(connection, request.group_id, begin, end)]
    needed = NeededPrices(calls, at)
    versions = every_version(connection, request.group_id)
    ends_at = begins if wish.complete else None
    changes = find_changes(versions, deck.rates, ends_at, now, needed.watch)
    return changes, _measure(store, calls, needed.groups(""), now)


def _measure(
    store: Store, calls: list[PastCall], groups: tuple[RateGroup, RateGroup], at: datetime
) -> Impact:
    """Rate with both groups the calls whose price may differ."""
    impact, others = Impact(calls=len(calls)), list[str]()
    for each in calls:
        if differ(groups, each, at):
            others.append(CALLS + each.call_id)
        else:
            impact.before_micros += each.amount_micros
            impact.after_micros += each.amount_micros
    if others:
        catalogue = Catalogue(excluding=PRICES)
        catalogue.refresh(store)
        contexts = [_bound_to(group, catalogue.context) for group in groups]
        for place in range(0, len(others), CALLS_AT_ONCE):
            found = store.load_many(others[place : place + CALLS_AT_ONCE]).values()
            states = (fold(call.evolve, recorded) for recorded in found)
            _rate_twice(states, catalogue, contexts, impact)
    return impact


def _bound_to(group: RateGroup, context: RatingContext) -> RatingContext:
    """Return the rating context with every company bound to one group."""
    bound = ((None, group.group_id),)
    companies = {
        company_id: replace(company, rate_groups=bound)
        for company_id, company in context.companies.items()
    }
    return replace(context, companies=companies, groups={group.group_id: group})


def _rate_twice(
    states: Iterable[call.Call | None],
    catalogue: Catalogue,
    contexts: list[RatingContext],
    impact: Impact,
) -> None:
    for state in states:
        if state is None:
            continue
        device = catalogue.device(state.device_id)
        before, after = (rate_cdr(state.cdr, device, context) for context in contexts)
        lost = after.status == "suspended" != before.status
        impact.changed += lost or before.amount_micros != after.amount_micros
        impact.unpriced += lost
        impact.before_micros += before.amount_micros
        impact.after_micros += after.amount_micros
