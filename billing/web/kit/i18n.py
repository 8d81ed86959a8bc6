"""The languages of the pages: catalogues from .po files, and the language of each request."""

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
FOR_PROGRAMS = "en"
TRANSLATIONS = Path(__file__).parents[1] / "translations"
_LOCALES = {"es": Locale("es", "ES"), "en": Locale("en", "GB")}
_language: ContextVar[str] = ContextVar("language", default=DEFAULT)


@cache
def catalogue(language: str) -> NullTranslations:
    """Return the messages of a language; English messages are the msgids themselves."""
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
    """Set the language; on every request, because a connection keeps its context variables."""
    _language.set(language)


def language() -> str:
    """Return the language of the present request."""
    return _language.get()


def locale() -> Locale:
    """Return the locale of that language, for numbers and dates."""
    return _LOCALES[_language.get()]


def choose_language(cookie: str | None, accepted: str, default: str = DEFAULT) -> str:
    """Return the cookie's language, else the first accepted one that exists, else `default`."""
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
    return next((name for _, _, name in sorted(weighed) if name in LANGUAGES), default)


def N_(message: str) -> str:  # noqa: N802 -- gettext's own name for deferred translation
    """Mark a msgid for extraction; it is translated where it is shown."""
    return message


def gettext(message: str, **values: object) -> str:
    """Return the message in the request's language, with its placeholders filled."""
    translated = catalogue(language()).gettext(message)
    return translated % values if values else translated


def ngettext(one: str, many: str, number: int) -> str:
    """Return the singular or plural of a message in the request's language."""
    return catalogue(language()).ngettext(one, many, number)


def pgettext(context: str, message: str) -> str:
    """Return a message whose meaning depends on the context."""
    return str(catalogue(language()).pgettext(context, message))
