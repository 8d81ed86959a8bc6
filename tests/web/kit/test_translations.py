"""Every message of the code and the templates has a Spanish translation, and none is unused."""

import re
from pathlib import Path

from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po

from billing.web.kit.i18n import TRANSLATIONS

BILLING = TRANSLATIONS.parent.parent
PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]")
METHODS = [("**/templates/**.html", "jinja2"), ("**.py", "python")]
OPTIONS = {"**/templates/**.html": {"trimmed": "true", "silent": "false"}}
Message = tuple[str, str | tuple[str, ...]]  # context, msgid (with its plural)


def extracted() -> dict[Message, str]:
    """Return every message, and a file that contains it."""
    keywords = {**DEFAULT_KEYWORDS, "N_": None, "Refused": None, "__init__": None}
    found: dict[Message, str] = {}
    for file, _, message, _, context in extract_from_dir(BILLING, METHODS, OPTIONS, keywords):
        text = message if isinstance(message, str) else tuple(str(part) for part in message)
        found[context or "", text] = file
    return found


def translated() -> dict[Message, tuple[str, ...]]:
    """Return every message of the Spanish catalogue with its translations."""
    path = Path(TRANSLATIONS / "es" / "LC_MESSAGES" / "contarifa.po")
    with path.open("rb") as file:
        catalogue = read_po(file, locale="es")
    assert not catalogue.obsolete, "obsolete messages are left"
    found: dict[Message, tuple[str, ...]] = {}
    for message in catalogue:
        if not message.id:
            continue
        assert "fuzzy" not in message.flags, message.id
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        msgid = message.id if isinstance(message.id, str) else tuple(message.id)
        found[message.context or "", msgid] = tuple(str(text) for text in strings)
    return found


def test_every_message_is_in_spanish() -> None:
    spanish = translated()
    missing = {
        message: file
        for message, file in extracted().items()
        if not all(spanish.get(message, ("",)))
    }
    assert missing == {}


def test_no_message_is_left_over() -> None:
    assert set(translated()) - set(extracted()) == set()


def test_placeholders_are_the_same() -> None:
    for (_, msgid), strings in translated().items():
        given = msgid if isinstance(msgid, str) else msgid[-1]
        for text in strings:
            assert set(PLACEHOLDER.findall(text)) == set(PLACEHOLDER.findall(given)), msgid
