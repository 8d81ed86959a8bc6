"""Requests to the child process, and its answers; both are sent as JSON."""

from datetime import datetime

import msgspec

from billing.aggregates.event import Envelope
from billing.commands.rate_groups import CopyRateGroup, UndoImport
from billing.decks.changes import Change
from billing.decks.impact import Impact
from billing.decks.reading import Wrong
from billing.rating.number_plan import PlanEntry


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """Options for parsing and applying a deck."""

    header: int  # row number; 0: none
    columns: dict[str, int]
    zone: str
    effective_from: datetime | None
    unit_s: int  # of the price
    increment: str
    complete: bool  # prices that the deck lacks end


class Preview(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Describe what an import would do, and store it to be applied unchanged."""

    group_id: str
    upload_id: str
    wish: Wish
    now: datetime


class Apply(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Import the previewed changes."""

    group_id: str
    upload_id: str
    envelope: Envelope


class Undo(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Undo an import."""

    command: UndoImport
    envelope: Envelope


class Copy(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Create a group with the prices of another one."""

    command: CopyRateGroup
    envelope: Envelope


class Seed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Build the seed of the number plan, which takes a hundred megabytes."""

    countries: tuple[str, ...]
    language: str
    envelope: Envelope
    write: bool  # False: a preview


class Task(msgspec.Struct, frozen=True):
    """A request, and the database it is for."""

    url: str
    request: Preview | Apply | Undo | Copy | Seed


class Previewed(msgspec.Struct, frozen=True, kw_only=True):
    """The effect of an import. Counts and samples are None if the deck can't be imported."""

    rows: int
    duplicates: int
    wrong: list[Wrong]
    wrong_rows: int
    counts: dict[str, int] | None = None
    shown: dict[str, list[Change]] = {}
    same: int = 0
    changed: int = 0  # prices that would be set or ended
    impact: Impact | None = None
    cut: bool = False  # whether the month had more calls than were measured


class Seeded(msgspec.Struct, frozen=True, kw_only=True):
    """A description of a seed."""

    entries: int
    before: int  # entries of the current seed
    types: dict[str, int]
    sample: list[PlanEntry]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a task: a preview, a log position, or a refusal as msgid and values."""

    previewed: Previewed | None = None
    seeded: Seeded | None = None
    position: int = 0
    refused: tuple[str, dict[str, str]] | None = None
