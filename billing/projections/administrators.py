"""Administrators with role, limit and state."""

from collections.abc import Sequence
from typing import Any

from psycopg import Cursor

from billing.aggregates.administrator import (
    AdministratorAdded,
    AdministratorChanged,
    AdministratorDisabled,
    AdministratorEnabled,
    AdministratorLimited,
)
from billing.aggregates.second_factor import TwoFactorDemanded
from billing.log.store import Recorded

NAME = "administrators"
TABLES = ("administrators",)

ADD = """
insert into administrators (administrator_id, sign_in_name, name, role, language, enabled)
values (%s, %s, %s, %s, %s, true)"""
CHANGE = "update administrators set name = %s, role = %s, language = %s where administrator_id = %s"
DEMAND = "update administrators set must_use_two_factor = %s where administrator_id = %s"
ENABLE = "update administrators set enabled = %s where administrator_id = %s"

LIMIT = "update administrators set companies = %s where administrator_id = %s"


def apply(cursor: Cursor[Any], batch: Sequence[Recorded]) -> None:
    """Apply a batch of events to the administrators."""
    for recorded in batch:
        own_id = recorded.stream.partition(":")[2]
        match recorded.event:
            case AdministratorAdded() as event:
                who = (event.sign_in_name, event.name, event.role, event.language)
                cursor.execute(ADD, (own_id, *who))
            case AdministratorChanged() as event:
                cursor.execute(CHANGE, (event.name, event.role, event.language, own_id))
            case AdministratorLimited() as event:
                cursor.execute(LIMIT, (list(event.companies), own_id))
            case AdministratorDisabled():
                cursor.execute(ENABLE, (False, own_id))
            case AdministratorEnabled():
                cursor.execute(ENABLE, (True, own_id))
            case TwoFactorDemanded(demanded=demanded):
                cursor.execute(DEMAND, (demanded, own_id))
