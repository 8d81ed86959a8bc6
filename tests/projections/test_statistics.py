"""Every statistic computed in a second way: from the raw events, in plain Python."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import psycopg
import pytest

from billing.aggregates.call import (
    CallLinked,
    CallParted,
    CallRated,
    CallReinstated,
    CallRerated,
    CallSuspended,
    CallVoided,
    stream_of,
)
from billing.aggregates.company import CompanyOpened
from billing.aggregates.event import Event
from billing.aggregates.sub_account import GatewayAccountOpened, UserAccountOpened
from billing.log.store import Store
from billing.periods import Period
from billing.projections import runner as running
from billing.queries import statistics as reading
from billing.queries.call_filter import ANY, CallFilter
from billing.queries.call_totals import total_calls
from billing.queries.reach import EVERYTHING, Reach
from billing.queries.statistics import Figures, Split, StatisticsFilter
from billing.rating.context import Rating
from tests.projections.sample import START, ZONE, append, received, runner, stream, voided

PLACE = ZoneInfo(ZONE)
PERIODS = (
    Period(date(2026, 9, 15), date(2026, 11, 20)),  # with a whole month in it
    Period(date(2026, 10, 24), date(2026, 11, 30)),
    Period(date(2026, 10, 25), date(2026, 10, 25)),  # the day with 25 hours
    Period(date(2026, 11, 3), date(2026, 11, 9)),
    Period(date(2026, 3, 28), date(2026, 3, 30)),
    Period(date(2026, 3, 29), date(2026, 3, 29)),  # the day with 23 hours
)
SPRING = (datetime(2026, 3, 28, 20, 30, tzinfo=UTC) - START) // timedelta(hours=1)
Charged = CallRated | CallReinstated | CallRerated
REACHES = (EVERYTHING, Reach(("lima",)), Reach(("acme", "lima")), Reach(("nobody",)))
CURRENCIES = {"acme": "EUR", "lima": "PEN"}
ACCOUNTS: dict[str, tuple[str, ...]] = {
    "company": ("", "acme", "lima"),
    "user": ("", "user:acme-1", "user:lima-2"),
    "gateway": ("", "gateway:acme", "gateway:lima"),
}


def install(store: Store) -> None:
    """Two companies with three users and a gateway each, 460 calls, and their later events."""
    chance = random.Random(5)  # noqa: S311 -- reproducible
    events: list[tuple[str, Event]] = []
    for company, currency in CURRENCIES.items():
        named: Any = {"company_id": company, "currency": currency}
        opened = CompanyOpened(name=company, currency=currency, time_zone=ZONE, payment="prepaid")
        events.append((f"company:{company}", opened))
        events += [
            (f"user:{company}-{number}", UserAccountOpened(name=f"u{number}", **named))
            for number in range(3)
        ]
        events.append((f"gateway:{company}", GatewayAccountOpened(name="g", **named)))
    hours = [number * 2 for number in range(400)] + [SPRING + number for number in range(60)]
    for number in chance.sample(range(460), 460):  # many arrive after their month was summed up
        event = call(chance, hours[number])
        events += [(stream(event), each) for each in (event, *fate(chance, number, event))]
    append(store, events)


def fate(chance: random.Random, number: int, event: Event) -> list[Event]:
    """The later events of a record."""
    assert isinstance(event, CallRated | CallSuspended)
    told: dict[str, Any] = {
        "device_id": event.device_id,
        "filed_at": event.filed_at,
        "cdr": event.cdr,
    }
    if isinstance(event, CallSuspended):  # priced when the missing price exists
        rating = rated(chance, received(0, chance.randrange(10**6)))
        keys: dict[str, Any] = {
            "source": "native",
            "digest": event.digest,
            "raw": "",
            "rating": rating,
        }
        return [CallRated(**told, **keys)] if number % 2 else []
    other = rated(chance, received(0, chance.randrange(10**6)))
    again = CallRerated(**told, before=event.rating, rating=other)
    voids = CallVoided(**told, reason="cascaded", rating=event.rating)
    partner = stream_of("upper", event.filed_at, event.cdr.key)
    linked = CallLinked(filed_at=event.filed_at, partner=partner, charged=number % 2 == 0)
    parted = CallParted(filed_at=event.filed_at, partner=partner, reason="two calls")
    back = CallReinstated(**told, rating=event.rating)
    fates: dict[int, list[Event]] = {
        0: [voided(event)],
        1: [again],
        2: [again, voided(again)],
        3: [linked, voids],
        4: [linked],
        5: [linked, voids, parted, back],
        6: [linked, voids, parted, back, CallRerated(**told, before=event.rating, rating=other)],
    }
    return fates.get(number % 17, [])


def call(chance: random.Random, hours: int) -> Event:
    """A call of a random account."""
    event = received(hours, chance.randrange(10**6), suspended=chance.random() < 0.05)
    assert isinstance(event, msgspec.Struct)
    cdr = msgspec.structs.replace(
        event.cdr,  # type: ignore[attr-defined]
        result=chance.choice(("answered", "busy", "no_answer")),
        billed_ms=chance.randrange(10**6),
    )
    rating = event.rating  # type: ignore[attr-defined]
    rating = rated(chance, event) if rating.status == "rated" else rating
    return msgspec.structs.replace(event, cdr=cdr, rating=rating)


def rated(chance: random.Random, event: Event) -> Rating:
    """A rating of a random account, with the amount of an event."""
    company = chance.choice(tuple(CURRENCIES))
    assert isinstance(event, CallRated)
    return msgspec.structs.replace(
        event.rating,
        company_id=company,
        user_account=chance.choice(("", f"user:{company}-{chance.randrange(3)}")),
        gateway_account=chance.choice(("", f"gateway:{company}")),
        call_class=chance.choice(("local", "national", "international", "internal", "")),
        area=chance.choice(("Madrid", "Lima", "")),
        billed_seconds=chance.randrange(900),
        currency=CURRENCIES[company],
    )


class Raw:
    """The charged calls of the log, from the events."""

    def __init__(self, store: Store) -> None:
        charged: dict[str, Charged] = {}
        for recorded in store.after(0, 10_000):
            match recorded.event:
                case CallRated() | CallReinstated() | CallRerated():
                    charged[recorded.stream] = recorded.event
                case CallVoided():
                    charged.pop(recorded.stream, None)
        self.calls = list(charged.values())

    def splits(self, asked: StatisticsFilter, key: Callable[[Charged], Any]) -> dict[Any, Split]:
        found: dict[Any, Split] = defaultdict(Split)
        for event in self.calls:
            if _admits(asked, event):
                figures = (
                    1,
                    int(event.cdr.result == "answered"),
                    event.cdr.billed_ms,
                    event.rating.billed_seconds,
                    event.rating.amount_micros,
                )
                split = found[key(event)]
                split.add(event.rating.call_class, event.rating.currency, figures)
        return dict(found)


def _admits(asked: StatisticsFilter, event: Charged) -> bool:
    rating, day = event.rating, event.filed_at.astimezone(PLACE).date()
    own = {"user": rating.user_account, "gateway": rating.gateway_account}.get(asked.kind, "x")
    return (
        asked.period.first <= day <= asked.period.last
        and asked.reach.holds(rating.company_id)
        and asked.company_id in ("", rating.company_id)
        and (own == asked.account if asked.account else own != "")
    )


def local(event: Charged) -> tuple[date, int]:
    at = event.filed_at.astimezone(PLACE)
    return at.date(), at.hour


KEYS: dict[str, Callable[[Charged], Any]] = {
    "hour": local,
    "day": lambda event: (local(event)[0], 0),
    "week": lambda event: (local(event)[0] - timedelta(days=local(event)[0].weekday()), 0),
    "month": lambda event: (local(event)[0].replace(day=1), 0),
}


def asked_for() -> list[StatisticsFilter]:
    """Yield every kind of statistic, of each period."""
    return [
        StatisticsFilter(
            reach=reach,
            kind=kind,  # type: ignore[arg-type]
            period=period,
            zone=PLACE,
            company_id=account if kind == "company" else company,
            account="" if kind == "company" else account,
        )
        for reach, period, (kind, accounts) in product(REACHES, PERIODS, ACCOUNTS.items())
        for account in accounts
        for company in (("",) if kind == "company" or account else ("", "acme"))
    ]


async def compare(url: str, raw: Raw) -> int:
    """Compute everything in both ways; return the number of figures."""
    compared = 0
    connection = await psycopg.AsyncConnection.connect(url, autocommit=True)
    async with connection:
        for asked in asked_for():
            for grain, key in KEYS.items():
                found = await reading.by_period(connection, asked, grain)  # type: ignore[arg-type]
                assert found == raw.splits(asked, key)
                compared += len(found)
            weekdays = await reading.by_weekday(connection, asked)
            assert weekdays == raw.splits(
                asked, lambda event: (local(event)[0].isoweekday(), local(event)[1])
            )
            areas = await reading.by_area(connection, asked)
            expected = raw.splits(asked, lambda event: event.rating.area)
            assert {area: split.total for area, split in areas.items()} == {
                area: split.total for area, split in expected.items()
            }
            if asked.ranked:
                await compare_ranking(connection, asked, raw)
            await compare_totals(connection, asked, raw)
    return compared


async def compare_ranking(connection: Any, asked: StatisticsFilter, raw: Raw) -> None:
    def whose(event: Charged) -> str:
        kinds = {
            "company": f"company:{event.rating.company_id}",
            "user": event.rating.user_account,
            "gateway": event.rating.gateway_account,
        }
        return kinds[str(asked.ranked)]

    expected = raw.splits(asked, whose)
    expected.pop("", None)
    for measure in reading.MEASURES:
        ranking = await reading.by_account(connection, asked, measure, "EUR")
        assert {row.account: row.split for row in ranking.rows} == expected
        values = [row.split.total.measure(measure, "EUR") for row in ranking.rows]
        assert values == sorted(values, reverse=True)
        assert ranking.accounts == len(expected)


async def compare_totals(connection: Any, asked: StatisticsFilter, raw: Raw) -> None:
    """The call list that a figure links to has the same total."""
    own = {f"{asked.kind}_account": asked.account or ANY} if asked.kind != "company" else {}
    wanted = CallFilter(
        reach=asked.reach,
        period=asked.period,
        zone=PLACE,
        status="charged",
        company_id=asked.company_id,
        **own,  # type: ignore[arg-type]
    )
    total = raw.splits(asked, lambda _: "").get("", Split()).total
    found = await total_calls(connection, wanted)
    assert figures_of(found) == (total.calls, total.answered, total.talk_ms, amounts_of(total))


def figures_of(totals: Any) -> tuple[Any, ...]:
    amounts = {each.currency: each.micros for each in totals.amounts}
    return totals.calls, totals.answered, totals.talk_ms, amounts


def amounts_of(figures: Figures) -> dict[str, int]:
    return figures.amounts


@pytest.mark.usefixtures("database_url")
def test_every_statistic_agrees_with_the_raw_events(
    database_url: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(store)
    monkeypatch.setattr(running, "BATCH", 50)
    own = runner(database_url, store)
    own.catch_up()
    own.close()
    raw = Raw(store)
    assert len(raw.calls) > 300
    assert {type(each) for each in raw.calls} == {CallRated, CallReinstated, CallRerated}
    assert asyncio.run(compare(database_url, raw)) > 1_000
