"""Previewed imports that are not applied yet: kept for an hour, by owner."""

import secrets
import time
from collections.abc import Callable
from typing import Any

import msgspec

from billing.aggregates.event import Envelope
from billing.log.store import Store
from billing.web.kit.i18n import gettext

KEPT_SECONDS = 3600
MOST_KEPT = 20


class Problem(msgspec.Struct, frozen=True):
    """An error in a row of a sheet."""

    row: int  # as the spreadsheet counts
    column: str
    said: str


class SheetRow(msgspec.Struct, frozen=True):
    """A row of a sheet: its number, and its cells by column key."""

    row: int
    cells: dict[str, str]

    def get(self, key: str) -> str:
        """Return a cell, stripped; empty if the sheet lacks the column."""
        return self.cells.get(key, "").strip()


class Checked:
    """Collects the errors in the rows of a sheet."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def wrong(self, at: SheetRow, column: str, message: str, /, **values: object) -> None:
        """Record an error in a cell; `message` is a msgid."""
        self.problems.append(Problem(at.row, column, gettext(message, **values)))


class Plan(msgspec.Struct, kw_only=True):
    """What a sheet would do: a command that does all of it or nothing."""

    owner: str
    file_name: str
    rows: list[int]  # the sheet's row of each item of the command
    heads: list[str]  # of the preview
    preview: list[list[str]]
    problems: list[Problem]
    command: Any
    handler: Callable[[Store, Any, Envelope], int]
    back: str  # URL after the import
    done: str
    made: float = msgspec.field(default_factory=time.monotonic)


class Plans:
    """The plans of all administrators."""

    def __init__(self) -> None:
        self._plans: dict[str, Plan] = {}

    def keep(self, plan: Plan) -> str:
        """Store a plan; return its token."""
        limit = time.monotonic() - KEPT_SECONDS
        self._plans = {key: each for key, each in self._plans.items() if each.made > limit}
        while len(self._plans) >= MOST_KEPT:
            del self._plans[next(iter(self._plans))]
        token = secrets.token_urlsafe(12)
        self._plans[token] = plan
        return token

    def find(self, token: str, owner: str) -> Plan | None:
        """Return a plan of this owner (web/kit/reach.py)."""
        plan = self._plans.get(token)
        return plan if plan and plan.owner == owner else None

    def forget(self, token: str) -> None:
        """Remove a plan because it was applied."""
        self._plans.pop(token, None)
