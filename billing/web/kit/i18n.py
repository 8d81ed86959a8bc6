"""The languages of the pages: catalogues read from .po files, and the language of each request."""

import io
from contextvars import ContextVar
from functools import cache
from pathlib import Path

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

LANGUAGES = {"es": "Español", "en": "English"}
DEFAULT = "es"
TRANSLATIONS = Path(__file__).parents[1] / "translations"
_LOCALES = {"es": Locale("es", "ES"), "en": Locale("en", "GB")}
_language: ContextVar[str] = ContextVar("language", default=DEFAULT)


@cache
def catalogue(language: str) -> NullTranslations:
    """The messages of a language; English is what the code says."""
    path = TRANSLATIONS / language / "LC_MESSAGES" / "contarifa.po"
    if not path.exists():
        return NullTranslations()
    with path.open("rb") as file:
        messages = read_po(file, locale=language, domain="contarifa")
    compiled = io.BytesIO()
    write_mo(compiled, messages)
    compiled.seek(0)
    return Translations(compiled)


def set_language(language: str) -> None:
    """Set it on every request: context variables survive on a kept-alive connection."""
    _language.set(language)


def language() -> str:
    """The language of the request in hand."""
    return _language.get()


def locale() -> Locale:
    """How that language writes numbers and dates."""
    return _LOCALES[_language.get()]


def choose_language(cookie: str | None, accepted: str) -> str:
    """The cookie's language, else the first accepted one there is, else Spanish."""
    if cookie in LANGUAGES:
        return str(cookie)
    weighed = []
    for place, part in enumerate(accepted.split(",")):
        name, _, quality = part.partition(";")
        try:
            weight = float(quality.strip().removeprefix("q=") or 1)
        except ValueError:
            weight = 0.0
        weighed.append((-weight, place, name.strip().lower()[:2]))
    return next((name for _, _, name in sorted(weighed) if name in LANGUAGES), DEFAULT)


def N_(message: str) -> str:  # noqa: N802 -- gettext's own name for "to be translated later"
    """Mark a msgid that is translated where it is shown."""
    return message


def gettext(message: str, **values: object) -> str:
    """The message in the request's language, its placeholders filled."""
    translated = catalogue(language()).gettext(message)
    return translated % values if values else translated


def ngettext(one: str, many: str, number: int) -> str:
    """The singular or plural of a message in the request's language."""
    return catalogue(language()).ngettext(one, many, number)


def pgettext(context: str, message: str) -> str:
    """A message that means different things in different places."""
    return str(catalogue(language()).pgettext(context, message))
