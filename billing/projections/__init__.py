"""The read models: each a module with NAME, TABLES and `apply`; this is their list."""

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
    name: str  # the checkpoint's key: outlives the code
    tables: tuple[str, ...]  # what a rebuild empties
    apply: Callable[[Cursor[Any], Sequence[Recorded]], None]
    calls: bool = True  # whether it looks at events of calls, which are nearly all
    archived: bool = True  # whether made anew it needs the calls of archived months: every sum does
    zone: str = ""  # whose days it was made with; made anew when that changes

    @property
    def needs_past(self) -> bool:
        """Whether it reads the files of archived months when it is made anew."""
        return self.calls and self.archived


def projections(zone: str) -> list[Projection]:
    """All read models; days are local days of `zone`."""
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
