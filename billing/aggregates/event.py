"""The base of all events: an immutable struct of plain values, and its envelope."""

from datetime import datetime

import msgspec


class Event(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """A fact. Fields are str, int, bool, UTC datetime, date and structs of these; no floats."""


class Unreadable(Event, frozen=True, kw_only=True):
    """Stands for an event of the log that can't be decoded; it is never appended.

    Aggregates take it for an event of no meaning to them; whatever follows the log sets it aside.
    """

    error: str


class Envelope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who caused an event, from where and when; stored with the event in the log."""

    recorded_at: datetime
    actor: str  # 'administrator:…', 'device:…', 'system'
    address: str = ""  # the IP address it came from, or "command line"
    request_id: str = ""
    token_id: str = ""  # the API token that authenticated the actor
    clock_doubted: bool = False  # whether recorded_at may be wrong (keeping/clock.py)
