"""Pairs of a cascade: the list, the page of a call, and separating a pair."""

import re
from datetime import timedelta

import httpx
import msgspec
import psycopg

from billing.aggregates.call import CallRated
from billing.aggregates.device import CascadeSet
from billing.cli.setup import said_here
from billing.commands.cascades import LinkCalls, Pair, link_calls
from billing.commands.devices import SetCascade, set_cascade
from billing.log.store import Pending, Store
from tests.web.serving import SignIn, add_administrator, catch_up

OWN_TABLE = re.compile(r'aria-labelledby="pairs".*?</section>', re.DOTALL)


def paired(url: str) -> tuple[str, str]:
    """Two linked copies of a call; return their ids: the charged one, and the voided one."""
    store, said = Store(url), said_here()
    rule = CascadeSet(upper="hoteles-pbx", start_seconds=10, duration_seconds=3)
    set_cascade(store, SetCascade(device_id="clinica-pbx", change=rule), said)
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "select call_id from call_list where direction = 'outbound' and status = 'rated'"
            " and talk_ms > 0 and amount_micros > 0 order by 1 limit 1"
        ).fetchone()
    assert found
    first = store.load(f"call:{found[0]}")[0].event
    assert isinstance(first, CallRated)
    streams = []
    for device, seconds in (("clinica-pbx", 0), ("hoteles-pbx", 4)):
        at = first.filed_at + timedelta(seconds=seconds)
        told = msgspec.structs.replace(first, device_id=device, filed_at=at)
        streams.append(f"call:{at:%Y-%m}:{device}:pair")
        store.append([Pending(streams[-1], 1, told, said)])
    link_calls(store, LinkCalls(pairs=(Pair(*streams),)), said)
    catch_up(url, store)
    store.close()
    return streams[0][5:], streams[1][5:]


def charged(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("select sum(charged_micros) from balances").fetchone()
    assert row
    return int(row[0])


def test_a_pair_is_shown_with_why_and_separated_once(
    database_url: str, site: str, sign_in: SignIn
) -> None:
    low, up = paired(database_url)
    add_administrator(database_url, "ana", "auditor")
    client = sign_in(site)
    listed = client.get("/cascades").text
    assert f'href="/calls/{low}"' in listed
    assert f'href="/calls/{up}"' in listed
    assert re.search(r"Same number; starts 4\.0 s apart,\s+durations 0\.0 s apart\.", listed)
    assert "Allowed: 10 s and 3 s." in listed
    assert "No pairs" in client.get("/cascades?state=parted").text
    assert client.get("/cascades?state=x").status_code == 400
    page = client.get(f"/calls/{up}").text
    assert "Voided: Charged by the record of another device" in page
    table = OWN_TABLE.search(page)
    assert table
    assert "starts 4.0 s apart" in table[0]
    assert "Separate the pair" in table[0]
    assert "Separate the pair" not in sign_in(site, "ana").get(f"/calls/{up}").text

    before = charged(database_url)
    answers = [part(client, up, page, reason) for reason in ("  ", "Reception called", "again")]
    assert [str(answer.headers["location"]) for answer in answers] == [f"/calls/{up}"] * 3
    store = Store(database_url)
    catch_up(database_url, store)
    (event,) = [each for each in store.load("device:hoteles-pbx") if each.topic == "PairParted.1"]
    store.close()
    assert event.envelope.actor.startswith("administrator:")
    with psycopg.connect(database_url) as connection:
        found = connection.execute(
            "select call_id, amount_micros from call_list"
            " where call_id = any(%s) and status = 'rated'",
            ([low, up],),
        ).fetchall()
    amounts: dict[str, int] = dict(found)
    assert amounts.keys() == {low, up}
    assert charged(database_url) == before + amounts[up]
    page = client.get(f"/calls/{up}").text
    assert "Separate the pair" not in page
    assert "Reception called" in page
    assert "The call is charged again" in page
    assert "Reception called" in client.get("/cascades?state=parted").text
    assert "Pair of calls separated" in client.get("/operations").text


def part(client: httpx.Client, call_id: str, page: str, reason: str) -> httpx.Response:
    """Send the form of a call's page."""
    csrf = re.search(r'name="csrf" value="([^"]+)"', page)
    assert csrf
    answer = client.post(
        "/cascades/part", data={"csrf": csrf[1], "call": call_id, "reason": reason}
    )
    assert answer.status_code == 303
    return answer
