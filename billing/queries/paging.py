"""Paging by key: a page begins after or before a row, never at a number of rows."""

import base64
import binascii
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from billing.values import Refused

Row = TypeVar("Row")


class Place(msgspec.Struct, frozen=True):
    """Where a page begins: beyond `key`, forwards in the order of the list or backwards."""

    key: tuple[Any, ...]
    backwards: bool = False


class Page(msgspec.Struct, Generic[Row], frozen=True):
    """The rows of one page, and the tokens of its neighbours where there are any."""

    rows: list[Row]
    before: str = ""
    after: str = ""


def encode_key(key: tuple[Any, ...]) -> str:
    """A key as it stands in an address."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def decode_place(after: str, before: str, key_type: Any) -> Place | None:
    """The place an address names, if any. Refused for a token we did not make."""
    token = after or before
    if not token:
        return None
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        key = msgspec.json.decode(text, type=key_type)
        if "\x00" in "".join(part for part in key if isinstance(part, str)):
            raise ValueError(token)  # noqa: TRY301 -- no text of the database has it
        return Place(key, backwards=not after)
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise Refused("This address names a page that does not exist.") from error


def make_page(
    found: list[Row], size: int, place: Place | None, key_of: Callable[[Row], tuple[Any, ...]]
) -> Page[Row]:
    """The page of `found`, which was asked for with one row more than `size`."""
    more, rows = len(found) > size, found[:size]
    backwards = bool(place and place.backwards)
    if backwards:
        rows.reverse()
    if not rows:
        return Page([])
    has_before = more if backwards else place is not None
    has_after = True if backwards else more
    return Page(
        rows,
        encode_key(key_of(rows[0])) if has_before else "",
        encode_key(key_of(rows[-1])) if has_after else "",
    )


def like(text: str) -> str:
    """A LIKE pattern that finds `text` anywhere, taken literally."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
