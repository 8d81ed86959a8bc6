"""Which companies a reader reaches. Every query about what belongs to a company asks for it."""

from collections.abc import Collection
from typing import Any

import msgspec
from psycopg import AsyncConnection


class Reach(msgspec.Struct, frozen=True):
    """The companies that may be seen; None: all of them."""

    companies: tuple[str, ...] | None

    @property
    def limited(self) -> bool:
        """Whether there is anything beyond it."""
        return self.companies is not None

    def holds(self, company_id: str) -> bool:
        """Whether a company is within."""
        return self.companies is None or company_id in self.companies

    def within(self, company_id: str) -> list[str] | None:
        """The companies of this reach that a filter means ("" means all); None: no condition."""
        if company_id:
            return [company_id] if self.holds(company_id) else []
        return None if self.companies is None else list(self.companies)

    def condition(self, column: str, company_id: str = "") -> str:
        """The condition on a column with company ids; its value is `within`, named `companies`."""
        return "true" if self.within(company_id) is None else f"{column} = any(%(companies)s)"


EVERYTHING, NOTHING = Reach(None), Reach(())

# How many of some ids are within a reach.
COUNTS = {
    "account": "select count(*) from accounts where account = any(%s) and company_id = any(%s)",
    "device": "select count(*) from devices where device_id = any(%s) and company_id = any(%s)",
    "group": """
select count(distinct group_id) from rate_group_bindings
where group_id = any(%s) and company_id = any(%s)""",
    "correction": """
select count(*) from corrections where correction_id = any(%s)
 and asked ? 'companies' and asked -> 'companies' <@ to_jsonb(%s::text[])""",
}


async def reaches(
    connection: AsyncConnection[Any], reach: Reach, kind: str, ids: Collection[str]
) -> bool:
    """Whether all of some accounts, devices, rate groups or corrections are there, and within."""
    if not reach.limited:
        return True
    companies = list(reach.companies or ())
    cursor = await connection.execute(COUNTS[kind], (list(ids), companies))
    row = await cursor.fetchone()
    return row is not None and row[0] == len(ids)
