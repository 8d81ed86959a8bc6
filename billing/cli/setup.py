"""Commands for installers: administrators, companies, devices, first prices."""

import argparse
import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from billing.aggregates.company import CompanyOpened
from billing.aggregates.device import DeviceRegistered
from billing.aggregates.event import Envelope, Event
from billing.aggregates.number_plan import SEED
from billing.aggregates.rate_group import RateGroupCreated
from billing.commands import (
    administrators,
    companies,
    devices,
    number_plan,
    rate_groups,
    second_factors,
)
from billing.config import Config
from billing.database import Database, migrate
from billing.log.store import Recorded, Store
from billing.rating.rates import Rate, Tier
from billing.rating.seed_plan import seed_plan
from billing.values import Refused, is_digits, new_id

CHUNK = 5_000
WHOSE = """
select c.administrator_id, f.confirmed_at is not null
from administrator_credentials c
 left join second_factors f on f.administrator_id = c.administrator_id
where c.sign_in_name = %s"""


def said_here() -> Envelope:
    """Return an envelope for actions on the command line."""
    return Envelope(recorded_at=datetime.now(UTC), actor="system", address="command line")


def add_commands(commands: Any) -> None:
    """Add `admin add`, `admin reset`, `company add`, `device add`, `group add`, `plan seed`."""
    admins = _noun(commands, "admin", "Add an administrator or reset their access.")
    admin = _verb(admins, "add", run_admin, "Add an administrator.")
    admin.add_argument("name", help="sign-in name")
    admin.add_argument(
        "--role",
        default="administrator",
        help="administrator, operator or auditor (default: administrator)",
    )
    admin.add_argument("--language", default="es", choices=("es", "en"))
    admin.add_argument(
        "--company",
        action="append",
        default=[],
        help="limit access to this company (id or name); may be repeated",
    )
    reset = _verb(admins, "reset", run_reset, "Generate a new password and reset two-factor.")
    reset.add_argument("name", help="sign-in name")
    group = _command(commands, "group", "add", run_group, "Add a rate group with its prices.")
    group.add_argument("name")
    group.add_argument("--currency", default="EUR")
    group.add_argument("--rates", type=Path, help="CSV: prefix, name, price_per_minute")
    company = _command(commands, "company", "add", run_company, "Open a company account.")
    company.add_argument("name")
    company.add_argument("--currency", default="EUR")
    company.add_argument("--zone", default="", help="time zone (default: of the installation)")
    company.add_argument("--group", default="", help="the rate group that prices its calls")
    device = _command(commands, "device", "add", run_device, "Register a device.")
    device.add_argument("name")
    device.add_argument("--company", required=True, help="id or name of the company")
    device.add_argument("--zone", default="", help="time zone (default: of the installation)")
    device.add_argument("--country", required=True, help="two letters: ES")
    device.add_argument("--area", default="", help="area code for numbers dialled without it")
    device.add_argument("--format", default="auto")
    device.add_argument(
        "--account", default="", help="account name for submissions (default: generated)"
    )
    plan = _command(
        commands, "plan", "seed", run_plan, "Create the built-in number plan for some countries."
    )
    plan.add_argument("countries", nargs="+", metavar="COUNTRY", help="two letters: ES")
    plan.add_argument("--language", default="es", choices=("es", "en"))


def _command(commands: Any, noun: str, verb: str, run: Any, text: str) -> argparse.ArgumentParser:
    return _verb(_noun(commands, noun, text), verb, run, text)


def _noun(commands: Any, noun: str, text: str) -> Any:
    return commands.add_parser(noun, help=text).add_subparsers(required=True, metavar="COMMAND")


def _verb(verbs: Any, verb: str, run: Any, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(verb, help=text, description=text)
    parser.set_defaults(run=run)
    return parser


def run_admin(arguments: argparse.Namespace, config: Config) -> int:
    migrate(config.database_url)
    store = Store(config.database_url)
    command = administrators.AddAdministrator(
        administrator_id=new_id(),
        sign_in_name=arguments.name,
        role=arguments.role,
        language=arguments.language,
        companies=tuple(find(store, "company", CompanyOpened, each) for each in arguments.company),
    )
    with Database(config.database_url).connect() as connection:
        made = administrators.add_administrator(store, connection, command, said_here())
        store.close()
    print(
        f"name:     {arguments.name}\n"
        f"password: {made.password}   (shown once; must be changed at sign-in)"
    )
    return 0


def run_reset(arguments: argparse.Namespace, config: Config) -> int:
    """Reset an administrator who lost password, phone and codes; works on the machine only."""
    migrate(config.database_url)
    with Database(config.database_url).connect() as connection:
        row = connection.execute(WHOSE, (arguments.name.strip().lower(),)).fetchone()
        if not row:
            raise Refused("There is no administrator %(name)s.", name=arguments.name)
        own_id, second_factor, said = row[0], row[1], said_here()
        store = Store(config.database_url)
        command = administrators.ResetPassword(administrator_id=own_id)
        made = administrators.reset_password(store, connection, command, said)
        if second_factor:
            taken = second_factors.Reset(administrator_id=own_id)
            second_factors.reset(store, connection, taken, said)
        store.close()
    print(f"password: {made.password}   (shown once; must be changed at sign-in)")
    if second_factor:
        print("Two-factor was reset; it can be set up again.")
    return 0


def run_group(arguments: argparse.Namespace, config: Config) -> int:
    migrate(config.database_url)
    prices = read_prices(arguments.rates) if arguments.rates else ()
    group_id, store = new_id(), Store(config.database_url)
    create = rate_groups.CreateRateGroup(
        group_id=group_id, name=arguments.name, currency=arguments.currency
    )
    rate_groups.create_rate_group(store, create, said_here())
    if prices:
        rate_groups.change_rates(
            store, rate_groups.ChangeRates(group_id=group_id, rates=prices), said_here()
        )
    store.close()
    print(f"rate group {group_id}: {len(prices)} prices")
    return 0


def read_prices(path: Path) -> tuple[Rate, ...]:
    """Read prices from a CSV with the columns prefix, name, price_per_minute; billed by the second.

    Refused as a whole, with the number of the first wrong row.
    """
    if not path.is_file():
        raise Refused("There is no file %(file)s.", file=path)
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        wanted = {"prefix", "name", "price_per_minute"}
        if missing := wanted - set(rows.fieldnames or ()):
            raise Refused("The column %(column)s is missing.", column=min(missing))
        return tuple(_price(number, row) for number, row in enumerate(rows, start=2))


def _price(number: int, row: dict[str, str]) -> Rate:
    prefix = row["prefix"].strip().removeprefix("+")
    if not is_digits(prefix):
        raise Refused("Row %(row)s: the prefix must have digits only.", row=number)
    tier = Tier(from_s=0, price=row["price_per_minute"].strip(), unit_s=60, increment_s=1)
    return Rate(name=row["name"].strip(), prefix=prefix, tiers=(tier,))


def run_company(arguments: argparse.Namespace, config: Config) -> int:
    migrate(config.database_url)
    company_id, store = new_id(), Store(config.database_url)
    group = find(store, "rate-group", RateGroupCreated, arguments.group) if arguments.group else ""
    companies.open_company(
        store,
        companies.OpenCompany(
            company_id=company_id,
            name=arguments.name,
            currency=arguments.currency,
            time_zone=arguments.zone or config.time_zone,
        ),
        said_here(),
    )
    if group:
        bind = companies.BindRateGroup(company_id=company_id, group_id=group)
        companies.bind_rate_group(store, bind, said_here())
    store.close()
    print(f"company {company_id}" + ("" if group else ": no rate group yet, calls are suspended"))
    return 0


def run_device(arguments: argparse.Namespace, config: Config) -> int:
    migrate(config.database_url)
    device_id, store = new_id(), Store(config.database_url)
    devices.register_device(
        store,
        devices.RegisterDevice(
            device_id=device_id,
            company_id=find(store, "company", CompanyOpened, arguments.company),
            name=arguments.name,
            time_zone=arguments.zone or config.time_zone,
            country=arguments.country.upper(),
            area_code=arguments.area,
            format=arguments.format,
        ),
        said_here(),
    )
    store.close()
    account = arguments.account or f"device-{device_id}"
    with Database(config.database_url).connect() as connection:
        password = devices.issue_device_password(connection, device_id, account)
    print(f"device:   {device_id}\naccount:  {account}\npassword: {password}   (shown once)")
    return 0


def run_plan(arguments: argparse.Namespace, config: Config) -> int:
    migrate(config.database_url)
    countries = [country.upper() for country in arguments.countries]
    entries = tuple(seed_plan(countries, arguments.language))
    store = Store(config.database_url)
    command = number_plan.ReplaceNumberPlan(layer=SEED, entries=entries)
    number_plan.replace_number_plan(store, command, said_here())
    store.close()
    print(f"number plan of {', '.join(countries)}: {len(entries)} prefixes")
    return 0


def find(store: Store, kind: str, created: type[Event], wanted: str) -> str:
    """Return the id of the company, device or rate group with this id or name; Refused if none."""
    if any(isinstance(recorded.event, created) for recorded in store.load(f"{kind}:{wanted}")):
        return wanted
    found = [
        recorded.stream.partition(":")[2]
        for recorded in _events(store)
        if isinstance(recorded.event, created) and getattr(recorded.event, "name", "") == wanted
    ]
    if not found:
        raise Refused("There is no %(kind)s %(name)s.", kind=kind, name=wanted)
    if len(found) > 1:
        raise Refused("Several are named %(name)s; give the id.", name=wanted)
    return found[0]


def _events(store: Store) -> Iterator[Recorded]:
    position = 0
    while batch := store.after_without_calls(position, CHUNK):
        yield from batch
        position = batch[-1].position


def find_device(store: Store, url: str, wanted: str) -> str:
    """Return the id of the device with this id, name or account; Refused if there is none."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "select device_id from device_credentials where account = %s", (wanted,)
        ).fetchone()
    return row[0] if row else find(store, "device", DeviceRegistered, wanted)
