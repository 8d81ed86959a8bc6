"""What an administrator who is limited to companies may name: one place looks at every request.

The reading layer leaves out what is beyond a reach (queries/reach.py); this refuses a
request that names it, in its path, its query or its form, as if it were not there.
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

# What a part of a path names; "" where it names nothing, or what its maker alone may see.
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
# The same of the fields of queries and forms.
FIELDS = {
    "account": "account",
    "call": "call",
    "company": "company",
    "device": "device",
    "gateway": "account",
    "group": "group",
    "user": "account",
}
ANY_OR_NONE = ("*", "-")  # a filter that names no account


def reach_of(request: Request[Any, Any]) -> Reach:
    """What whoever asks may see. Call it in a handler that asks for a session."""
    session: Session | None = getattr(request.ctx, "session", None)
    return session.reach if session else NOTHING


def owner_of(request: Request[Any, Any]) -> str:
    """Who may see what is being made for whoever asks: another limit is somebody else."""
    session: Session | None = getattr(request.ctx, "session", None)
    return " ".join((session.administrator_id, *session.companies)) if session else ""


async def refuse_beyond(request: Request[Any, Any], reach: Reach, parts: Mapping[str, Any]) -> None:
    """404 where a request names something beyond a reach, or something that is not there."""
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
    """The ids in a request, by what they are of."""
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
        # The accounts that a device submits with have names without a kind.
        if kind and said and said not in ANY_OR_NONE and (kind != "account" or ":" in said):
            named.setdefault(kind, set()).add(said)


async def _reaches_call(request: Request[Any, Any], reach: Reach, call_id: str) -> bool:
    if "\x00" in call_id:
        return False
    store = request.app.ctx.site.store
    return reaches_call(reach, await asyncio.to_thread(store.load, CALLS + call_id))


def reaches_call(reach: Reach, events: Sequence[Recorded]) -> bool:
    """Whether a call is of a company within, and was never of one beyond."""
    said = [getattr(each.event, name, None) for each in events for name in ("before", "rating")]
    companies = [rating.company_id for rating in said if rating is not None]
    return (
        bool(companies)
        and bool(companies[-1])
        and all(reach.holds(company_id) for company_id in companies if company_id)
    )
