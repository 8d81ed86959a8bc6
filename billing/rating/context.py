"""What rating is told beside the record: devices, accounts, prices; and what it answers."""

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
    """From a moment on (None: from the beginning) something belongs to an account."""

    account: str  # 'user:…', 'gateway:…', or '' for the company itself
    valid_from: datetime | None = None


class DeviceProfile(msgspec.Struct, frozen=True, kw_only=True):
    """A device: whose it is, where it stands, and what belongs to whom on it."""

    device_id: str
    company_id: str
    country: str = ""  # ISO 3166
    area_code: str = ""
    route_prefixes: tuple[RoutePrefix, ...] = ()  # in order
    extensions: dict[tuple[str, str], tuple[Assignment, ...]] = {}  # by (tenant, extension)
    trunks: dict[str, tuple[Assignment, ...]] = {}
    tenants: dict[str, str] = {}  # tenant -> company; a device with some is hosted
    gateway_first: bool = False  # whether the trunk is asked before the extension


class CompanyProfile(msgspec.Struct, frozen=True, kw_only=True):
    company_id: str
    currency: str
    zone: ZoneInfo  # of its bands' wall times
    rate_groups: tuple[tuple[datetime | None, str], ...] = ()  # (valid from, group), as bound


class AccountProfile(msgspec.Struct, frozen=True, kw_only=True):
    own_wallet: bool = False


class RatingContext(msgspec.Struct, kw_only=True):
    """Everything that is not the record or its device."""

    companies: dict[str, CompanyProfile] = {}
    accounts: dict[str, AccountProfile] = {}  # user and gateway accounts, by stream id
    groups: dict[str, RateGroup] = {}
    plan: NumberPlan = msgspec.field(default_factory=NumberPlan)
    # By company and what a PIN is known by (pins.py).
    pins: dict[tuple[str, str], tuple[Assignment, ...]] = {}
    holds: dict[str, str] = {}  # accounts on hold, by stream id: the flag their calls get


NO_STEPS = msgspec.Raw(b"[]")
_decode_steps = msgspec.json.Decoder(tuple[tuple[str, ...], ...]).decode
_encode = msgspec.json.Encoder().encode


def encode_steps(steps: Sequence[tuple[str, ...]]) -> msgspec.Raw:
    """Steps as a rating keeps them."""
    return msgspec.Raw(_encode(steps)) if steps else NO_STEPS


class Rating(msgspec.Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True):
    """What a record means: priced, or suspended with the reason; and each step that led there."""

    status: Literal["rated", "suspended"]
    reason: str = ""  # why suspended: one of chain.REASONS
    company_id: str = ""
    user_account: str = ""  # 'user:…'
    gateway_account: str = ""  # 'gateway:…'
    payer: str = ""  # whose wallet: 'company:…', 'user:…', 'gateway:…'
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
    # As JSON: read models decode each rating and never look at its steps, half of the work.
    encoded_steps: msgspec.Raw = msgspec.field(name="steps", default=NO_STEPS)

    @property
    def steps(self) -> tuple[tuple[str, ...], ...]:
        """Each link of the chain: its name, then what it found; explain.py words them."""
        return _decode_steps(self.encoded_steps)


class Draft(msgspec.Struct, gc=False, kw_only=True):
    """A rating in the making: what the links of the chain found out so far, each adding its own."""

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
        """What was found, as the answer."""
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


class Suspend(Exception):  # noqa: N818 -- an outcome of the chain, not a fault
    """The chain can't go on; its argument is one of chain.REASONS."""
