"""Shortens the number of the other end for privacy: its last digits go, what a call cost stays.

The other end is who was called or, of an inbound call, who called. Extensions and short numbers
(emergencies, services) stay whole: they name nobody.
"""

import base64
import re
from collections.abc import Iterable

import msgspec

from billing.rating.cdr import Cdr
from billing.rating.context import Rating
from billing.rating.number_plan import SHORT_CODE_DIGITS
from billing.rating.numbers import E164_LONGEST

SHORTENED = "shortened"  # the flag of a record and of its rating
HIDDEN = 4  # digits of each number
TAIL = SHORT_CODE_DIGITS + 1  # digits by which a number is found in a text, however it begins there
# Digits, and what people and switches write between them.
BETWEEN = r"[ \-./()+\x00]*"
RUN = re.compile(rf"[0-9](?:{BETWEEN}[0-9])*")
MASK = re.compile(rf"(?:{BETWEEN}\*){{{HIDDEN}}}")


def shorten_number(number: str) -> str:
    """A number without its last digits: +34934567890 is +3493456****. A short one stays."""
    return RUN.sub(lambda run: _shortened(run, number), number)


def _shortened(run: re.Match[str], number: str) -> str:
    digits = _digits(run[0])
    if len(digits) <= SHORT_CODE_DIGITS or MASK.match(number, run.end()):
        return run[0]
    # No number is that long: of garbage no more stays than of a number.
    return _masked(run[0], min(len(digits) - HIDDEN, E164_LONGEST), len(digits))


def _digits(text: str) -> str:
    return "".join(c for c in text if c in "0123456789")


def _masked(text: str, begin: int, end: int) -> str:
    """A text whose digits from one to before another are hidden; what is between them stays."""
    told, place = [], 0
    for c in text:
        is_digit = c in "0123456789"
        told.append("*" if is_digit and begin <= place < end else c)
        place += is_digit
    return "".join(told)


def shorten_ends(
    direction: str, caller: str, called: str, number: str
) -> tuple[str, str, str] | None:
    """Caller, called and number of a call without the last digits of its other end.

    None where nothing is to be hidden. The call list follows the same rule (projections/calls.py).
    """
    if direction == "internal" or 0 < len(_digits(number)) <= SHORT_CODE_DIGITS:
        return None
    short = shorten_number(number)
    if direction == "inbound":
        ends = _shorten_end(caller, number), called, short
    else:
        ends = caller, _shorten_end(called, number), short
    return None if ends == (caller, called, number) else ends


def _shorten_end(dialled: str, number: str) -> str:
    """What was dialled; a local number too, which is short because its area was left out."""
    digits = _digits(dialled)
    if HIDDEN < len(digits) <= SHORT_CODE_DIGITS and number[:1] == "+" and number.endswith(digits):
        return _masked(dialled, len(digits) - HIDDEN, len(digits))
    return shorten_number(dialled)


class Cut(msgspec.Struct, frozen=True):
    """What is hidden wherever it stands in an event of a call."""

    direction: str
    number: str  # of the call's last rating
    tails: frozenset[str]  # the last digits of what is hidden, by which texts are searched

    @classmethod
    def of(cls, cdr: Cdr, rating: Rating, numbers: Iterable[str] = ()) -> "Cut | None":
        """What of a record and its call's last rating is hidden; None if it is nothing."""
        direction, number = rating.direction, rating.number
        if shorten_ends(direction, cdr.caller, cdr.called, number) is None:
            return None
        end = cdr.caller if direction == "inbound" else cdr.called
        found = [_digits(run[0]) for each in (end, number, *numbers) for run in RUN.finditer(each)]
        tails = frozenset(digits[-TAIL:] for digits in found if len(digits) > HIDDEN)
        return cls(direction, number, tails)

    def cdr(self, cdr: Cdr) -> Cdr:
        """The record without it. Its key stays: that is its name in the log."""
        ends = shorten_ends(self.direction, cdr.caller, cdr.called, self.number)
        caller, called, _ = ends or (cdr.caller, cdr.called, "")
        return msgspec.structs.replace(
            cdr,
            caller=caller,
            called=called,
            caller_name=self.text(cdr.caller_name),
            cause=self.text(cdr.cause),
            source_trunk=self.text(cdr.source_trunk),
            target_trunk=self.text(cdr.target_trunk),
            flags=(*cdr.flags, SHORTENED),
        )

    def rating(self, rating: Rating) -> Rating:
        """The rating without it: price, amount, area and class stay."""
        steps = bytes(rating.encoded_steps).decode()
        return msgspec.structs.replace(
            rating,
            number=shorten_number(rating.number),
            rate_prefix=self.text(rating.rate_prefix),
            flags=(*rating.flags, SHORTENED),
            encoded_steps=msgspec.Raw(self.text(steps).encode()),
        )

    def raw(self, raw: str, encoding: str) -> str:
        """The record as it came, without it."""
        if encoding != "base64":
            return self.text(raw)
        text = base64.b64decode(raw).decode("latin-1")
        return base64.b64encode(self.text(text).encode("latin-1")).decode()

    def text(self, text: str) -> str:
        """A text without it, however much of the number's beginning is left out there."""
        return RUN.sub(lambda run: _without(run[0], self.tails), text) if text else text


def _without(run: str, tails: frozenset[str]) -> str:
    digits = _digits(run)
    for tail in tails:
        at = digits.find(tail)
        if len(tail) < TAIL:  # so short a one stands anywhere by chance
            at = len(digits) - len(tail) if digits.endswith(tail) else -1
        while at >= 0:
            run = _masked(run, at + len(tail) - HIDDEN, at + len(tail))
            at = digits.find(tail, at + 1)
    return run
