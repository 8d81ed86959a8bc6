"""The preview of a deck: read, compared, measured on last month's calls. Blocks."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from billing.commands.rates import load_rate_group
from billing.decks.changes import Changes, find_changes
from billing.decks.columns import HEAD_ROWS
from billing.decks.impact import Impact, PastCall, measure_impact
from billing.decks.reading import Deck, Terms, read_deck
from billing.decks.uploads import Prepared, Upload
from billing.projections.reading.past_calls import MOST, charged_calls
from billing.rating.rates import RateGroup
from billing.sheets import Row, read_sheet
from billing.web.site import Site


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """How a deck is to be read."""

    header: int  # the number of its row; 0: none
    columns: dict[str, int]
    terms: Terms
    complete: bool  # prices that are not in it end


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    deck: Deck
    changes: Changes | None  # None where rows are wrong
    impact: Impact | None
    cut: bool  # whether the month had more calls than were looked at
    prepared: bytes | None


def first_rows(upload: Upload) -> list[Row]:
    """The top of a sheet."""
    return list(islice(read_sheet(upload.content, upload.file_name), HEAD_ROWS))


def preview(site: Site, upload: Upload, wish: Wish, now: datetime) -> Preview:
    """What an import would do. Nothing is written."""
    rows = read_sheet(upload.content, upload.file_name)
    deck = read_deck(rows, wish.header, wish.columns, wish.terms)
    if deck.wrong or not deck.rates:
        return Preview(deck=deck, changes=None, impact=None, cut=False, prepared=None)
    group = load_rate_group(site.store, upload.group_id)
    begins = wish.terms.effective_from or now
    changes = find_changes(group, deck.rates, begins if wish.complete else None, now)
    before = RateGroup(upload.group_id, group.name, group.currency, group.prices.values())
    after = before.with_changes([*changes.rates, *changes.ended])
    latest = max((rate.effective_from or begins for rate in deck.rates), default=begins)
    calls = _last_month(site, upload.group_id, now)
    impact = measure_impact(calls, (before, after), max(latest, begins), site.zone)
    prepared = Prepared(tuple(changes.rates), tuple(changes.ended))
    return Preview(
        deck=deck,
        changes=changes,
        impact=impact,
        cut=impact.calls >= MOST,
        prepared=msgspec.json.encode(prepared) if changes.rates or changes.ended else None,
    )


def _last_month(site: Site, group_id: str, now: datetime) -> Sequence[PastCall]:
    begin, end = month_before(now, site.zone)
    with site.connect() as connection:
        return [PastCall(*call) for call in charged_calls(connection, group_id, begin, end)]


def month_before(now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The UTC instants at which the calendar month before began and ended."""
    first: Any = now.astimezone(zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    before = (first - timedelta(days=1)).replace(day=1)
    return before.astimezone(UTC), first.astimezone(UTC)
