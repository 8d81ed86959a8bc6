"""What an event may hold: whatever is appended can be read, projected and added up.

The store asks here before every append, so no form, spreadsheet or program needs to know what a
column, a sum or a reader takes. Texts are made fit (fitting.py); numbers, dates and choices are not
changed: an event with an impossible one is refused, and nothing is stored.
"""

import types
import typing
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from functools import cache
from operator import attrgetter
from typing import Any, Literal
from zoneinfo import available_timezones

import msgspec

from billing.periods import MONTH
from billing.values import MOST_NUMBER, YEARS, Refused

Fits = Callable[[Sequence[Any]], bool]
FREE = (str, bool, msgspec.Raw)  # types whose values are all fit, or are made fit
LEAST_YEAR, YEAR_AFTER = YEARS.start, YEARS.stop


class Check(msgspec.Struct, frozen=True):
    """The fields of an event that have one rule: they are read and checked at once."""

    fields: tuple[str, ...]  # with the structs they stand in: "cdr.billed_ms"
    read: Callable[[Any], Sequence[Any]]
    fits: Fits


def refuse_unfit(value: msgspec.Struct) -> None:
    """Refuse an event or envelope with a value that some reader does not take.

    Integers are within ±MOST_NUMBER, moments have a time zone, days and months are of YEARS, time
    zones are known, choices are among those of their field.
    """
    for check in _checks(type(value)):
        found = check.read(value)
        if not check.fits(found):
            field, part = next(
                (field, part)
                for field, part in zip(check.fields, found, strict=True)
                if not check.fits((part,))
            )
            raise Refused(
                "The value %(value)s of %(field)s is out of range.",
                field=field,
                value=_shown(part),
            )


def _shown(value: Any) -> str:
    """The beginning of a value; Python refuses to print integers of thousands of digits."""
    if isinstance(value, int) and abs(value) > MOST_NUMBER:
        return f"< -{MOST_NUMBER}" if value < 0 else f"> {MOST_NUMBER}"
    return repr(value)[:60]


@cache
def _checks(kind: type) -> tuple[Check, ...]:
    """The checks of a struct; its fields are grouped by rule, because this runs for every call."""
    groups: dict[Any, list[str]] = {}
    for path, hint in _fields(kind, ""):
        groups.setdefault(hint, []).append(path)
    return tuple(
        Check(tuple(paths), _reader(paths), fits)
        for hint, paths in groups.items()
        if (fits := _rule(hint)) is not None
    )


def _fields(kind: type, within: str) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a struct and of the structs in it, each with its type."""
    for name, hint in typing.get_type_hints(kind).items():
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            yield from _fields(hint, f"{within}{name}.")
        elif hint is str and name in _FORMS:
            yield within + name, name
        elif datetime in (hint, *typing.get_args(hint)):
            yield within + name, datetime
        else:
            yield within + name, hint


def _reader(paths: Sequence[str]) -> Callable[[Any], Sequence[Any]]:
    read = attrgetter(*paths)
    return read if len(paths) > 1 else lambda value: (read(value),)


def _rule(hint: Any) -> Fits | None:
    """The rule of a type; None if it has none. KeyError: no event may have such a field."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint in FREE:
        return None
    if isinstance(hint, str):
        return _FORMS[hint]
    if origin is Literal:
        return frozenset(inner).issuperset
    if origin is types.UnionType:
        (wanted,) = (each for each in inner if each is not types.NoneType)
        fits = _RULES[wanted]
        return lambda values: fits([each for each in values if each is not None])
    if origin is tuple:
        return _rule_of_tuples(inner)
    return _RULES[hint]


def _rule_of_tuples(inner: tuple[Any, ...]) -> Fits | None:
    """The rule of a tuple of any length; the parts of those of a fixed length are texts."""
    part = inner[0]
    if isinstance(part, type) and issubclass(part, msgspec.Struct):
        return _structs_fit
    fits = _rule(part)
    return fits and (lambda values: all(fits(each) for each in values))


def _structs_fit(values: Sequence[Sequence[msgspec.Struct]]) -> bool:
    for structs in values:
        for each in structs:
            refuse_unfit(each)
    return True


def _numbers_fit(values: Sequence[int]) -> bool:
    return not values or (min(values) >= -MOST_NUMBER and max(values) <= MOST_NUMBER)


def _moments_fit(values: Sequence[datetime | None]) -> bool:
    for each in values:
        if each is not None and (each.tzinfo is None or not LEAST_YEAR <= each.year < YEAR_AFTER):
            return False
    return True


def _days_fit(values: Sequence[date]) -> bool:
    return all(LEAST_YEAR <= each.year < YEAR_AFTER for each in values)


def _months_fit(values: Sequence[str]) -> bool:
    return all(MONTH.fullmatch(each) and int(each[:4]) in YEARS for each in values)


def _zones_fit(values: Sequence[str]) -> bool:
    return _zones().issuperset(values)


@cache
def _zones() -> set[str]:
    return available_timezones()


# Texts that readers parse, by the names of their fields.
_FORMS: dict[str, Fits] = {"month": _months_fit, "time_zone": _zones_fit, "zone": _zones_fit}
_RULES: dict[Any, Fits] = {int: _numbers_fit, datetime: _moments_fit, date: _days_fit}
