"""What the process is asked and what it answers: both travel as JSON."""

from datetime import datetime

import msgspec

from billing.aggregates.event import Envelope
from billing.commands.rate_groups import CopyRateGroup, UndoImport
from billing.decks.changes import Change
from billing.decks.impact import Impact
from billing.decks.reading import Wrong
from billing.rating.number_plan import PlanEntry


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """How a deck is to be read."""

    header: int  # the number of its row; 0: none
    columns: dict[str, int]
    zone: str
    effective_from: datetime | None
    unit_s: int  # that the price is for
    increment: str
    complete: bool  # prices that are not in it end


class Preview(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Tell what an import would do, and keep it to be applied as it was told."""

    group_id: str
    upload_id: str
    wish: Wish
    now: datetime


class Apply(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Import what was previewed."""

    group_id: str
    upload_id: str
    envelope: Envelope


class Undo(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Take an import back."""

    command: UndoImport
    envelope: Envelope


class Copy(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Create a group with the prices of another."""

    command: CopyRateGroup
    envelope: Envelope


class Seed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Make the seed of the number plan: what makes it takes a hundred megabytes as well."""

    countries: tuple[str, ...]
    language: str
    envelope: Envelope
    write: bool  # else it is told only


class Task(msgspec.Struct, frozen=True):
    """What to do, and in which database."""

    url: str
    asked: Preview | Apply | Undo | Copy | Seed


class Previewed(msgspec.Struct, frozen=True, kw_only=True):
    """What an import would do. Counts and kinds are None where it can't be imported."""

    rows: int
    duplicates: int
    wrong: list[Wrong]
    wrong_rows: int
    counts: dict[str, int] | None = None
    shown: dict[str, list[Change]] = {}
    same: int = 0
    changed: int = 0  # prices that would be set or ended
    impact: Impact | None = None
    cut: bool = False  # whether the month had more calls than were looked at


class Seeded(msgspec.Struct, frozen=True, kw_only=True):
    """What a seed holds."""

    entries: int
    before: int  # entries of the one that stands
    types: dict[str, int]
    sample: list[PlanEntry]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: a preview, a position in the log, or a refusal: its msgid and values."""

    previewed: Previewed | None = None
    seeded: Seeded | None = None
    position: int = 0
    refused: tuple[str, dict[str, str]] | None = None
