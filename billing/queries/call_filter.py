"""The filter of calls, shared by the call list, its totals and its exports."""

from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from billing.periods import Period
from billing.queries.paging import like
from billing.queries.reach import Reach

ANY, NONE = "*", "-"  # in place of an account or an area: any; none
UNRATED = "status in ('suspended', 'voided')"  # literally the condition of the partial index


class CallFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls to list; an empty field does not filter."""

    reach: Reach
    period: Period
    zone: ZoneInfo
    text: str = ""  # part of the number, as `match` says; or a whole extension
    match: str = ""  # "" = anywhere, begins, ends
    call_class: str = ""
    company_id: str = ""
    user_account: str = ""
    gateway_account: str = ""
    device_id: str = ""
    extension: str = ""
    area: str = ""
    result: str = ""
    status: str = ""  # rated, suspended, rerated, voided; conflict; charged: rated or re-rated
    currency: str = ""
    least_micros: int | None = None
    most_micros: int | None = None
    weekday: int | None = None  # 1 = Monday, in `zone`
    hour: int | None = None  # 0-23, in `zone`

    @property
    def companies(self) -> list[str] | None:
        """The companies whose calls pass; None: every call, also those without a company."""
        return self.reach.within(self.company_id)

    @property
    def is_selective(self) -> bool:
        """Whether a field other than the company has an index and few calls."""
        one = (self.user_account, self.gateway_account)
        return bool(
            self.device_id
            or self.extension
            or self.text
            or any(each not in ("", ANY, NONE) for each in one)
        )


TEXTS = {
    "": "(c.number like %(part)s or c.dialled like %(part)s or c.extension = %(text)s)",
    "begins": "(c.number like %(start)s or c.number like %(plus_start)s)",
    "ends": "reverse(c.number) like %(end_reversed)s",
}
# The condition of each field that is set. `text` and `match` use TEXTS; where_calls adds the
# period and the companies.
CONDITIONS = {
    "device_id": "c.device_id = %(device_id)s",
    "extension": "c.extension = %(extension)s",
    "result": "c.result = %(result)s",
    "status": "c.status = %(status)s",
    "currency": "c.currency = %(currency)s",
    "call_class": "c.class = %(call_class)s",
    # The second condition looks redundant: with it the planner uses the partial index of accounts.
    "user_account": "c.user_account_id = %(user_account)s and c.user_account_id <> ''",
    "gateway_account": "c.gateway_account_id = %(gateway_account)s and c.gateway_account_id <> ''",
    "area": "c.area = %(area)s",
    "least_micros": "c.amount_micros >= %(least_micros)s",
    "most_micros": "c.amount_micros <= %(most_micros)s",
    "weekday": "extract(isodow from c.started_at at time zone %(zone)s) = %(weekday)s",
    "hour": "extract(hour from c.started_at at time zone %(zone)s) = %(hour)s",
}
# Columns of the fields whose value may be ANY or NONE.
PRESENT = {
    "call_class": "c.class",
    "user_account": "c.user_account_id",
    "gateway_account": "c.gateway_account_id",
    "area": "c.area",
}
SPECIAL = {
    **{(field, ANY): f"{column} <> ''" for field, column in PRESENT.items()},
    **{(field, NONE): f"{column} = ''" for field, column in PRESENT.items()},
    ("status", "conflict"): "c.conflicts > 0",
    ("status", "charged"): f"not c.{UNRATED}",
}
IN_PERIOD = "c.started_at >= %(begin)s and c.started_at < %(end)s"


def where_calls(wanted: CallFilter, own: str = "") -> tuple[str, dict[str, Any]]:
    """Return the condition on `call_list c`, and its values.

    `own` is a column with one company id, which replaces the list of companies.
    """
    begin, end = wanted.period.bounds(wanted.zone)
    literal = like(wanted.text)[1:-1]
    values = msgspec.structs.asdict(wanted) | {
        "begin": begin,
        "end": end,
        "zone": wanted.zone.key,
        "part": f"%{literal}%",
        "start": f"{literal}%",
        "plus_start": f"+{literal}%",
        "end_reversed": f"{like(wanted.text[::-1])[1:]}",
    }
    del values["period"], values["reach"]
    companies = wanted.companies
    values["companies"] = companies
    conditions = [IN_PERIOD, *_conditions(wanted)]
    if companies is not None:
        several = len(companies) != 1  # of one the index has the calls in order
        values["company"] = None if several else companies[0]
        anyone = "any(%(companies)s)" if several else "%(company)s"
        conditions.append(f"c.company_id = {own or anyone}")
    return " and ".join(conditions), values


def _conditions(wanted: CallFilter) -> list[str]:
    found = []
    if wanted.text:
        found.append(TEXTS[wanted.match])
    for field, condition in CONDITIONS.items():
        value = getattr(wanted, field)
        if value not in ("", None):
            found.append(SPECIAL.get((field, value), condition))
    return found
