"""The login log: who signed in or out, who was refused and why."""

from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection

LONGEST_NAME, LONGEST_BROWSER = 100, 300
ADD = """
insert into sign_ins (at, kind, reason, sign_in_name, administrator_id, address, browser)
values (%(at)s, %(kind)s, %(reason)s, %(sign_in_name)s, %(administrator_id)s, %(address)s,
 %(browser)s)"""


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the login log."""

    at: datetime
    kind: str  # signed_in, half (password right, code pending), refused, signed_out
    reason: str
    sign_in_name: str
    administrator_id: str
    address: str
    browser: str


async def note_sign_in(connection: AsyncConnection[Any], line: SignIn) -> None:
    """Add a line; overlong names and browsers are cut."""
    values = msgspec.structs.asdict(line)
    values["sign_in_name"] = line.sign_in_name[:LONGEST_NAME]
    values["browser"] = line.browser[:LONGEST_BROWSER]
    await connection.execute(ADD, values)
