"""Decks in their own process: the previewed impact equals the result of a re-rating."""

import asyncio
import random
import threading
from datetime import UTC, datetime, timedelta
from itertools import count
from zoneinfo import ZoneInfo

import psycopg
import pytest
from msgspec.structs import replace

from billing.aggregates.rate_group import DeckImported
from billing.cli.setup import said_here
from billing.commands import companies, number_plan, rate_groups
from billing.commands.calls import SubmitCalls, submit
from billing.commands.catalogue import Catalogue
from billing.commands.rate_groups import load_rate_group
from billing.commands.rerating import ReratingTotal
from billing.decks import uploads
from billing.log.store import Store
from billing.offload.process import Offload
from billing.offload.tasks import Answer, Apply, Copy, Preview, Previewed, Undo, Wish
from billing.periods import last_month
from billing.rating.rates import Band, Rate, Tier
from billing.rating.seed_plan import seed_plan
from billing.rerating.worker import Worker
from billing.values import Refused
from tests.commands.test_calls import record
from tests.ingest.serving import install
from tests.rerating.test_worker import ask, catch_up, find

ZONE = ZoneInfo("Europe/Madrid")
SAID = said_here()
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
OCTOBER = last_month(NOW, ZONE.key)
DECK = """Destino;Prefijo;Precio;Incrementos;Conexión
España;34;0,0213;1;
España móvil;346;0,0187;60/60;
Madrid;3491;0,0031;30/6;0,02
Número 806;34806;1,21;1;
Toda la 9;9;0,5;1;
Alemania;49;0,061;60/1;
Perú;51;0,4;;
"""
COLUMNS = {"name": 0, "prefix": 1, "price": 2, "increment": 3, "connect_fee": 4}
EVENING = Band(name="evening", from_time="18:00", to_time="24:00", tiers=(Tier(price="0.0099"),))
NUMBERS = (
    "914230628",
    "934567890",
    "612345678",
    "0034612345678",
    "00493012345678",
    "0051987654321",
    "806123456",
    "112",
    "911",
    "900123456",
)


def ask_for(url: str, request: Preview | Apply | Undo | Copy) -> Answer:
    return asyncio.run(Offload(url).run(request))


def keep(url: str, text: str, upload_id: str = "u1", group_id: str = "g") -> None:
    upload = uploads.Upload(upload_id, group_id, "deck.csv", text.encode())
    with psycopg.connect(url, autocommit=True) as connection:
        uploads.keep(connection, upload, "administrator:marta")


def look(url: str, *, complete: bool = False, upload_id: str = "u1", group: str = "g") -> Previewed:
    wish = Wish(
        header=1,
        columns=COLUMNS,
        zone=ZONE.key,
        effective_from=None,
        unit_s=60,
        increment="1",
        complete=complete,
    )
    request = Preview(group_id=group, upload_id=upload_id, wish=wish, now=NOW)
    found = ask_for(url, request).previewed
    assert found
    return found


@pytest.fixture
def october(store: Store, database_url: str) -> Store:
    """300 calls in October of a company in Lima: evenings, special numbers, several areas."""
    install(database_url)
    plan = number_plan.ReplaceNumberPlan(
        layer="number-plan:seed", entries=tuple(seed_plan(["ES"], "es"))
    )
    number_plan.replace_number_plan(store, plan, SAID)
    change = companies.ChangeCompany(
        company_id="acme", name="Acme", time_zone="America/Lima", payment="postpaid"
    )
    companies.change_company(store, change, SAID)
    prices = (
        Rate(name="España", prefix="34", tiers=(Tier(price="0.018"),), bands=(EVENING,)),
        Rate(name="Madrid", area="Madrid", tiers=(Tier(price="0.005"),)),
        Rate(name="internacional", call_class="international", tiers=(Tier(price="0.3"),)),
        Rate(name="Adicional", prefix="34806", tiers=(Tier(price="0.9"),)),
    )
    rate_groups.change_rates(store, rate_groups.ChangeRates(group_id="g", rates=prices), SAID)
    dice, number = random.Random(8), count()  # noqa: S311 -- reproducible
    records = []
    for _ in range(300):
        began = OCTOBER[0] + timedelta(seconds=dice.randrange(31 * 86_400))
        if dice.random() < 0.3:  # at the start of the evening in Lima: rings before it
            began = began.replace(hour=22, minute=59, second=50)
        talked = dice.choice((0, 1, 59, 60, 61, dice.randrange(7_000)))
        answered = began + timedelta(seconds=12)
        records.append(
            record(
                f"o{next(number)}",
                started_at=began,
                answered_at=answered if talked else None,
                ended_at=answered + timedelta(seconds=talked),
                billed_ms=talked * 1000,
                duration_ms=talked * 1000 + 12_000,
                called=dice.choice(NUMBERS),
                result="answered" if talked else "busy",
            )
        )
    submit(store, Catalogue(), [SubmitCalls(device_id="pbx", records=records, envelope=SAID)])
    catch_up(database_url, store)
    return store


@pytest.mark.parametrize("complete", [False, True], ids=["some prices", "all of them"])
def test_the_impact_on_last_month_equals_a_what_if_to_the_cent(
    october: Store, database_url: str, complete: bool
) -> None:
    deck = "".join(
        line
        for line in DECK.splitlines(keepends=True)
        if not (complete and ("806" in line or "Alemania" in line))
    )
    keep(database_url, deck)
    impact = look(database_url, complete=complete).impact
    assert impact is not None
    assert impact.calls > 150
    line = what_if(october, database_url, deck, complete=complete)
    assert impact.before_micros == line.old_micros
    # A what-if leaves calls unchanged that would have no price; the impact counts them as zero.
    assert impact.after_micros + unpriced_micros(database_url, complete) == line.new_micros
    assert impact.before_micros != impact.after_micros
    assert (impact.unpriced, bool(impact.unpriced)) == (line.stuck, complete)
    assert impact.unpriced < impact.changed < impact.calls


def what_if(store: Store, url: str, deck: str, *, complete: bool) -> ReratingTotal:
    """The cost of October with a copy of the group, if the deck had applied from then on."""
    copy = rate_groups.CopyRateGroup(group_id="b", name="Plan B", original_id="g")
    ask_for(url, Copy(command=copy, envelope=SAID))
    catch_up(url, store)
    keep(url, deck, "u2", "b")
    look(url, complete=complete, upload_id="u2", group="b")
    ask_for(url, Apply(group_id="b", upload_id="u2", envelope=SAID))
    imported = store.load("rate-group:b")[-1].event
    assert isinstance(imported, DeckImported)
    earlier = tuple(replace(price, effective_from=None) for price in imported.rates)
    rate_groups.change_rates(store, rate_groups.ChangeRates(group_id="b", rates=earlier), SAID)
    for key in imported.ended:
        gone = replace(key, effective_from=None)
        rate_groups.remove_rate(store, rate_groups.RemoveRate(group_id="b", key=gone), SAID)
    catch_up(url, store)
    correction = ask(url, "what_if", with_group="b", begin=OCTOBER[0], end=OCTOBER[1])
    catch_up(url, store)
    worker = Worker(url, store, threading.Event())
    assert worker.work()
    worker.close()
    (line,) = find(url, correction).lines
    return line


def unpriced_micros(url: str, complete: bool) -> int:
    """The cost of the calls that lose their price."""
    with psycopg.connect(url) as connection:
        query = "select sum(amount_micros)::bigint from call_list where number like '+34806%'"
        ((cost,),) = connection.execute(query).fetchall()
    return int(cost) if complete else 0


def test_a_deck_is_imported_once_and_undone_and_a_group_is_copied(
    store: Store, database_url: str
) -> None:
    install(database_url)
    catch_up(database_url, store)
    with pytest.raises(Refused, match="Run the preview first"):
        ask_for(database_url, Apply(group_id="g", upload_id="u1", envelope=SAID))
    keep(database_url, DECK)
    assert look(database_url).changed == 7
    for _ in range(2):
        ask_for(database_url, Apply(group_id="g", upload_id="u1", envelope=SAID))
    log = store.load("rate-group:g")
    assert sum(isinstance(each.event, DeckImported) for each in log) == 1
    before = load_rate_group(store, "g")
    undo = Undo(command=rate_groups.UndoImport(group_id="g", import_id="u1"), envelope=SAID)
    ask_for(database_url, undo)
    assert len(before.prices) == len(load_rate_group(store, "g").prices) + 5
    with pytest.raises(Refused, match="already undone"):
        ask_for(database_url, undo)
    catch_up(database_url, store)
    copy = Copy(
        command=rate_groups.CopyRateGroup(group_id="c", name="Copy", original_id="g"), envelope=SAID
    )
    ask_for(database_url, copy)
    assert load_rate_group(store, "c").prices == load_rate_group(store, "g").prices


def test_invalid_rows_are_reported_and_nothing_is_prepared_for_import(
    store: Store, database_url: str
) -> None:
    install(database_url)
    catch_up(database_url, store)
    keep(database_url, DECK)
    look(database_url)
    keep(database_url, DECK + "Mal;x;-1;;\n", "u3")
    found = look(database_url, upload_id="u3")
    assert [(each.row, each.column) for each in found.wrong] == [(9, "price")]
    assert (found.wrong_rows, found.counts, found.changed) == (1, None, 0)
    with pytest.raises(Refused, match="Run the preview first"):
        ask_for(database_url, Apply(group_id="g", upload_id="u3", envelope=SAID))
    with pytest.raises(Refused, match="no longer available"):
        look(database_url, upload_id="u4")
