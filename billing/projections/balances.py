"""Balances of wallets, their movements, and the positions of their charges in the log."""

import struct
from collections.abc import Sequence
from datetime import date
from typing import Any

import msgspec
from psycopg import Cursor

from billing.aggregates.account import RechargeReversed
from billing.aggregates.company import CompanyOpened
from billing.aggregates.posting import Posting
from billing.aggregates.sub_account import GatewayAccountOpened, UserAccountOpened
from billing.log.store import Recorded
from billing.periods import local_day
from billing.projections.postings import postings_in

NAME = "balances"
TABLES = ("balances", "movements", "account_marks", "account_charges", "balance_days")

ADD = """
insert into balances as wallet (account, currency, balance_micros, charged_micros,
  credited_micros, calls)
select account, currency, credited - charged, charged, credited, calls
from unnest(%s::text[], %s::text[], %s::int8[], %s::int8[], %s::int8[])
  as new (account, currency, charged, credited, calls)
on conflict (account) do update set
  balance_micros = wallet.balance_micros + excluded.balance_micros,
  charged_micros = wallet.charged_micros + excluded.charged_micros,
  credited_micros = wallet.credited_micros + excluded.credited_micros,
  calls = wallet.calls + excluded.calls
returning account, balance_micros"""
ADD_DAYS = """
insert into balance_days as old (account, day, charged_micros, credited_micros, calls)
select * from unnest(%s::text[], %s::date[], %s::int8[], %s::int8[], %s::int8[])
on conflict (account, day) do update set
  charged_micros = old.charged_micros + excluded.charged_micros,
  credited_micros = old.credited_micros + excluded.credited_micros,
  calls = old.calls + excluded.calls"""
# A new wallet may not be in `accounts` yet; then the id in its stream is the company's.
ADD_MOVEMENTS = """
insert into movements
select new.position, new.account,
  coalesce((select a.company_id from accounts a where a.account = new.account),
    split_part(new.account, ':', 2)),
  new.kind, new.amount, new.currency, new.before, new.before + new.amount, new.reason,
  new.reference, new.at, new.actor, new.address, new.version, false
from unnest(%s::int8[], %s::text[], %s::text[], %s::int8[], %s::text[], %s::int8[], %s::text[],
  %s::text[], %s::timestamptz[], %s::text[], %s::text[], %s::int8[])
  as new (position, account, kind, amount, currency, before, reason, reference, at, actor, address,
    version)"""
ADD_MARKS = """
insert into account_marks
select * from unnest(%s::text[], %s::int8[], %s::timestamptz[], %s::int8[])"""
REVERSE = """
update movements set reversed = true
from unnest(%s::text[], %s::int8[]) as taken (account, version)
where movements.account = taken.account and movements.version = taken.version"""
ADD_CHARGES = """
insert into account_charges
select * from unnest(%s::text[], %s::int8[], %s::bytea[], %s::int8[], %s::timestamptz[],
  %s::timestamptz[])"""


ACCOUNTS = ("company:", "user:", "gateway:")  # prefixes of account streams


class _Wallet(msgspec.Struct):
    """The effect of a batch on one wallet, in micro-units."""

    currency: str
    charged: int = 0
    credited: int = 0
    calls: int = 0
    charges: list[Recorded] = msgspec.field(default_factory=list)


class _Movement(msgspec.Struct):
    """A recharge, reversal or adjustment, and the wallet's change in the batch before it."""

    recorded: Recorded
    posting: Posting
    moved_before: int


class _Mark(msgspec.Struct):
    """An event of an account's own stream, and the wallet's change in the batch up to it."""

    recorded: Recorded
    moved: int


class _Batch(msgspec.Struct):
    zone: str
    wallets: dict[str, _Wallet] = msgspec.field(default_factory=dict)
    days: dict[tuple[str, date], list[int]] = msgspec.field(default_factory=dict)
    movements: list[_Movement] = msgspec.field(default_factory=list)
    marks: list[_Mark] = msgspec.field(default_factory=list)
    reversed: list[tuple[str, int]] = msgspec.field(default_factory=list)

    def wallet(self, account: str, currency: str) -> _Wallet:
        """Return the wallet's part of this batch."""
        found = self.wallets.get(account)
        if found is None:
            found = self.wallets[account] = _Wallet(currency)
        found.currency = currency
        return found

    def post(self, batch: Sequence[Recorded]) -> None:
        """Post the movements of a batch, and mark the events of the accounts' own streams."""
        own = iter([recorded for recorded in batch if recorded.stream.startswith(ACCOUNTS)])
        mark = next(own, None)
        envelope, made = None, date.min
        wallets, days = self.wallets, self.days
        for recorded, posting in postings_in(batch):
            while mark and mark.position < recorded.position:
                self._mark(mark)
                mark = next(own, None)
            if recorded.envelope is not envelope:  # shared by the records of a submission
                envelope = recorded.envelope
                made = local_day(envelope.recorded_at, self.zone)
            account, amount = posting.account, posting.amount_micros
            wallet = wallets.get(account) or self.wallet(account, posting.currency)
            day = days.get((account, made))
            if day is None:
                day = days[account, made] = [0, 0, 0]
            if posting.kind == "charge":
                wallet.charged -= amount
                wallet.calls += posting.calls
                if not wallet.charges or wallet.charges[-1] is not recorded:
                    wallet.charges.append(recorded)  # once, even if it posts twice
                day[0] -= amount
                day[2] += posting.calls
            else:
                moved = wallet.credited - wallet.charged
                self.movements.append(_Movement(recorded, posting, moved))
                wallet.credited += amount
                day[1] += amount
        while mark:
            self._mark(mark)
            mark = next(own, None)

    def _mark(self, recorded: Recorded) -> None:
        """Record the balance after an event of an account's own stream."""
        match recorded.event:
            case RechargeReversed(recharge_version=version):
                self.reversed.append((recorded.stream, version))
            case (
                CompanyOpened(currency=currency)
                | UserAccountOpened(currency=currency)
                | GatewayAccountOpened(currency=currency)
            ):
                self.wallet(recorded.stream, currency)
        # An account without movements in this batch still needs an entry.
        own = self.wallets.setdefault(recorded.stream, _Wallet(""))
        self.marks.append(_Mark(recorded, own.credited - own.charged))


def apply(cursor: Cursor[Any], events: Sequence[Recorded], zone: str) -> None:
    """Post the charges and credits of a batch; days are in the time zone `zone`."""
    batch = _Batch(zone)
    batch.post(events)
    if batch.wallets:
        _write(cursor, batch)


def _write(cursor: Cursor[Any], batch: _Batch) -> None:
    rows = [
        (account, wallet.currency, wallet.charged, wallet.credited, wallet.calls)
        for account, wallet in batch.wallets.items()
    ]
    cursor.execute(ADD, _columns(rows))
    balances: dict[str, int] = dict(cursor.fetchall())
    if batch.days:
        cursor.execute(ADD_DAYS, _columns([(*key, *sums) for key, sums in batch.days.items()]))
    charges = [
        _charges(account, wallet) for account, wallet in batch.wallets.items() if wallet.charges
    ]
    if charges:
        cursor.execute(ADD_CHARGES, _columns(charges))
    if batch.marks:
        marks = [_mark(each, batch.wallets, balances) for each in batch.marks]
        cursor.execute(ADD_MARKS, _columns(marks))
    if batch.movements:
        moved = [_movement(each, batch.wallets, balances) for each in batch.movements]
        cursor.execute(ADD_MOVEMENTS, _columns(moved))
    if batch.reversed:
        cursor.execute(REVERSE, _columns(batch.reversed))


def _charges(account: str, wallet: _Wallet) -> tuple[Any, ...]:
    first, last = wallet.charges[0], wallet.charges[-1]
    return (
        account,
        last.position,
        pack_positions([each.position for each in wallet.charges]),
        wallet.charged,
        first.envelope.recorded_at,
        last.envelope.recorded_at,
    )


def _began(account: str, wallets: dict[str, _Wallet], balances: dict[str, int]) -> int:
    """Return the balance of a wallet before the batch."""
    wallet = wallets[account]
    return balances[account] - (wallet.credited - wallet.charged)


def _mark(mark: _Mark, wallets: dict[str, _Wallet], balances: dict[str, int]) -> tuple[Any, ...]:
    recorded = mark.recorded
    balance = _began(recorded.stream, wallets, balances) + mark.moved
    return (recorded.stream, recorded.position, recorded.envelope.recorded_at, balance)


def _movement(
    moved: _Movement, wallets: dict[str, _Wallet], balances: dict[str, int]
) -> tuple[Any, ...]:
    recorded, posting = moved.recorded, moved.posting
    event: Any = recorded.event
    began = _began(posting.account, wallets, balances)
    envelope = recorded.envelope
    return (
        recorded.position,
        posting.account,
        posting.kind,
        posting.amount_micros,
        posting.currency,
        began + moved.moved_before,
        getattr(event, "reason", ""),
        getattr(event, "reference", "") or posting.month,
        envelope.recorded_at,
        envelope.actor,
        envelope.address,
        recorded.version,
    )


def pack_positions(positions: Sequence[int]) -> bytes:
    """Pack positions for `account_charges`: 8 bytes each, big-endian."""
    return struct.pack(f"!{len(positions)}q", *positions)


def unpack_positions(packed: bytes) -> tuple[int, ...]:
    """Unpack the positions of a row of `account_charges`."""
    return struct.unpack(f"!{len(packed) // 8}q", packed)


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
