"""`billing demo`: an installation to try out: companies, devices, prices, a month of calls."""

import random
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from billing.aggregates.number_plan import SEED
from billing.cli.setup import said_here
from billing.commands import (
    accounts,
    administrators,
    companies,
    devices,
    number_plan,
    rate_groups,
    route_prefixes,
    sub_accounts,
)
from billing.commands.extensions import AssignExtensions, Assignment, assign_extensions
from billing.config import Config
from billing.database import Database
from billing.ingest.files import ingest_file
from billing.log.store import Store
from billing.projections import projections
from billing.projections.runner import Runner
from billing.rating.numbers import RoutePrefix
from billing.rating.rates import Band, Rate, Tier
from billing.rating.seed_plan import seed_plan
from billing.values import MICROS, Money

LAB = "lab"  # id and account of the device for own submissions
CALLS = 4_000  # synthetic calls, spread over DAYS
DAYS = 30
COUNTRIES = {"EUR": ("ES", "91", "Europe/Madrid"), "PEN": ("PE", "1", "America/Lima")}
COMPANIES = {
    "clinica": ("Clínica Santa Águeda", "EUR", 12),
    "hoteles": ("Hoteles Costa Esmeralda", "EUR", 20),
    "gestoria": ("Gestoría Peñalver", "EUR", 8),
    "andamios": ("Andamios del Sur S.L.", "EUR", 10),
    "editorial": ("Editorial Miraflores S.A.C.", "PEN", 8),
}
# Per minute, by prefix; the class prices apply to numbers with other prefixes.
PRICES = {
    "EUR": {
        "346": ("España, móviles", "0.045"),
        "347": ("España, móviles", "0.045"),
        "34900": ("Número gratuito", "0"),
        "34902": ("Coste compartido", "0.09"),
        "33": ("Francia", "0.062"),
        "44": ("Reino Unido", "0.055"),
        "49": ("Alemania", "0.058"),
        "1": ("Estados Unidos y Canadá", "0.031"),
        "51": ("Perú", "0.12"),
        "5411": ("Argentina, Buenos Aires", "0.098"),
    },
    "PEN": {
        "519": ("Perú, móviles", "0.18"),
        "1": ("Estados Unidos y Canadá", "0.12"),
        "34": ("España", "0.25"),
        "56": ("Chile", "0.22"),
    },
}
CLASS_PRICES = {"EUR": ("0.018", "0.033", "0.35"), "PEN": ("0.06", "0.09", "1.10")}
# Numbers as people dial them, with their frequency.
DIALLED = {
    "ES": {
        "91{7}": 30, "93{7}": 8, "95{7}": 6, "6{8}": 28, "0034944{6}": 2, "900{6}": 2, "902{6}": 2,
        "0033{9}": 3, "0044{10}": 3, "0049{10}": 3, "001212{7}": 3, "0051{9}": 2, "005411{8}": 2,
        "112": 1, "806{6}": 1,
    },
    "PE": {"{7}": 30, "9{8}": 30, "054{6}": 6, "001212{7}": 4, "0034{9}": 4, "0056{9}": 4},
}  # fmt: skip
RESULTS = {"ANSWERED": 78, "NO ANSWER": 13, "BUSY": 7, "FAILED": 2}


class NativeRecord(msgspec.Struct, omit_defaults=True):
    """A record in the native format."""

    id: str
    start: datetime
    end: datetime
    duration_ms: int
    bill_ms: int
    src: str
    dst: str
    disposition: str
    answer: datetime | None = None


def create(store: Store, config: Config) -> None:
    """Make the demo installation unless it exists; print what it contains and how to sign in."""
    if store.load("company:clinica"):
        print("The demo data already exists; its password was shown when it was created.")
        return
    password = _administrator(store, config)
    _prices(store)
    for company_id in COMPANIES:
        _company(store, company_id)
    counts = _calls(store) + _captures(store)
    with Database(config.database_url).connect() as connection:
        secret = devices.issue_device_password(connection, LAB, LAB)
    runner = Runner(config.database_url, store, projections(config.time_zone))
    runner.catch_up()
    runner.close()
    print(f"{len(COMPANIES)} companies, {counts} call records.")
    print(f"Sign in as   admin\nwith         {password}   (shown once)")
    print(f"Submit as    {LAB}\nwith         {secret}   (shown once)", flush=True)


def _administrator(store: Store, config: Config) -> str:
    command = administrators.AddAdministrator(
        administrator_id="demo", sign_in_name="admin", name="Marta Ruiz"
    )
    with Database(config.database_url).connect() as connection:
        made = administrators.add_administrator(store, connection, command, said_here())
    return made.password


def _prices(store: Store) -> None:
    entries = tuple(seed_plan([country for country, _, _ in COUNTRIES.values()], "es"))
    command = number_plan.ReplaceNumberPlan(layer=SEED, entries=entries)
    number_plan.replace_number_plan(store, command, said_here())
    for currency in COUNTRIES:
        group_id = f"standard-{currency.lower()}"
        rate_groups.create_rate_group(
            store,
            rate_groups.CreateRateGroup(
                group_id=group_id, name=f"Estándar {currency}", currency=currency
            ),
            said_here(),
        )
        deck = (*_class_rates(currency), *_prefix_rates(currency))
        rate_groups.change_rates(
            store, rate_groups.ChangeRates(group_id=group_id, rates=deck), said_here()
        )


def _flat(price: str) -> tuple[Tier, ...]:
    return (Tier(from_s=0, price=price, unit_s=60, increment_s=1),)


def _prefix_rates(currency: str) -> list[Rate]:
    return [
        Rate(name=name, prefix=prefix, tiers=_flat(price), connect_fee="0")
        for prefix, (name, price) in PRICES[currency].items()
    ]


def _class_rates(currency: str) -> list[Rate]:
    local, national, international = CLASS_PRICES[currency]
    night = Band(
        name="noche", from_time="20:00:00", to_time="24:00:00", weight=1, tiers=_flat("0.009")
    )
    day = Band(name="día", tiers=_flat(local))
    return [
        Rate(name="local", call_class="local", bands=(day, night)),
        Rate(name="national", call_class="national", tiers=_flat(national), connect_fee="0.05"),
        Rate(name="international", call_class="international", tiers=_flat(international)),
    ]


def _company(store: Store, company_id: str) -> None:
    name, currency, extensions = COMPANIES[company_id]
    zone = COUNTRIES[currency][2]
    companies.open_company(
        store,
        companies.OpenCompany(
            company_id=company_id, name=name, currency=currency, time_zone=zone, payment="prepaid"
        ),
        said_here(),
    )
    bind = companies.BindRateGroup(company_id=company_id, group_id=f"standard-{currency.lower()}")
    companies.bind_rate_group(store, bind, said_here())
    recharge = accounts.RechargeAccount(
        account=f"company:{company_id}",
        amount=Money(250 * MICROS, currency),
        reason="Saldo inicial",
        reference="DEMO-1",
    )
    accounts.recharge(store, recharge, said_here())
    user = f"user:{company_id}-recepcion"
    sub_accounts.open_sub_account(
        store,
        sub_accounts.OpenSubAccount(account=user, company_id=company_id, name="Recepción"),
        said_here(),
    )
    device_id = f"{company_id}-pbx"
    device_name = f"Centralita {name.split()[0]}"
    _device(store, device_id, company_id, name=device_name, currency=currency, model="Asterisk 20")
    assignments = tuple(
        Assignment(extension=str(101 + i), account=user if i < 2 else "")  # noqa: PLR2004 -- the reception has two
        for i in range(extensions)
    )
    assign = AssignExtensions(device_id=device_id, assignments=assignments)
    assign_extensions(store, assign, said_here())
    prefix = RoutePrefix(order=1, prefix="9", replacement="", min_rest=11, max_rest=15)
    rules = route_prefixes.SetRoutePrefixes(device_id=device_id, rules=(prefix,))
    route_prefixes.set_route_prefixes(store, rules, said_here())


def _calls(store: Store) -> int:
    """Submit the synthetic records of every company; return how many."""
    now, total = datetime.now(UTC), 0
    for company_id, (_, currency, extensions) in COMPANIES.items():
        country = COUNTRIES[currency][0]
        lines = synthetic_lines(
            random.Random(company_id),  # noqa: S311 -- repeatable, not secret
            CALLS // len(COMPANIES),
            begin=now - timedelta(days=DAYS),
            end=now,
            extensions=[str(101 + i) for i in range(extensions)],
            country=country,
        )
        with tempfile.NamedTemporaryFile(suffix=".ndjson") as file:
            file.writelines(lines)
            file.flush()
            counts = ingest_file(
                store,
                Path(file.name),
                device_id=f"{company_id}-pbx",
                record_format="native",
                envelope=said_here(),
                progress=lambda *_: None,
            )
        total += counts["read"]
    return total


def _captures(store: Store) -> int:
    """Register a device for trying things out, with the captured records of a real one."""
    model = "FreeSWITCH, Asterisk, Kamailio"
    _device(store, LAB, "clinica", name="Laboratorio", currency="EUR", model=model)
    count = 0
    for path in sorted(captures_folder().glob("*.csv")):
        counts = ingest_file(
            store,
            path,
            device_id=LAB,
            record_format="asterisk",
            envelope=said_here(),
            progress=lambda *_: None,
        )
        count += counts["read"]
    return count


def captures_folder() -> Path:
    """Return the folder of captures of a real Asterisk: in tests/, or inside the package."""
    inside = Path(__file__).parent / "captures"
    return inside if inside.exists() else Path(__file__).parents[2] / "tests/captures/asterisk"


def _device(
    store: Store, device_id: str, company_id: str, *, name: str, currency: str, model: str
) -> None:
    country, area_code, zone = COUNTRIES[currency]
    devices.register_device(
        store,
        devices.RegisterDevice(
            device_id=device_id,
            company_id=company_id,
            name=name,
            time_zone=zone,
            country=country,
            area_code=area_code,
            model=model,
        ),
        said_here(),
    )


def synthetic_lines(
    chance: random.Random,
    count: int,
    *,
    begin: datetime,
    end: datetime,
    extensions: list[str],
    country: str,
) -> Iterator[bytes]:
    """Yield records in the native format, by time, with a realistic mix of calls."""
    seconds = (end - begin).total_seconds()
    patterns, weights = list(DIALLED[country]), list(DIALLED[country].values())
    results, chances = list(RESULTS), list(RESULTS.values())
    encode = msgspec.json.Encoder().encode
    mark = f"{begin:%y%m%d%H%M%S}"
    for i in range(count):
        start = begin + timedelta(seconds=int(seconds * i / count) + chance.random())
        ring = timedelta(milliseconds=chance.randrange(1_000, 20_000))
        result = chance.choices(results, chances)[0]
        talk_ms = int(chance.expovariate(1 / 150_000)) + 1_000 if result == "ANSWERED" else 0
        end_at = start + ring + timedelta(milliseconds=talk_ms)
        internal = len(extensions) > 1 and chance.random() < 0.05  # noqa: PLR2004 -- one in twenty
        record = NativeRecord(
            id=f"{mark}.{i}",
            start=start,
            end=end_at,
            answer=start + ring if talk_ms else None,
            duration_ms=int((end_at - start).total_seconds() * 1000),
            bill_ms=talk_ms,
            src=chance.choice(extensions),
            dst=chance.choice(extensions)
            if internal
            else _number(chance, chance.choices(patterns, weights)[0]),
            disposition=result,
        )
        yield encode(record) + b"\n"


def _number(chance: random.Random, pattern: str) -> str:
    """Return a random number of a pattern: "91{7}" is 91 and seven digits, the first not 0 or 1."""
    head, _, tail = pattern.partition("{")
    digits = int(tail.rstrip("}") or 0)
    if not digits:
        return head
    return (
        head + str(chance.randrange(2, 9)) + f"{chance.randrange(10 ** (digits - 1)):0{digits - 1}}"
    )
