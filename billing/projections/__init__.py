"""The read models: each is a module with NAME, TABLES and `apply`; this is their list."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec
from psycopg import Cursor

from billing.log.store import Recorded
from billing.projections import (
    accounts,
    administrators,
    balances,
    books,
    calls,
    cascades,
    devices,
    keeping,
    number_plan,
    operations,
    prices,
    rate_groups,
    usage,
)


class Projection(msgspec.Struct, frozen=True):
    """A read model, as the runner uses it."""

    name: str  # key of the checkpoint; never changes
    tables: tuple[str, ...]  # truncated by a rebuild
    apply: Callable[[Cursor[Any], Sequence[Recorded]], None]
    calls: bool = True  # whether it reads events of calls, which are nearly all
    archived: bool = True  # whether a rebuild reads the calls of archived months; every sum must
    zone: str = ""  # time zone of its days, if it has any; a change rebuilds it

    @property
    def needs_past(self) -> bool:
        """Whether a rebuild reads the files of archived months."""
        return self.calls and self.archived


def projections(zone: str) -> list[Projection]:
    """Return all read models; their days are in the time zone `zone`."""
    return [
        Projection(accounts.NAME, accounts.TABLES, accounts.apply, calls=False),
        Projection(administrators.NAME, administrators.TABLES, administrators.apply, calls=False),
        Projection(balances.NAME, balances.TABLES, partial(balances.apply, zone=zone), zone=zone),
        Projection(books.NAME, books.TABLES, partial(books.apply, zone=zone), zone=zone),
        Projection(calls.NAME, calls.TABLES, calls.apply, archived=False),
        Projection(cascades.NAME, cascades.TABLES, cascades.apply, archived=False),
        Projection(devices.NAME, devices.TABLES, devices.apply),
        Projection(keeping.NAME, keeping.TABLES, keeping.apply, calls=False),
        Projection(operations.NAME, operations.TABLES, operations.apply, calls=False),
        Projection(number_plan.NAME, number_plan.TABLES, number_plan.apply, calls=False),
        Projection(prices.NAME, prices.TABLES, prices.apply, calls=False),
        Projection(rate_groups.NAME, rate_groups.TABLES, rate_groups.apply, calls=False),
        Projection(usage.NAME, usage.TABLES, partial(usage.apply, zone=zone), zone=zone),
    ]
