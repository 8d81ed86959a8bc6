"""Reads JSON that its writer got wrong in one of the ways switches are known for."""

import json
import re
from collections.abc import Callable
from typing import Any

MOST_CHARACTERS = 1024 * 1024  # of a text worth repairing: records are far smaller

_ESCAPE_OR_STRAY = re.compile(r'\\(["\\/bfnrt]|u[0-9a-fA-F]{4})|\\')
_MARK = re.compile(r'\\u[0-9a-fA-F]{4}|\\["\\/bfnrt]|\\|"')
_ENDS_STRING = re.compile(r'\s{0,20}(?:,\s{0,20}(?:["{\[\d-]|true|false|null)|[}\]:]|$)')
_NEXT_NAME = re.compile(r'\s{0,20}(?:,\s{0,20}"[^"\\]{1,80}"\s{0,20}:|\}\s*$)')


def parse(text: str) -> tuple[Any, bool]:
    """The value of a JSON text and whether it had to be repaired; (None, False) if it is hopeless.

    Raw control characters are read as they stand: FreeSWITCH writes them.
    """
    value = _try(text)
    if value is not None:
        return value, False
    # A text that was cut off is beyond repair; saying so at once keeps floods of such lines cheap.
    whole = len(text) <= MOST_CHARACTERS and text.rstrip().endswith(("}", "]"))
    for repair in _REPAIRS if whole else ():
        value = _try(repair(text))
        if value is not None:
            return value, True
    return None, False


def _try(text: str) -> Any:
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None


def _double_stray_backslashes(text: str) -> str:
    """A backslash that begins no escape was meant as itself."""
    return _ESCAPE_OR_STRAY.sub(lambda found: found[0] if found[1] else r"\\", text)


def _double_all_but_quotes(text: str) -> str:
    r"""Asterisk 22 escapes quotes only: in its lines \" is a quote and any other \ itself."""
    return re.sub(r'\\(?!")', r"\\\\", text)


def _escape_inner_quotes(text: str) -> str:
    """Quotes that end nothing were meant as text.

    FreeSWITCH %-encodes values and then the whole without touching what is encoded already, so
    that decoding bares the quotes of values.
    """
    inside = False

    def replace(found: re.Match[str]) -> str:
        nonlocal inside
        mark, end = found[0], found.end()
        if not inside:
            inside = mark == '"'
            return mark
        if mark == '"' and _ENDS_STRING.match(text, end):
            inside = False
            return mark
        if mark == r"\"" and _NEXT_NAME.match(text, end):  # a value that ends in a backslash
            inside = False
            return r'\\"'
        if mark == '"':
            return r"\""
        return r"\\" if mark == "\\" else mark

    return _MARK.sub(replace, text)


_REPAIRS: tuple[Callable[[str], str], ...] = (
    _double_stray_backslashes,
    _double_all_but_quotes,
    _escape_inner_quotes,
)
