"""Which companies a reader may see. Every query about data of a company takes a Reach."""

from collections.abc import Collection
from typing import Any

import msgspec
from psycopg import AsyncConnection


class Reach(msgspec.Struct, frozen=True):
    """The companies a reader may see; None: all."""

    companies: tuple[str, ...] | None

    @property
    def limited(self) -> bool:
        """Whether some companies are excluded."""
        return self.companies is not None

    def holds(self, company_id: str) -> bool:
        """Return whether a company is included."""
        return self.companies is None or company_id in self.companies

    def within(self, company_id: str) -> list[str] | None:
        """Return the companies to filter by ("" asks for all of the reach); None: no condition."""
        if company_id:
            return [company_id] if self.holds(company_id) else []
        return None if self.companies is None else list(self.companies)

    def condition(self, column: str, company_id: str = "") -> str:
        """Return the SQL condition on a column of company ids; `companies` must be `within(…)`."""
        return "true" if self.within(company_id) is None else f"{column} = any(%(companies)s)"


EVERYTHING, NOTHING = Reach(None), Reach(())

# How many of the given ids are within a reach.
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
    """Return whether all of these accounts, devices, rate groups or corrections are within."""
    if not reach.limited:
        return True
    companies = list(reach.companies or ())
    cursor = await connection.execute(COUNTS[kind], (list(ids), companies))
    row = await cursor.fetchone()
    return row is not None and row[0] == len(ids)
