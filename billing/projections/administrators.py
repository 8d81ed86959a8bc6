"""Administrators: who they are and what they may do."""

from collections.abc import Sequence
from typing import Any

from psycopg import Cursor

from billing.aggregates.administrator import AdministratorAdded
from billing.store import Recorded

NAME = "administrators"
TABLES = ("administrators",)

ADD = """
insert into administrators (administrator_id, sign_in_name, name, role, language, enabled)
values (%s, %s, %s, %s, %s, true)"""


def apply(cursor: Cursor[Any], batch: Sequence[Recorded]) -> None:
    """Follow the administrators."""
    for recorded in batch:
        match recorded.event:
            case AdministratorAdded() as event:
                own_id = recorded.stream.partition(":")[2]
                who = (event.sign_in_name, event.name, event.role, event.language)
                cursor.execute(ADD, (own_id, *who))
