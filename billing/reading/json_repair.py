"""Parses JSON with the errors that switches are known to write."""

import json
import re
from collections.abc import Callable
from typing import Any

MOST_CHARACTERS = 1024 * 1024  # longest text to repair; records are far smaller

_ESCAPE_OR_STRAY = re.compile(r'\\(["\\/bfnrt]|u[0-9a-fA-F]{4})|\\')
_MARK = re.compile(r'\\u[0-9a-fA-F]{4}|\\["\\/bfnrt]|\\|"')
_ENDS_STRING = re.compile(r'\s{0,20}(?:,\s{0,20}(?:["{\[\d-]|true|false|null)|[}\]:]|$)')
_NEXT_NAME = re.compile(r'\s{0,20}(?:,\s{0,20}"[^"\\]{1,80}"\s{0,20}:|\}\s*$)')


def parse(text: str) -> tuple[Any, bool]:
    """Return the value of a JSON text and whether it was repaired; (None, False) if that fails.

    Raw control characters are accepted, because FreeSWITCH writes them.
    """
    value = _try(text)
    if value is not None:
        return value, False
    # A truncated text can't be repaired; checking this first keeps floods of such lines cheap.
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
    """Double backslashes that start no escape."""
    return _ESCAPE_OR_STRAY.sub(lambda found: found[0] if found[1] else r"\\", text)


def _double_all_but_quotes(text: str) -> str:
    """Double all backslashes except before quotes: Asterisk 22 escapes quotes only."""
    return re.sub(r'\\(?!")', r"\\\\", text)


def _escape_inner_quotes(text: str) -> str:
    """Escape quotes inside strings.

    FreeSWITCH %-encodes values and then the whole, without encoding the encoded parts again, so
    decoding leaves the quotes of values unescaped.
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
        if mark == r"\"" and _NEXT_NAME.match(text, end):  # a value that ends with a backslash
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
