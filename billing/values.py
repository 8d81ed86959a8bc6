"""Values that all rooms share: money, prices, identifiers. Imports nothing of ours."""

import re
import secrets
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from unicodedata import category, normalize

import msgspec
from babel.core import get_global
from babel.localedata import locale_identifiers
from babel.numbers import get_currency_precision, get_currency_symbol, list_currencies

MICROS = 1_000_000
PRICE_DECIMALS = 8
GROUP = 3  # digits between thousands separators
PLAIN_PRICE = re.compile(r"(?:0|[1-9][0-9]{0,8})[.,][0-9]{1,8}")
PRICE_UNITS = 10**PRICE_DECIMALS
EMAIL = re.compile(r"[!-?A-~]{1,64}@[!-?A-~]{1,190}")  # ASCII; no blank, no control character
YEARS = range(1970, 2200)  # that a day can be of
MOST_PRICE = 1_000_000  # in any currency, for any unit
MOST_NUMBER = 10**17  # of any integer in an event: a column holds the sum of 92 such


class Refused(Exception):  # noqa: N818 -- a refused decision of the domain is not an error
    """A decision that the domain refuses.

    `message` is an English msgid, `values` fill its placeholders. Pages translate it; the command
    line prints it untranslated.
    """

    def __init__(self, message: str, /, **values: object) -> None:
        super().__init__(message % values if values else message)
        self.message = message
        self.values = values


class Money(msgspec.Struct, frozen=True):
    """An amount as integer micro-units (10^-6) of an ISO 4217 currency."""

    micros: int
    currency: str


def parse_micros(text: str) -> int:
    """Parse a plain decimal such as "12.50" or "-3" into micro-units. Refused beyond 6 decimals."""
    micros = _scaled(text, 6)
    if abs(micros) > MOST_NUMBER:
        raise Refused("The amount %(text)s is too large.", text=text)
    return micros


def minor_unit(currency: str) -> int:
    """Return the smallest amount that can be paid in a currency, in micro-units: 10,000 for a cent.

    A currency without decimals, such as CLP, has 1,000,000; its decimals are those of CLDR.
    """
    return decimal_unit(get_currency_precision(currency))


def decimal_unit(decimals: int) -> int:
    """Return one unit of the last of `decimals` decimals, in micro-units: 10,000 for 2."""
    return int(10 ** (6 - decimals))


def rounded(micros: int, unit: int) -> int:
    """Round an amount to a multiple of `unit`, both in micro-units; halves away from zero."""
    multiple = (abs(micros) + unit // 2) // unit * unit
    return multiple if micros >= 0 else -multiple


def to_minor_unit(micros: int, currency: str) -> int:
    """Round an amount to what can be paid in its currency."""
    return rounded(micros, minor_unit(currency))


def refuse_finer(amount: Money) -> None:
    """Refuse an amount that nobody can pay because its currency has fewer decimals."""
    if amount.micros % minor_unit(amount.currency):
        decimals = get_currency_precision(amount.currency)
        if not decimals:
            raise Refused("Amounts in %(currency)s have no decimals.", currency=amount.currency)
        raise Refused(
            "Amounts in %(currency)s have at most %(n)s decimals.",
            currency=amount.currency,
            n=decimals,
        )


def parse_amount(text: str, currency: str) -> int:
    """Parse an amount as people write it ("12,50", "1.234,50", "-5", "7,00 €") into micro-units.

    The code or the symbol of `currency` may be before or after it; refused for another one, unless
    `currency` is "". Refused if it is ambiguous, as "1.234" is in a currency with decimals; in CLP
    it is 1,234.
    """
    bare = "".join(text.split())
    outer = re.fullmatch(r"([-+]?)([^0-9+-]*)([-+]?)([0-9][0-9.,']*)([^0-9+-]*)", bare)
    if not outer or (outer[1] and outer[3]) or (outer[2] and outer[5]):
        raise Refused("%(text)s is not an amount. Write it like 1250.75.", text=repr(text))
    if outer[2] or outer[5]:
        _refuse_other_currency(text, outer[2] or outer[5], currency)
    found = re.fullmatch(r"([0-9]{1,18})((?:[.,'][0-9]{3})*)(?:([.,])([0-9]*))?", outer[4])
    if not found:
        raise Refused("%(text)s is not an amount. Write it like 1250.75.", text=repr(text))
    whole, groups, mark, part = found.groups(default="")
    marks = set(re.sub(r"[0-9]", "", groups))
    if len(marks) > 1 or mark in marks or (groups and len(whole) > GROUP):
        raise Refused("%(text)s is not an amount. Write it like 1250.75.", text=repr(text))
    with_decimals = minor_unit(currency) < MICROS
    if len(groups) == GROUP + 1 and not mark and marks != {"'"} and whole != "0" and with_decimals:
        raise Refused(
            "%(text)s can mean thousands or decimals. Write it like 1250 or 1.25.", text=repr(text)
        )
    if whole == "0" and len(groups) == GROUP + 1 and not mark:
        mark, part, groups = groups[0], groups[1:], ""
    digits = re.sub(r"[^0-9]", "", whole + groups)
    sign = "-" if "-" in (outer[1], outer[3]) else ""
    return parse_micros(f"{sign}{digits}.{part or '0'}")


def _refuse_other_currency(text: str, mark: str, currency: str) -> None:
    """Refuse an amount whose `mark`, the text next to the digits, is not of `currency`."""
    said = mark.upper().rstrip(".")
    if currency and said in _marks(currency):
        return
    if said not in list_currencies() and not any(category(each) == "Sc" for each in said):
        raise Refused("%(text)s is not an amount. Write it like 1250.75.", text=repr(text))
    if currency:
        raise Refused("%(text)s is not in %(currency)s.", text=repr(text), currency=currency)


@lru_cache(200)
def _marks(currency: str) -> frozenset[str]:
    """Return the code of a currency and its symbols in English, Spanish and where it is used."""
    used = [
        f"{language}_{territory}"
        for territory, known in get_global("territory_currencies").items()
        for language in ("es", "en")
        if any(code == currency and end is None for code, _, end, _ in known)
    ]
    locales = {"en", "es", *used} & set(locale_identifiers())
    found = {get_currency_symbol(currency, each).upper().rstrip(".") for each in locales}
    return frozenset(found | {currency})


def parse_price(text: str) -> int:
    """Parse a plain decimal price such as "0.01234567" into units of 10^-8.

    Refused beyond 8 decimals.
    """
    return _scaled(text, PRICE_DECIMALS)


def plain_price(text: str) -> str:
    """Return a price as people and decks write it as a plain decimal: "0,0125 €" -> "0.0125".

    A single kind of mark is the decimal one; of two kinds, the last one is. Refused otherwise.
    """
    if PLAIN_PRICE.fullmatch(text):  # true for nearly all prices of a deck
        return text.replace(",", ".").rstrip("0").rstrip(".")
    bare = re.sub(r"[\s\u00a0\u202f]|[^\W\d_]{1,3}\b|[€$£¥₡₲₱]", "", text.strip())
    found = re.fullmatch(r"([-+]?)([0-9][0-9.,']*|[.,][0-9]+)", bare)
    if not found:
        raise Refused("%(text)s is not a price. Write it like 0.0125.", text=repr(text))
    sign, digits = found.groups()
    mark = max(digits.rfind("."), digits.rfind(","))
    whole, part = (digits, "") if mark < 0 else (digits[:mark], digits[mark + 1 :])
    groups = re.split(r"[.,']", whole)
    if len(groups) > 1 and (
        any(len(group) != GROUP for group in groups[1:]) or (mark >= 0 and digits[mark] in whole)
    ):
        raise Refused("%(text)s is not a price. Write it like 0.0125.", text=repr(text))
    part = part.rstrip("0")
    plain = f"{'-' if sign == '-' else ''}{''.join(groups).lstrip('0') or '0'}"
    return f"{plain}.{part}" if part else plain


def possible_price(text: str) -> str:
    """Return `plain_price(text)`. Refused if negative or above MOST_PRICE."""
    price = plain_price(text)
    if price.startswith("-"):
        raise Refused("The price can't be negative.")
    if parse_price(price) > MOST_PRICE * PRICE_UNITS:
        raise Refused("The price can't exceed %(most)s.", most=MOST_PRICE)
    return price


def _scaled(text: str, decimals: int) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]+)?", text):
        raise Refused("%(text)s is not a plain decimal number.", text=repr(text))
    try:
        scaled = Decimal(text).scaleb(decimals)
    except InvalidOperation as error:
        raise Refused("%(text)s is not a plain decimal number.", text=repr(text)) from error
    if scaled != scaled.to_integral_value():
        raise Refused(
            "%(text)s has more than %(decimals)s decimals.", text=repr(text), decimals=decimals
        )
    return int(scaled)


def decimal_string(micros: int) -> str:
    """Return the shortest plain decimal of an amount in micro-units: 1500000 -> "1.5"."""
    sign, whole, part = "-" if micros < 0 else "", *divmod(abs(micros), MICROS)
    return f"{sign}{whole}.{part:06}".rstrip("0").rstrip(".")


def is_digits(text: str) -> bool:
    """Whether a text is ASCII digits only; other alphabets have their own digits."""
    return text.isascii() and text.isdigit()


def first_repeated(texts: Sequence[str]) -> str:
    """Return the first text that repeats an earlier one. Raises StopIteration if there is none."""
    seen: set[str] = set()
    return next(text for text in texts if text in seen or seen.add(text))  # type: ignore[func-returns-value]


def name_key(text: str) -> str:
    """Return what two spellings of a name share: case, encoding of letters and spacing differ."""
    return " ".join(normalize("NFKC", text).split()).casefold()


def is_email(text: str) -> bool:
    """Whether a text can be an e-mail address: one @ between printable parts without blanks."""
    return EMAIL.fullmatch(text) is not None


def new_id() -> str:
    """Return a new identifier for an account, device or group: 12 hexadecimal digits."""
    return secrets.token_hex(6)
