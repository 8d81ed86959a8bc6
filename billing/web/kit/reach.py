"""Limited administrators: one place checks the ids in every request.

Queries leave out data outside a reach (queries/reach.py). This module answers 404 to a request that
names such data in its path, query or form, as if it did not exist.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from sanic import Request
from sanic.exceptions import NotFound
from sanic.request import RequestParameters

from billing.log.sealing import CALLS
from billing.log.store import Recorded
from billing.queries.reach import NOTHING, Reach, reaches
from billing.queries.sessions import Session

# The kind of id of each part of a path; "" for none, and for ids only their maker may use.
PARTS = {
    "account": "account",
    "device_id": "device",
    "quoted_id": "call",
    "correction_id": "correction",
    "action": "",
    "job_id": "",
    "month": "",
    "name": "",
    "token": "",
    "token_id": "",
}
# The same for the fields of queries and forms.
FIELDS = {
    "account": "account",
    "call": "call",
    "company": "company",
    "device": "device",
    "gateway": "account",
    "group": "group",
    "user": "account",
}
ANY_OR_NONE = ("*", "-")  # values of a filter that name no account


def reach_of(request: Request[Any, Any]) -> Reach:
    """Return the reach of the signed-in administrator. The handler must require a session."""
    session: Session | None = getattr(request.ctx, "session", None)
    return session.reach if session else NOTHING


def owner_of(request: Request[Any, Any]) -> str:
    """Return the owner of jobs in this session; a changed limit makes another owner."""
    session: Session | None = getattr(request.ctx, "session", None)
    return " ".join((session.administrator_id, *session.companies)) if session else ""


async def refuse_beyond(request: Request[Any, Any], reach: Reach, parts: Mapping[str, Any]) -> None:
    """Raise NotFound if a request names something that is outside a reach, or does not exist."""
    for kind, ids in _named(request, parts).items():
        if kind == "company":
            found = all(map(reach.holds, ids))
        elif kind == "call":
            found = all([await _reaches_call(request, reach, each) for each in ids])
        else:
            async with request.app.ctx.site.pool.connection() as connection:
                found = await reaches(connection, reach, kind, ids)
        if not found:
            raise NotFound


def _named(request: Request[Any, Any], parts: Mapping[str, Any]) -> dict[str, set[str]]:
    """Return the ids in a request, by kind."""
    named: dict[str, set[str]] = {}
    for part, value in parts.items():
        _note(named, PARTS[part], [unquote(value) if part == "quoted_id" else value])
    for given in (request.args, request.form or RequestParameters()):
        for field, kind in FIELDS.items():
            _note(named, kind, map(str, given.getlist(field) or ()))
    return named


def _note(named: dict[str, set[str]], kind: str, values: Iterable[str]) -> None:
    for value in values:
        said = value.strip()
        # Device accounts have names without a kind.
        if kind and said and said not in ANY_OR_NONE and (kind != "account" or ":" in said):
            named.setdefault(kind, set()).add(said)


async def _reaches_call(request: Request[Any, Any], reach: Reach, call_id: str) -> bool:
    if "\x00" in call_id:
        return False
    store = request.app.ctx.site.store
    return reaches_call(reach, await asyncio.to_thread(store.load, CALLS + call_id))


def reaches_call(reach: Reach, events: Sequence[Recorded]) -> bool:
    """Return whether a call belongs to a company within, and never belonged to another one."""
    said = [getattr(each.event, name, None) for each in events for name in ("before", "rating")]
    companies = [rating.company_id for rating in said if rating is not None]
    return (
        bool(companies)
        and bool(companies[-1])
        and all(reach.holds(company_id) for company_id in companies if company_id)
    )
