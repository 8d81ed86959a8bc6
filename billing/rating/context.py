"""What rating needs besides the record (devices, accounts, prices), and its result."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from billing.rating.cdr import Direction
from billing.rating.number_plan import NumberPlan
from billing.rating.numbers import RoutePrefix
from billing.rating.rates import RateGroup

CallClass = Literal["internal", "local", "national", "international", "special", ""]


class Assignment(msgspec.Struct, frozen=True):
    """From `valid_from` on (None: from the beginning) something belongs to an account."""

    account: str  # 'user:…', 'gateway:…', or '' for the company itself
    valid_from: datetime | None = None


class DeviceProfile(msgspec.Struct, frozen=True, kw_only=True):
    """A device: its company, its place, and the accounts of its extensions and trunks."""

    device_id: str
    company_id: str
    country: str = ""  # ISO 3166
    area_code: str = ""
    route_prefixes: tuple[RoutePrefix, ...] = ()  # in order
    extensions: dict[tuple[str, str], tuple[Assignment, ...]] = {}  # by (tenant, extension)
    trunks: dict[str, tuple[Assignment, ...]] = {}
    tenants: dict[str, str] = {}  # tenant -> company; empty unless the device is hosted
    gateway_first: bool = False  # whether the trunk decides before the extension does


class CompanyProfile(msgspec.Struct, frozen=True, kw_only=True):
    """What rating needs to know of a company."""

    company_id: str
    currency: str
    zone: ZoneInfo  # of its bands' local times
    rate_groups: tuple[tuple[datetime | None, str], ...] = ()  # (valid from, group), as bound


class AccountProfile(msgspec.Struct, frozen=True, kw_only=True):
    """What rating needs to know of a user or gateway account."""

    own_wallet: bool = False


class RatingContext(msgspec.Struct, kw_only=True):
    """All data of rating except the record and its device."""

    companies: dict[str, CompanyProfile] = {}
    accounts: dict[str, AccountProfile] = {}  # user and gateway accounts, by stream id
    groups: dict[str, RateGroup] = {}
    plan: NumberPlan = msgspec.field(default_factory=NumberPlan)
    # By (company, keyed hash of the PIN); see pins.py.
    pins: dict[tuple[str, str], tuple[Assignment, ...]] = {}
    holds: dict[str, str] = {}  # frozen and closed accounts, stream id -> flag of their calls


NO_STEPS = msgspec.Raw(b"[]")
_decode_steps = msgspec.json.Decoder(tuple[tuple[str, ...], ...]).decode
_encode = msgspec.json.Encoder().encode


def encode_steps(steps: Sequence[tuple[str, ...]]) -> msgspec.Raw:
    """Encode steps as a rating stores them."""
    return msgspec.Raw(_encode(steps)) if steps else NO_STEPS


class Rating(msgspec.Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True):
    """The result of rating a record: priced, or suspended with a reason; and the steps to it."""

    status: Literal["rated", "suspended"]
    reason: str = ""  # why suspended: one of chain.REASONS
    company_id: str = ""
    user_account: str = ""  # 'user:…'
    gateway_account: str = ""  # 'gateway:…'
    payer: str = ""  # the wallet charged: 'company:…', 'user:…', 'gateway:…'
    extension: str = ""
    direction: Direction = ""
    number: str = ""  # E.164 with +, or the digits as dialled
    call_class: CallClass = ""
    area: str = ""
    area_type: str = ""
    country: str = ""
    group_id: str = ""
    rate_name: str = ""
    rate_prefix: str = ""
    billed_seconds: int = 0
    amount_micros: int = 0
    currency: str = ""
    flags: tuple[str, ...] = ()
    # JSON, because read models decode every rating but never its steps, half of the work.
    encoded_steps: msgspec.Raw = msgspec.field(name="steps", default=NO_STEPS)

    @property
    def steps(self) -> tuple[tuple[str, ...], ...]:
        """The steps of the chain: each is its code and its values; explain.py has their texts."""
        return _decode_steps(self.encoded_steps)


class Draft(msgspec.Struct, gc=False, kw_only=True):
    """A rating in progress; each link of the chain adds its results."""

    company_id: str
    flags: tuple[str, ...]
    user_account: str = ""
    gateway_account: str = ""
    payer: str = ""
    extension: str = ""
    direction: Direction = ""
    number: str = ""
    call_class: CallClass = ""
    area: str = ""
    area_type: str = ""
    country: str = ""
    group_id: str = ""
    rate_name: str = ""
    rate_prefix: str = ""
    billed_seconds: int = 0
    amount_micros: int = 0
    currency: str = ""
    steps: list[tuple[str, ...]] = []

    def rating(self, status: Literal["rated", "suspended"], reason: str = "") -> Rating:
        """Return the finished rating."""
        return Rating(
            status=status,
            reason=reason,
            company_id=self.company_id,
            user_account=self.user_account,
            gateway_account=self.gateway_account,
            payer=self.payer,
            extension=self.extension,
            direction=self.direction,
            number=self.number,
            call_class=self.call_class,
            area=self.area,
            area_type=self.area_type,
            country=self.country,
            group_id=self.group_id,
            rate_name=self.rate_name,
            rate_prefix=self.rate_prefix,
            billed_seconds=self.billed_seconds,
            amount_micros=self.amount_micros,
            currency=self.currency,
            flags=self.flags,
            encoded_steps=encode_steps(self.steps),
        )


class Suspend(Exception):  # noqa: N818 -- an outcome of the chain, not an error
    """The record can't be rated; the argument is one of chain.REASONS."""
