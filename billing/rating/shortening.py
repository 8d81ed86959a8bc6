"""Hides the last digits of the other party's number, for privacy; the cost of the call stays.

The other party is the called one or, for an inbound call, the caller. Extensions and short numbers
(emergency, services) stay whole: they identify nobody.
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
HIDDEN = 4  # digits hidden of each number
TAIL = SHORT_CODE_DIGITS + 1  # digits that identify a number in a text, whatever precedes them
# Characters that people and switches write between digits.
BETWEEN = r"[ \-./()+\x00]*"
RUN = re.compile(rf"[0-9](?:{BETWEEN}[0-9])*")
MASK = re.compile(rf"(?:{BETWEEN}\*){{{HIDDEN}}}")


def shorten_number(number: str) -> str:
    """Hide the last digits of a number: +34934567890 becomes +3493456****. Short numbers stay."""
    return RUN.sub(lambda run: _shortened(run, number), number)


def _shortened(run: re.Match[str], number: str) -> str:
    digits = _digits(run[0])
    if len(digits) <= SHORT_CODE_DIGITS or MASK.match(number, run.end()):
        return run[0]
    # Runs of digits longer than any number keep no more digits than a number would.
    return _masked(run[0], min(len(digits) - HIDDEN, E164_LONGEST), len(digits))


def _digits(text: str) -> str:
    return "".join(c for c in text if c in "0123456789")


def _masked(text: str, begin: int, end: int) -> str:
    """Hide the digits from index `begin` to before `end`, counting digits only."""
    masked, place = [], 0
    for c in text:
        is_digit = c in "0123456789"
        masked.append("*" if is_digit and begin <= place < end else c)
        place += is_digit
    return "".join(masked)


def shorten_ends(
    direction: str, caller: str, called: str, number: str
) -> tuple[str, str, str] | None:
    """Return caller, called and number of a call with the other party's last digits hidden.

    None if nothing has to be hidden. The call list follows the same rule (projections/calls.py).
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
    """Hide digits of a dialled number, even of a local one, short as it lacks the area code."""
    digits = _digits(dialled)
    if HIDDEN < len(digits) <= SHORT_CODE_DIGITS and number[:1] == "+" and number.endswith(digits):
        return _masked(dialled, len(digits) - HIDDEN, len(digits))
    return shorten_number(dialled)


class Cut(msgspec.Struct, frozen=True):
    """The digits to hide wherever they occur in an event of a call."""

    direction: str
    number: str  # of the call's last rating
    tails: frozenset[str]  # last digits of the hidden numbers, to search texts for

    @classmethod
    def of(cls, cdr: Cdr, rating: Rating, numbers: Iterable[str] = ()) -> "Cut | None":
        """Return what to hide, by a record and its call's last rating; None if nothing."""
        direction, number = rating.direction, rating.number
        if shorten_ends(direction, cdr.caller, cdr.called, number) is None:
            return None
        end = cdr.caller if direction == "inbound" else cdr.called
        found = [_digits(run[0]) for each in (end, number, *numbers) for run in RUN.finditer(each)]
        tails = frozenset(digits[-TAIL:] for digits in found if len(digits) > HIDDEN)
        return cls(direction, number, tails)

    def cdr(self, cdr: Cdr) -> Cdr:
        """Return the record with the digits hidden.

        Its key stays, because it is its id in the log.
        """
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
        """Return the rating with the digits hidden: price, amount, area and class stay."""
        steps = bytes(rating.encoded_steps).decode()
        return msgspec.structs.replace(
            rating,
            number=shorten_number(rating.number),
            rate_prefix=self.text(rating.rate_prefix),
            flags=(*rating.flags, SHORTENED),
            encoded_steps=msgspec.Raw(self.text(steps).encode()),
        )

    def raw(self, raw: str, encoding: str) -> str:
        """Return the original record with the digits hidden."""
        if encoding != "base64":
            return self.text(raw)
        try:
            text = base64.b64decode(raw).decode("latin-1")
        except ValueError:  # no base64, whatever the event says
            return self.text(raw)
        return base64.b64encode(self.text(text).encode("latin-1")).decode()

    def text(self, text: str) -> str:
        """Return a text with the digits hidden, even if it omits the first digits of a number."""
        return RUN.sub(lambda run: _without(run[0], self.tails), text) if text else text


def _without(run: str, tails: frozenset[str]) -> str:
    digits = _digits(run)
    for tail in tails:
        at = digits.find(tail)
        if len(tail) < TAIL:  # too short: might occur anywhere by chance
            at = len(digits) - len(tail) if digits.endswith(tail) else -1
        while at >= 0:
            run = _masked(run, at + len(tail) - HIDDEN, at + len(tail))
            at = digits.find(tail, at + 1)
    return run
