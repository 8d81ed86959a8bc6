"""The pages of prices: those valid on a day, two groups side by side, the history of one."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
import psycopg
from psycopg import AsyncConnection
from psycopg.rows import class_row

from billing.periods import UNDATED
from billing.queries.paging import Order, Page, Place, like
from billing.rating.rates import Rate, RateKey, key_of_target

KEY_TYPE = tuple[str]


class PriceFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which prices of a group at a moment; `text` is the first digits or part of the name."""

    group_id: str
    at: datetime
    text: str = ""


class PriceRow(msgspec.Struct, frozen=True, kw_only=True):
    """A price that is valid at a moment, and the next planned version of it."""

    target: str
    effective_from: datetime
    name: str
    price: Decimal | None
    unit_s: int | None
    rate: str
    next_from: datetime | None
    next_price: Decimal | None

    @property
    def whole(self) -> Rate:
        """The complete rate."""
        return msgspec.json.decode(self.rate, type=Rate)


class VersionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a price, also one that no longer applies."""

    target: str
    effective_from: datetime
    position: int
    kind: str
    standing: bool
    name: str
    price: Decimal | None
    unit_s: int | None
    rate: str
    recorded_at: datetime
    actor: str
    source: str

    @property
    def whole(self) -> Rate | None:
        """The complete rate; None if this version ends or removes a price."""
        return msgspec.json.decode(self.rate, type=Rate) if self.rate else None


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """The prices of two groups for the same target."""

    target: str
    name: str
    one: Decimal | None
    one_unit: int | None
    other: Decimal | None
    other_unit: int | None


IN_FORCE = """
select distinct on (target) target, effective_from, name, price, unit_s, rate, kind from prices
where group_id = %(group)s and standing and kind <> 'removed' and effective_from <= %(at)s"""
LIST = """
select f.target, f.effective_from, f.name, f.price, f.unit_s, f.rate,
 n.effective_from as next_from, n.price as next_price
from ({newest}) f
left join lateral (select effective_from, price from prices n
 where n.group_id = %(group)s and n.target = f.target and n.standing and n.kind <> 'removed'
  and n.effective_from > %(at)s order by n.effective_from limit 1) n on true
where f.kind = 'set' {where} {sort} {limit}"""
PLANNED = """
select target, effective_from, position, kind, standing, name, price, unit_s, rate, recorded_at,
 actor, source from prices
where group_id = %s and standing and kind <> 'removed' and effective_from > %s
order by effective_from, target limit %s"""
COMPARE = """
select target, coalesce(nullif(a.name, ''), b.name) as name, a.price as one, a.unit_s as one_unit,
 b.price as other, b.unit_s as other_unit
from (select * from ({one}) x where kind = 'set') a
full join (select * from ({other}) y where kind = 'set') b using (target)
where (not %(different)s or a.rate is distinct from b.rate) {beyond}
{sort} {limit}"""
HISTORY = """
select target, effective_from, position, kind, standing, name, price, unit_s, rate, recorded_at,
 actor, source from prices
where group_id = %s and target = %s order by effective_from desc, position desc"""
STANDING = """
select target, effective_from, rate from prices
where group_id = %(group)s and standing and kind <> 'removed'
order by target, effective_from desc"""
EXPORT = f"""
select rate from ({IN_FORCE} order by target, effective_from desc) f
where kind = 'set' order by target"""
BY_TARGET = Order({"target": "target"})


async def list_prices(
    connection: AsyncConnection[Any], wanted: PriceFilter, place: Place | None, size: int
) -> Page[PriceRow]:
    """Return one page of the prices valid at a moment, by target."""
    text = wanted.text
    inner, where, cut = "", "", BY_TARGET.cut(place, size)
    values: dict[str, Any] = {
        "group": wanted.group_id,
        "at": wanted.at,
        "begin": f"p:{text}",
        "part": like(text),
    }
    if text.isdigit():
        inner = " and starts_with(target, %(begin)s)"
    elif text:
        where = "and (f.name ilike %(part)s or f.target ilike %(part)s)"
    newest = f"{IN_FORCE} {inner} {cut.beyond} {cut.sort}, effective_from desc"
    statement = LIST.format(newest=newest, where=where, sort=cut.sort, limit=cut.limit)
    return await cut.fetch(connection, PriceRow, statement, values)


async def planned_prices(
    connection: AsyncConnection[Any], group_id: str, after: datetime, most: int
) -> list[VersionRow]:
    """Return at most `most` versions that begin or end after a moment, the next ones first."""
    async with connection.cursor(row_factory=class_row(VersionRow)) as cursor:
        await cursor.execute(PLANNED, (group_id, after, most))
        return await cursor.fetchall()


async def compare_groups(
    connection: AsyncConnection[Any],
    groups: tuple[str, str],
    at: datetime,
    place: Place | None,
    size: int,
    *,
    different: bool,
) -> Page[Compared]:
    """Return one page of two groups side by side; `different` leaves equal prices out."""
    values: dict[str, Any] = {"one": groups[0], "other": groups[1], "at": at}
    values["different"] = different
    cut = BY_TARGET.cut(place, size)
    newest = " order by target, effective_from desc"
    statement = COMPARE.format(
        one=IN_FORCE.replace("%(group)s", "%(one)s") + newest,
        other=IN_FORCE.replace("%(group)s", "%(other)s") + newest,
        beyond=cut.beyond,
        sort=cut.sort,
        limit=cut.limit,
    )
    return await cut.fetch(connection, Compared, statement, values)


async def history_of(
    connection: AsyncConnection[Any], group_id: str, target: str
) -> list[VersionRow]:
    """Return every version ever set for one target, the latest to begin first."""
    async with connection.cursor(row_factory=class_row(VersionRow)) as cursor:
        await cursor.execute(HISTORY, (group_id, target))
        return await cursor.fetchall()


def in_force(versions: list[VersionRow], at: datetime) -> VersionRow | None:
    """Return the version that is valid at a moment, as known today; None if there is none."""
    for version in versions:
        if version.standing and version.kind != "removed" and version.effective_from <= at:
            return version if version.kind == "set" else None
    return None


def moment_of(version: VersionRow | PriceRow) -> datetime | None:
    """Return when a version begins; None: it was always valid."""
    return None if version.effective_from <= UNDATED else version.effective_from


def all_prices(connection: psycopg.Connection[Any], group_id: str, at: datetime) -> Iterator[Rate]:
    """Yield every price valid at a moment, by target, streamed from the database."""
    decode = msgspec.json.Decoder(Rate).decode
    with connection.transaction(), connection.cursor("prices") as cursor:
        cursor.execute(EXPORT, {"group": group_id, "at": at})
        for (rate,) in cursor:
            yield decode(rate)


def every_version(connection: psycopg.Connection[Any], group_id: str) -> Iterator[Rate | RateKey]:
    """Yield every price and every end that was not removed, by target, latest first, streamed."""
    decode = msgspec.json.Decoder(Rate).decode
    with connection.transaction(), connection.cursor("versions") as cursor:
        cursor.itersize = 2_000
        cursor.execute(STANDING, {"group": group_id})
        for target, since, rate in cursor:
            yield decode(rate) if rate else key_of_target(target, since)
