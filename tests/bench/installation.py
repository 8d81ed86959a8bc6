"""The installation to measure: a database with a company, a device and 100,000 prefixes."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from billing.aggregates.event import Envelope
from billing.cli.demo import synthetic_lines
from billing.commands import companies, devices, extensions, number_plan, rate_groups
from billing.database import migrate
from billing.log.store import Store
from billing.rating.rates import Rate, Tier
from billing.rating.seed_plan import seed_plan

PREFIXES = 100_000
SAID = Envelope(recorded_at=datetime.now(UTC), actor="system", address="bench")
ACCOUNT, PASSWORD = "bench", "s3cret-of-the-bench"
BEGIN = datetime(2026, 10, 2, tzinfo=UTC)
EXTENSIONS = [str(1000 + n) for n in range(500)]


@contextmanager
def database(server_url: str, name: str) -> Iterator[str]:
    """Yield the URL of a new migrated database."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"drop database if exists {name} with (force)".encode())
        connection.execute(f"create database {name}".encode())
    url = make_conninfo(server_url, dbname=name)
    migrate(url)
    yield url
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)".encode())


def install(url: str) -> None:
    """Set up the company, its device and its prices."""
    store = Store(url)
    plan = number_plan.ReplaceNumberPlan(
        layer="number-plan:seed", entries=tuple(seed_plan(["ES"], "es"))
    )
    number_plan.replace_number_plan(store, plan, SAID)
    group = rate_groups.CreateRateGroup(group_id="deck", name="Deck", currency="EUR")
    rate_groups.create_rate_group(store, group, SAID)
    rate_groups.change_rates(store, rate_groups.ChangeRates(group_id="deck", rates=deck()), SAID)
    company = companies.OpenCompany(
        company_id="acme", name="Acme", currency="EUR", time_zone="Europe/Madrid"
    )
    companies.open_company(store, company, SAID)
    bind = companies.BindRateGroup(company_id="acme", group_id="deck")
    companies.bind_rate_group(store, bind, SAID)
    device = devices.RegisterDevice(
        device_id="pbx",
        company_id="acme",
        name="PBX",
        time_zone="Europe/Madrid",
        country="ES",
        area_code="91",
    )
    devices.register_device(store, device, SAID)
    assignments = tuple(extensions.Assignment(extension=each) for each in EXTENSIONS)
    assign = extensions.AssignExtensions(device_id="pbx", assignments=assignments)
    extensions.assign_extensions(store, assign, SAID)
    store.close()
    with psycopg.connect(url, autocommit=True) as connection:
        devices.issue_device_password(connection, "pbx", ACCOUNT, PASSWORD)


def deck() -> tuple[Rate, ...]:
    """Return 100,000 prices: every country, with more and more digits after it."""
    chance = random.Random(4)  # noqa: S311 -- repeatable, not secret
    prefixes = {str(n) for n in range(1, 1000)}
    prefixes |= {"346", "347", "349", "3491", "34902", "34806"}
    while len(prefixes) < PREFIXES:
        prefixes.add(str(chance.randrange(10_000, 99_999_999)))
    return tuple(
        Rate(
            name=f"Destino {prefix}",
            prefix=prefix,
            tiers=(Tier(price=f"0.{chance.randrange(1, 9999):04}", unit_s=60, increment_s=1),),
        )
        for prefix in sorted(prefixes)
    )


def write_records(path: Path, count: int) -> None:
    """Write a file of native records over a month and a half of calls."""
    lines = synthetic_lines(
        random.Random(7),  # noqa: S311 -- repeatable, not secret
        count,
        begin=BEGIN,
        end=BEGIN + timedelta(days=45),
        extensions=EXTENSIONS,
        country="ES",
    )
    with path.open("wb") as file:
        file.writelines(lines)
