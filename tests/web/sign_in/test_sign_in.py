"""Sign-in, sign-out, and changing the password."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from billing.commands.attempts import LONGEST_WAIT, Throttle, forget_old
from billing.web.kit.throttle import BY_ACCOUNT, BY_ADDRESS, BY_CODE, BY_TOKEN, NOTED
from tests.trust import TRUST
from tests.web.kit.test_access import csrf_of
from tests.web.serving import PASSWORD, SignIn, add_administrator, add_to_log, served

THROTTLES = (BY_ACCOUNT, BY_ADDRESS, BY_CODE, BY_TOKEN, NOTED)
NEW = "another horse battery"


def attempt(address: str, name: str, password: str) -> httpx.Response:
    return httpx.post(
        f"{address}/sign-in",
        data={"name": name, "password": password},
        headers={"origin": address, "accept-language": "en"},
        verify=TRUST,
    )


def test_a_wrong_name_and_a_wrong_password_look_alike(empty_site: str) -> None:
    wrong_password, wrong_name = attempt(empty_site, "marta", "x"), attempt(empty_site, "eve", "x")
    assert wrong_password.status_code == wrong_name.status_code == 422
    assert wrong_password.text.replace("marta", "eve") == wrong_name.text
    assert "The name or the password is wrong." in wrong_name.text
    assert 'aria-invalid="true"' in wrong_name.text


def test_the_name_may_be_typed_in_capitals_and_with_spaces(empty_site: str) -> None:
    assert attempt(empty_site, " Marta ", PASSWORD).status_code == 303


def test_what_is_typed_is_shown_escaped(empty_site: str) -> None:
    assert "<script>alert" not in attempt(empty_site, '"><script>alert(1)</script>', "x").text


def test_guessing_is_slowed_down_and_the_wait_is_told(empty_site: str) -> None:
    answers = [attempt(empty_site, "marta", "guess") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [422] * 5 + [429]
    assert 50 <= int(answers[-1].headers["retry-after"]) <= 60
    assert "Too many attempts." in answers[-1].text
    assert attempt(empty_site, "marta", PASSWORD).status_code == 429


def test_only_the_tokens_hash_is_kept(database_url: str, empty_site: str, sign_in: SignIn) -> None:
    token = sign_in(empty_site).cookies["session"]
    with psycopg.connect(database_url) as connection:
        row = connection.execute("select token_hash, address, browser from sessions").fetchone()
    assert row
    assert token.encode() not in row[0]
    assert row[1:] == ("127.0.0.1", httpx.Client().headers["user-agent"])


def test_signing_out_ends_the_session_in_the_table_too(empty_site: str, sign_in: SignIn) -> None:
    client = sign_in(empty_site)
    token = client.cookies["session"]
    assert client.post("/sign-out", data={"csrf": csrf_of(client)}).status_code == 303
    assert "session" not in client.cookies
    stolen = httpx.get(f"{empty_site}/calls", headers={"cookie": f"session={token}"})
    assert stolen.status_code == 302


def test_a_session_lasts_twelve_hours_after_its_last_use(
    database_url: str, empty_site: str, sign_in: SignIn
) -> None:
    client = sign_in(empty_site)
    ago = datetime.now(UTC) - timedelta(hours=11)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "update sessions set seen_at = %s, expires_at = %s", (ago, ago + timedelta(hours=12))
        )
        assert client.get("/companies").status_code == 200
        row = connection.execute("select expires_at from sessions").fetchone()
        assert row
        assert row[0] > datetime.now(UTC) + timedelta(hours=11, minutes=55)
        connection.execute("update sessions set expires_at = %s", (datetime.now(UTC),))
    assert client.get("/companies").status_code == 302


def test_who_must_change_the_password_gets_nowhere_else_before(
    database_url: str, empty_site: str, sign_in: SignIn
) -> None:
    add_administrator(database_url, "nuria", must_change=True)
    add_to_log(database_url, "nuria")
    client, other = sign_in(empty_site, "nuria"), sign_in(empty_site, "nuria")
    for path in ("/", "/calls", "/devices", "/calls/export.csv"):
        assert client.get(path).headers["location"] == "/password"
    page = client.get("/password").text
    assert "Choose your own password" in page
    assert 'href="/companies"' not in page
    csrf = page.split('name="csrf" value="')[1].split('"')[0]
    for current, new, again, problem in (
        ("wrong", NEW, NEW, "This is not your current password."),
        (PASSWORD, "short", "short", "Use at least 12 characters."),
        (PASSWORD, PASSWORD, PASSWORD, "The new password is the same as the old one."),
        (PASSWORD, NEW, "different", "The two new passwords differ."),
    ):
        form = {"csrf": csrf, "current": current, "new": new, "again": again}
        answer = client.post("/password", data=form)
        assert answer.status_code == 422
        assert problem in answer.text
    form = {"csrf": csrf, "current": PASSWORD, "new": NEW, "again": NEW}
    assert client.post("/password", data=form).status_code == 303
    assert client.get("/companies").status_code == 200
    assert other.get("/companies").status_code == 302, "other sessions end"
    assert attempt(empty_site, "nuria", PASSWORD).status_code == 422
    assert attempt(empty_site, "nuria", NEW).status_code == 303


def test_a_weak_password_is_refused_with_what_to_do(
    database_url: str, empty_site: str, sign_in: SignIn
) -> None:
    add_administrator(database_url, "nuria", must_change=True)
    client = sign_in(empty_site, "nuria")
    csrf = client.get("/password").text.split('name="csrf" value="')[1].split('"')[0]
    for new, problem in (
        ("aaaaaaaaaaaaaa", "Repeated characters are easy to guess."),
        ("NuriaRuiz2026", "Your name and the product&#39;s are easy to guess."),
        ("contraseña1234", "This password is among the first that attackers try."),
    ):
        form = {"csrf": csrf, "current": PASSWORD, "new": new, "again": new}
        answer = client.post("/password", data=form)
        assert answer.status_code == 422
        assert problem in answer.text
        assert "Use four unrelated words." in answer.text
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("delete from attempts")


def test_a_restart_forgives_nobody(database_url: str, tmp_path: Path) -> None:
    add_administrator(database_url)
    with served(database_url, tmp_path) as address:
        for _ in range(5):
            assert attempt(address, "marta", "guess").status_code == 422
    with served(database_url, tmp_path) as address:
        assert attempt(address, "marta", PASSWORD).status_code == 429
        assert attempt(address, "nuria", PASSWORD).status_code == 422, "another account"


def test_an_address_that_tries_many_names_is_slowed_down(empty_site: str) -> None:
    answers = [attempt(empty_site, f"name{number}", "x").status_code for number in range(30)]
    assert answers[:20] == [422] * 20
    assert 429 in answers


def test_whoever_floods_the_door_floods_neither_the_log_nor_the_buckets(
    database_url: str, empty_site: str
) -> None:
    for number in range(40):
        attempt(empty_site, f"name{number}", "x")
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("select reason, count(*) from sign_ins group by 1 order by 1")
        (name, admitted), throttled = rows.fetchall()
        assert name == "name"
        assert admitted < 40
        assert throttled == ("throttled", 1)
        buckets = connection.execute("select count(*) from attempts where bucket like 'account:%'")
        assert buckets.fetchone() == (admitted,)


def test_people_behind_one_address_do_not_use_up_each_others_attempts(empty_site: str) -> None:
    answers = {attempt(empty_site, "marta", PASSWORD).status_code for _ in range(25)}
    assert answers == {303}


def test_behind_a_proxy_people_are_told_apart_and_nobody_chooses_an_address(
    database_url: str, tmp_path: Path
) -> None:
    def come(address: str, forwarded: str) -> None:
        form = {"name": "eve", "password": "x"}
        headers = {"origin": address, "x-forwarded-for": forwarded}
        httpx.post(f"{address}/sign-in", data=form, headers=headers)

    for number, proxies in enumerate((0, 1)):
        with served(database_url, tmp_path / str(number), proxies=proxies) as address:
            come(address, "198.51.100.9, 192.0.2.7")
            come(address, "2001:db8::7")
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("select address from sign_ins order by id").fetchall()
    assert [row[0] for row in rows] == ["127.0.0.1", "127.0.0.1", "192.0.2.7", "2001:db8::7"]


def test_a_disabled_administrator_is_told_no_more_than_others(
    database_url: str, empty_site: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("update administrators set enabled = false")
        assert attempt(empty_site, "marta", PASSWORD).status_code == 422
        reason = connection.execute("select reason from sign_ins").fetchone()
    assert reason == ("disabled_name",)


def test_of_many_guesses_at_once_no_more_are_checked_than_are_allowed(
    database_url: str, empty_site: str
) -> None:
    async def guess() -> Counter[int]:
        async with httpx.AsyncClient(headers={"origin": empty_site}, timeout=60) as client:
            forms = [{"name": "marta", "password": f"guess {number}"} for number in range(100)]
            sent = [client.post(f"{empty_site}/sign-in", data=form) for form in forms]
            return Counter(answer.status_code for answer in await asyncio.gather(*sent))

    assert asyncio.run(guess()) == {422: BY_ACCOUNT.burst, 429: 100 - BY_ACCOUNT.burst}
    with psycopg.connect(database_url) as connection:
        checked = connection.execute("select count(*) from sign_ins where reason = 'password'")
        assert checked.fetchone() == (BY_ACCOUNT.burst,)


@pytest.mark.parametrize("throttle", THROTTLES, ids=lambda throttle: throttle.name)
def test_every_bucket_counts_tries_at_once_and_is_empty_within_a_quarter_of_an_hour(
    throttle: Throttle, database_url: str
) -> None:
    now = datetime.now(UTC)

    async def take(pool: AsyncConnectionPool[Any], at: datetime) -> int:
        async with pool.connection() as connection:
            return await throttle.wait_seconds(connection, "a", at)

    async def take_many(at: datetime) -> list[int]:
        async with AsyncConnectionPool(
            database_url, kwargs={"autocommit": True}, min_size=4, max_size=4, open=False
        ) as pool:
            return await asyncio.gather(*(take(pool, at) for _ in range(60)))

    for at in (now + timedelta(days=365), now, now + LONGEST_WAIT):  # a clock that was wrong
        waits = asyncio.run(take_many(at))
        let_in = waits.count(0)
        assert let_in == (0 if at == now else throttle.burst)
        assert max(waits) <= throttle.every_seconds <= LONGEST_WAIT.total_seconds()


def test_a_flood_of_addresses_is_forgotten_and_who_must_wait_is_not(database_url: str) -> None:
    now = datetime.now(UTC)

    async def flood() -> tuple[int, list[tuple[str]]]:
        async with await psycopg.AsyncConnection.connect(
            database_url, autocommit=True
        ) as connection:
            for _ in range(BY_ACCOUNT.burst):
                await BY_ACCOUNT.wait_seconds(connection, "marta", now)
            await connection.execute(
                "insert into attempts select 'address:' || n, 1, %s from generate_series(1, 900) n",
                (now - LONGEST_WAIT - timedelta(seconds=1),),
            )
            await forget_old(connection, now)
            await forget_old(connection, now)
            wait = await BY_ACCOUNT.wait_seconds(connection, "marta", now)
            left = await connection.execute("select bucket from attempts order by bucket")
            return wait, await left.fetchall()

    wait, left = asyncio.run(flood())
    assert wait == BY_ACCOUNT.every_seconds
    assert left == [("account:marta",), ("sweep:",)]


def test_a_bucket_leaks(database_url: str) -> None:
    throttle = Throttle("test", burst=2, every_seconds=10)
    start = datetime(2026, 11, 25, tzinfo=UTC)

    async def waits(*asked: tuple[str, int]) -> list[int]:
        async with await psycopg.AsyncConnection.connect(
            database_url, autocommit=True
        ) as connection:
            found = [
                await throttle.wait_seconds(connection, key, start + timedelta(seconds=at))
                for key, at in asked
            ]
            await throttle.forget(connection, "a")
            return found

    asked = (("a", 0), ("a", 0), ("a", 0), ("b", 0), ("a", 4), ("a", 10), ("a", 10))
    assert asyncio.run(waits(*asked)) == [0, 0, 10, 0, 6, 0, 10]
    assert asyncio.run(waits(("a", 10))) == [0]
