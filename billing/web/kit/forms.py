"""Read forms field by field: typed values, and an error message for each wrong field."""

from collections.abc import Callable, Collection, Iterable
from datetime import UTC, date, datetime, time
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from sanic import Request
from sanic.request import RequestParameters

from billing.values import YEARS, Money, Refused, parse_amount
from billing.web.kit.access import form_value, kept
from billing.web.kit.i18n import gettext

LONGEST = 200
WHOLE = ""  # the key of errors about the whole form
T = TypeVar("T")


class Form:
    """The values of a form, and their errors. A reader returns a default for a wrong value.

    Templates show `given` again, and `errors` next to the fields (_form.html).
    """

    def __init__(self, given: dict[str, str], sent: dict[str, list[str]] | None = None) -> None:
        self.given = given
        self.errors: dict[str, str] = {}
        self._sent = sent or {}

    @classmethod
    def of(cls, request: Request[Any, Any]) -> "Form":
        """Return the form of a request, with stripped texts and without NUL characters."""
        form = request.form or RequestParameters()
        sent = {name: [kept(str(each)) for each in form.getlist(name)] for name in form}
        return cls({name: form_value(request, name).strip() for name in form}, sent)

    def many(self, name: str) -> list[str]:
        """Return all values of a field that may occur several times."""
        return self._sent.get(name, [])

    def refuse(self, refusal: Refused, name: str = WHOLE) -> None:
        """Add the error of a refusal."""
        self.errors.setdefault(name, gettext(refusal.message, **refusal.values))

    def text(self, name: str, *, required: bool = True, longest: int = LONGEST) -> str:
        """Read a text."""
        value = self.given.get(name, "")
        if required and not value:
            return self._wrong(name, gettext("Required"), "")
        if len(value) > longest:
            return self._wrong(name, gettext("Use at most %(n)s characters.", n=longest), "")
        return value

    def choice(self, name: str, known: Collection[str], *, required: bool = True) -> str:
        """Read one of the known codes."""
        value = self.given.get(name, "")
        if not value and not required:
            return ""
        if value not in known:
            return self._wrong(name, gettext("Choose one of these."), "")
        return value

    def checked(self, name: str) -> bool:
        """Read a checkbox; browsers send it only if it is set."""
        return name in self.given

    def whole(self, name: str, *, least: int = 0, most: int = 10**9, empty: int = 0) -> int:
        """Read a whole number; `empty` is the value of an empty field."""
        value = self.given.get(name, "")
        if not value:
            return empty
        if not value.isascii() or not value.isdigit() or not least <= int(value[:19]) <= most:
            said = gettext(
                "Enter a whole number from %(least)s to %(most)s.", least=least, most=most
            )
            return self._wrong(name, said, empty)
        return int(value)

    def money(self, name: str, currency: str) -> Money:
        """Read an amount; the domain decides about its sign."""
        return self._parsed(
            name, lambda text: Money(parse_amount(text, currency), currency), Money(0, currency)
        )

    def optional_money(self, name: str, currency: str) -> Money | None:
        """Read an amount; None for an empty field."""
        return self.money(name, currency) if self.given.get(name) else None

    def day(self, name: str) -> date | None:
        """Read the value of a date field; None for an empty one."""
        value = self.given.get(name, "")
        if not value:
            return None
        try:
            chosen = date.fromisoformat(value)
        except ValueError:
            chosen = date.min
        if chosen.year not in YEARS:
            return self._wrong(name, gettext("%(text)s is not a date.", text=value), None)
        return chosen

    def begin_of_day(self, name: str, zone: ZoneInfo) -> datetime | None:
        """Read a day; return the UTC time at which it begins in `zone`, None for an empty field."""
        chosen = self.day(name)
        return datetime.combine(chosen, time(), zone).astimezone(UTC) if chosen else None

    def moment(self, name: str, zone: ZoneInfo) -> datetime | None:
        """Read a local date and time; return it in UTC, None for an empty field."""
        value = self.given.get(name, "")
        if not value:
            return None
        try:
            moment = datetime.fromisoformat(value).replace(tzinfo=zone)
        except ValueError:
            moment = datetime.min.replace(tzinfo=UTC)
        if moment.year not in YEARS:
            return self._wrong(name, gettext("%(text)s is not a time.", text=value), None)
        return moment.astimezone(UTC)

    def _parsed(self, name: str, parse: Callable[[str], T], harmless: T) -> T:
        text = self.text(name)
        if not text:
            return harmless
        try:
            return parse(text)
        except Refused as refusal:
            self.refuse(refusal, name)
            return harmless

    def _wrong(self, name: str, said: str, harmless: T) -> T:
        self.errors.setdefault(name, said)
        return harmless


def options(codes: Iterable[str], named: Callable[[str], str]) -> list[tuple[str, str]]:
    """Return codes with their labels, for a select field."""
    return [(code, named(code)) for code in codes]
