"""Describes operations in words: what was done, and each field before and after."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from billing.log.sealing import CALLS
from billing.periods import UNDATED
from billing.queries.operations import OperationRow
from billing.queries.price_changes import PriceChange
from billing.values import Money
from billing.web.kit import formats, words
from billing.web.kit.i18n import N_, gettext

ACCOUNTS = ("company", "user", "gateway")
PAGES_OF_THEIR_OWN = {
    "administrator": "administrators",
    "correction": "corrections",
    "device": "devices",
    "rate-group": "rate-groups",
}
UNITS: dict[int | None, str] = {
    60: N_("%(price)s a minute"),
    1: N_("%(price)s a second"),
    3600: N_("%(price)s an hour"),
}
# The fields of these events do not replace those of the previous event, so they are not compared.
EACH_FOR_ITSELF = {"RatesChanged", "NumberPlanChanged"}
MANY = "entries"  # the field of an event that assigns many extensions
COUNTED = ("rates", "ended", "removed")  # of prices
FIELDS = {
    "account": N_("account"),
    "amount_micros": N_("amount"),
    "allowed_addresses": N_("allowed IP addresses"),
    "charged_again": N_("call charged again"),
    "partner": N_("call of the other device"),
    "charged": N_("whose record is charged"),
    "columns": N_("columns"),
    "duration_seconds": N_("seconds that durations may differ"),
    "extensions": N_("extensions"),
    "fallback_encoding": N_("encoding"),
    "first": N_("first day"),
    "first_position": N_("first position"),
    "gateway_first": N_("trunk before extension"),
    "import_id": N_("import"),
    "last": N_("last day"),
    "last_position": N_("last position"),
    "limited_to": N_("companies"),
    "heading": N_("heading"),
    "part": N_("part"),
    "recharge_version": N_("recharge"),
    "rounding_micros": N_("rounding"),
    "silent_after_minutes": N_("minutes without activity"),
    "start_seconds": N_("seconds that starts may differ"),
    "totals": N_("lines"),
    "upper": N_("leaves through"),
    "zone": N_("time zone"),
    "in_month": N_("month"),
    "note": N_("reason"),
    "with_group": N_("rated with"),
    "backup_days": N_("days between backups"),
    "backups_kept": N_("backups kept"),
    "calls": N_("calls"),
    "events": N_("events"),
    "missing": N_("missing"),
    "months": N_("months"),
    "amounts": N_("amount"),
    "amounts_after": N_("amount after it"),
    "amounts_before": N_("amount before it"),
    "begin": N_("from"),
    "changed": N_("changed"),
    "device_id": N_("device"),
    "end": N_("to"),
    "kind": N_("what"),
    "outcome": N_("outcome"),
    "size_bytes": N_("bytes"),
    "stuck": N_("can't be rated"),
    "area_code": N_("area code"),
    "balance_micros": N_("balance"),
    "closing_micros": N_("closing balance"),
    "companies": N_("companies"),
    "company_id": N_("company"),
    "country": N_("country"),
    "credit_limit_micros": N_("credit limit"),
    "currency": N_("currency"),
    "demanded": N_("required"),
    "expires_at": N_("expires"),
    "ended": N_("ended"),
    "entries": N_("entries"),
    "extension": N_("extension"),
    "file": N_("file"),
    "file_name": N_("file"),
    "format": N_("format"),
    "freeze_at_limit": N_("freezes at the limit"),
    "group_id": N_("rate group"),
    "language": N_("language"),
    "left": N_("left"),
    "limit_micros": N_("limit"),
    "low_balance_micros": N_("warned below"),
    "model": N_("model"),
    "month": N_("month"),
    "name": N_("name"),
    "opening_micros": N_("opening balance"),
    "own_wallet": N_("own balance"),
    "payment": N_("payment"),
    "rates": N_("rates"),
    "removed": N_("removed"),
    "reason": N_("reason"),
    "reference": N_("reference"),
    "role": N_("role"),
    "rules": N_("rules"),
    "scope": N_("scope"),
    "sign_in_name": N_("sign-in name"),
    "tenant": N_("tenant"),
    "threshold_micros": N_("threshold"),
    "time_zone": N_("time zone"),
    "token_id": N_("API token"),
    "trunk": N_("trunk"),
    "valid_from": N_("from"),
    "warn_email": N_("e-mail for warnings"),
}


KEPT = {"all": N_("Calls"), "backups": N_("Backups")}  # or a month
WORDS = {
    "kind": words.CORRECTIONS | words.TASKS,
    "outcome": words.CORRECTION_STATES,
    "payment": words.PAYMENTS,
    "role": words.ROLES,
}


def said(row: OperationRow) -> str:
    """Return what was done."""
    return words.word(words.EVENTS, row.topic)


def name_of(row: OperationRow) -> str:
    """Return the name of the object."""
    if row.kind == "correction":
        return _call_of(row) or words.word(words.CORRECTIONS, str(row.fields["kind"]))
    if row.kind == "keeping":
        about = row.stream.partition(":")[2]
        return gettext(KEPT[about]) if about in KEPT else formats.month(about)
    return row.name


def _call_of(row: OperationRow) -> str:
    """Return the call, if a correction was about a single one."""
    return row.stream.partition(f":{CALLS}")[2]


def object_of(row: OperationRow) -> str:
    """Return the URL of the object; empty if it has no page."""
    if row.kind in ACCOUNTS:
        return f"/accounts/{formats.segment(row.stream)}"
    own_id = formats.segment(row.stream.partition(":")[2])
    if row.kind == "correction" and (call_id := _call_of(row)):
        return f"/calls/{formats.segment(call_id)}"
    if row.kind in PAGES_OF_THEIR_OWN:
        return f"/{PAGES_OF_THEIR_OWN[row.kind]}/{own_id}"
    if row.kind == "keeping":
        return "/backups" if own_id == "backups" else "/keeping"
    return "/number-plan" if row.kind == "number-plan" else ""


def changes(row: OperationRow, zone: ZoneInfo) -> list[str]:
    """Return each field with its value, and with the previous value if there is one."""
    told = []
    compared = (
        row.before is not None and row.topic not in EACH_FOR_ITSELF and MANY not in row.fields
    )
    before = (row.before or {}) if compared else {}
    for field in dict.fromkeys((*row.fields, *before)):
        now, then = row.fields.get(field), before.get(field)
        if compared and now == then:
            continue
        if field == "import_id" or (now == len(row.prices) and field in COUNTED):
            continue  # an id means nothing to a reader; prices are listed below
        name = words.word(FIELDS, field)
        shown = _shown(field, now, row.currency, zone)
        if not compared:
            told.append(f"{name}: {shown}")
        else:
            told.append(f"{name}: {_shown(field, then, row.currency, zone)} → {shown}")
    return told + [_tell_price(change, row.currency, zone) for change in row.prices]


def _tell_price(change: PriceChange, currency: str, zone: ZoneInfo) -> str:
    """Describe a price change: which price, its old and new value, and its start."""
    since = change.effective_from
    told = {
        "what": _target(change),
        "day": formats.moment(since, "d MMM y", zone)
        if since > UNDATED
        else gettext("the beginning"),
        "before": _price(change.old_price, change.old_unit, currency),
        "price": _price(change.price, change.unit_s, currency),
    }
    if change.kind == "ended":
        return gettext("%(what)s: %(before)s → no price from %(day)s", **told)
    if change.kind == "removed":
        return gettext("%(what)s: the price from %(day)s was removed", **told)
    if change.old_name is None:
        return gettext("%(what)s: %(price)s from %(day)s, new", **told)
    return gettext("%(what)s: %(before)s → %(price)s from %(day)s", **told)


def _target(change: PriceChange) -> str:
    """Return what a price is for: "España (+34)", "National"."""
    kind, _, value = change.target.partition(":")
    name = change.name or change.old_name or ""
    if kind == "c":
        return words.word(words.RATE_CLASSES, value)
    said = f"+{value}" if kind == "p" else value
    return f"{name} ({said})" if name not in ("", value) else said


def _price(price: Decimal | None, unit_s: int | None, currency: str) -> str:
    if price is None:
        return gettext("forbidden")
    shown = formats.price(price, currency)
    return gettext(UNITS[unit_s], price=shown) if unit_s in UNITS else f"{shown} / {unit_s} s"


def _shown(field: str, value: Any, currency: str, zone: ZoneInfo) -> str:
    if field == "companies":
        return ", ".join(value or [gettext("all companies")])
    if isinstance(value, bool):
        return words.yes_or_no(yes=value)
    if isinstance(value, dict):
        return ", ".join(formats.amount(Money(micros, each)) for each, micros in value.items())
    if isinstance(value, int):
        return formats.money(value, currency) if field.endswith("_micros") else str(value)
    text = str(value or gettext("nothing"))
    if value and (show := TIMES.get(field)):
        return show(text, zone)
    return words.word(WORDS.get(field, {}), text)


def _moment(text: str, zone: ZoneInfo) -> str:
    return formats.moment(datetime.fromisoformat(text), "d MMM y HH:mm", zone)


def _day(text: str, _zone: ZoneInfo) -> str:
    return formats.day(date.fromisoformat(text))


def _month(text: str, _zone: ZoneInfo) -> str:
    try:
        return formats.month(text)
    except ValueError:
        return text


TIMES = {
    **dict.fromkeys(("valid_from", "filed_at", "begin", "end", "expires_at"), _moment),
    **dict.fromkeys(("first", "last"), _day),
    "month": _month,
}
