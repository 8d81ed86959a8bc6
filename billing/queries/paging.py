"""Keyset paging: a page begins after or before a key, never at a row number."""

import base64
import binascii
from typing import Any, Generic, TypeVar

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row

from billing.values import Refused

Row = TypeVar("Row")


class Place(msgspec.Struct, frozen=True):
    """Where a page begins: after `key` in the order of the list, or before it."""

    key: tuple[Any, ...]
    backwards: bool = False


class Page(msgspec.Struct, Generic[Row], frozen=True):
    """The rows of one page, and the keys of the next and the previous page, if there are any."""

    rows: list[Row]
    before: str = ""
    after: str = ""


def encode_key(key: tuple[Any, ...]) -> str:
    """Encode a key for a URL."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def decode_place(after: str, before: str, key_type: Any) -> Place | None:
    """Return the place that a URL names; None for the first page. Refused for an invalid key."""
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
        raise Refused("There is no page at this URL.") from error


class Order(msgspec.Struct, frozen=True):
    """The order of a list: SQL expressions, each with the field of the row that has its value.

    Together they are unique. They match an index where there is one, so rows are read in order.
    """

    keys: dict[str, str]
    newest_first: bool = False

    def key_of(self, row: Any) -> tuple[Any, ...]:
        """Return the key of a row in this order."""
        return tuple(getattr(row, field) for field in self.keys.values())

    def cut(self, place: Place | None, size: int) -> "Cut":
        """Return the parts of a statement that finds one page of at most `size` rows."""
        return Cut(self, place, size)


class Cut(msgspec.Struct, frozen=True):
    """The parts of a statement that finds one page, and how to make a page of its rows."""

    order: Order
    place: Place | None
    size: int

    @property
    def direction(self) -> str:
        """The SQL direction in which rows are read: reversed when going backwards."""
        backwards = bool(self.place and self.place.backwards)
        return "desc" if backwards != self.order.newest_first else "asc"

    @property
    def beyond(self) -> str:
        """A condition to append, with its "and": only rows after (or before) the place."""
        if self.place is None:
            return ""
        sign = "<" if self.direction == "desc" else ">"
        given = ", ".join(f"%({name})s" for name in self.values)
        return f" and ({', '.join(self.order.keys)}) {sign} ({given})"

    @property
    def values(self) -> dict[str, Any]:
        """The values for the placeholders of `beyond`."""
        key = self.place.key if self.place else ()
        return {f"key_{number}": value for number, value in enumerate(key)}

    @property
    def sort(self) -> str:
        """The "order by" clause."""
        return "order by " + ", ".join(f"{column} {self.direction}" for column in self.order.keys)

    @property
    def limit(self) -> str:
        """The "limit" clause: one row more than a page, to know whether there is a further page."""
        return f"limit {self.size + 1}"

    async def fetch(
        self,
        connection: AsyncConnection[Any],
        row_type: type[Row],
        statement: str,
        values: dict[str, Any],
    ) -> Page[Row]:
        """Run a statement with these parts, and return its page."""
        async with connection.cursor(row_factory=class_row(row_type)) as cursor:
            await cursor.execute(statement, values | self.values)
            found = await cursor.fetchall()
        return _page(found, self)


def _page(found: list[Row], cut: Cut) -> Page[Row]:
    more, rows = len(found) > cut.size, found[: cut.size]
    backwards = bool(cut.place and cut.place.backwards)
    if backwards:
        rows.reverse()
    if not rows:
        return Page([])
    has_before = more if backwards else cut.place is not None
    has_after = True if backwards else more
    return Page(
        rows,
        encode_key(cut.order.key_of(rows[0])) if has_before else "",
        encode_key(cut.order.key_of(rows[-1])) if has_after else "",
    )


def like(text: str) -> str:
    """Return a LIKE pattern that finds `text` anywhere, with wildcards escaped."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
