"""A call record: rated or suspended on arrival, then possibly recycled, re-rated or voided.

The stream id is `call:<month>:<device>:<record key>`, so a repeated record has the same stream.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime

import msgspec

from billing.aggregates.event import Event
from billing.aggregates.reason import needed
from billing.rating.cdr import Cdr
from billing.rating.context import NO_STEPS, Rating
from billing.rating.shortening import SHORTENED, Cut
from billing.values import Refused

# Flags that depend on the day a call arrived; re-rating keeps them.
ARRIVAL_FLAGS = frozenset({"frozen_account", "closed_account"})
WRITTEN_OFF = "written_off"  # void reason: a person decided that nobody pays a suspended call
CASCADED = "cascaded"  # void reason: another device's record of the same call is charged
LONGEST_KEY = 200  # characters; index entries are limited, so longer keys are hashed


class CallReceived(Event, frozen=True, kw_only=True):
    """The first event of a call: the record as received, its parsed form, and its rating."""

    device_id: str
    filed_at: datetime  # start, or receipt if unknown: decides month and order in lists
    source: str  # the record format
    cdr: Cdr
    rating: Rating
    digest: str  # of the content, to tell a duplicate from a conflict
    raw: str
    raw_encoding: str = ""  # "base64" if the bytes are not valid text


class CallRated(CallReceived, frozen=True, kw_only=True):
    """The record was priced (0 if the call is free) and posted to its payer."""


class CallSuspended(CallReceived, frozen=True, kw_only=True):
    """The record can't be priced yet; `rating.reason` says why."""


class ConflictKept(Event, frozen=True, kw_only=True):
    """A record with the same key but other content arrived; it is kept for a person to review."""

    filed_at: datetime
    source: str
    cdr: Cdr
    digest: str
    raw: str
    raw_encoding: str = ""


class CallRerated(Event, frozen=True, kw_only=True):
    """A rated call got another rating. What `before` posted is reversed."""

    device_id: str
    filed_at: datetime
    cdr: Cdr
    before: Rating  # without its steps, which an earlier event has
    rating: Rating


class CallLinked(Event, frozen=True, kw_only=True):
    """Another device recorded the same conversation; the charge stays as it is."""

    filed_at: datetime
    partner: str  # the other record's stream
    charged: bool  # whether this record is the charged one


class CallParted(Event, frozen=True, kw_only=True):
    """The other device's record is not, or not certainly, of the same conversation.

    A person says so with a `reason`, and the two are never linked again; or the record `closer`
    resembles one of them more.
    """

    filed_at: datetime
    partner: str  # the other record's stream
    reason: str = ""
    closer: str = ""  # stream


class CallReinstated(Event, frozen=True, kw_only=True):
    """A voided record is billed again. What it posted before it was voided is posted again."""

    device_id: str
    filed_at: datetime
    cdr: Cdr
    rating: Rating


class CallVoided(Event, frozen=True, kw_only=True):
    """The record is excluded from billing. What it posted is reversed."""

    device_id: str
    filed_at: datetime
    reason: str  # cascaded, merged, written_off
    cdr: Cdr
    rating: Rating
    note: str = ""  # why a person wrote it off


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a call record."""

    device_id: str
    filed_at: datetime
    source: str
    digest: str  # of the accepted record
    cdr: Cdr
    rating: Rating
    conflicts: frozenset[str] = frozenset()  # digests of the conflicting records
    voided: bool = False
    cascaded: bool = False  # voided because its partner is charged
    partner: str = ""  # stream of another device's record of the same call
    parted: frozenset[str] = frozenset()  # streams of records that a person parted it from

    @property
    def settled(self) -> bool:
        """Whether its number is no longer needed: the call is rated or voided."""
        return self.voided or self.rating.status != "suspended"

    @property
    def shortened(self) -> bool:
        """Whether digits of its number were removed; then it can't be rated again."""
        return SHORTENED in self.cdr.flags


def stream_of(device_id: str, filed_at: datetime, key: str) -> str:
    """Return the stream id of a record, from month, device and key."""
    if len(key) > LONGEST_KEY or not key.isprintable():
        key = "blake2b-" + hashlib.blake2b(key.encode(), digest_size=20).hexdigest()
    return f"call:{filed_at.year:04}-{filed_at.month:02}:{device_id}:{key}"


def content_digest(cdr: Cdr, encoded: bytes) -> str:
    """Hash the parsed content, to tell a repeat from a conflict whatever the transport.

    `encoded` is the record's JSON. Flags say how it was parsed, so they are excluded.
    """
    if cdr.flags:
        encoded = msgspec.json.encode(msgspec.structs.replace(cdr, flags=()))
    return hashlib.blake2b(encoded, digest_size=12).hexdigest()


def evolve(call: Call | None, event: Event) -> Call | None:
    """Return the call after `event`."""
    match event:
        case CallRated() | CallSuspended():
            conflicts = call.conflicts if call else frozenset()
            return Call(
                device_id=event.device_id,
                filed_at=event.filed_at,
                source=event.source,
                digest=event.digest,
                cdr=event.cdr,
                rating=event.rating,
                conflicts=conflicts,
            )
        case ConflictKept(digest=digest) if call:
            return msgspec.structs.replace(call, conflicts=call.conflicts | {digest})
        case CallRerated(rating=rating) if call:
            return msgspec.structs.replace(call, rating=rating)
        case CallLinked() | CallParted() | CallVoided() | CallReinstated() if call:
            return _evolve_pairing(call, event)
        case _:
            return call


def _evolve_pairing(call: Call, event: Event) -> Call:
    match event:
        case CallLinked(partner=partner):
            return msgspec.structs.replace(call, partner=partner)
        case CallParted(partner=partner, reason=reason):
            parted = call.parted | {partner} if reason else call.parted
            return msgspec.structs.replace(call, partner="", parted=parted)
        case CallReinstated():
            return msgspec.structs.replace(call, voided=False, cascaded=False)
        case CallVoided(reason=reason):
            return msgspec.structs.replace(call, voided=True, cascaded=reason == CASCADED)
        case _:
            return call


def receive(
    *,
    device_id: str,
    filed_at: datetime,
    source: str,
    cdr: Cdr,
    rating: Rating,
    digest: str,
    raw: str,
    raw_encoding: str,
) -> CallReceived:
    """Return the first event of a record: rated or suspended."""
    kind = CallRated if rating.status == "rated" else CallSuspended
    return kind(
        device_id=device_id,
        filed_at=filed_at,
        source=source,
        cdr=cdr,
        rating=rating,
        digest=digest,
        raw=raw,
        raw_encoding=raw_encoding,
    )


def remember(record: CallReceived, digest: str, late: Sequence[Event]) -> Call:
    """Rebuild a call of an archived month, as far as a repeated key needs it.

    `digest` is that of the accepted record; `late` are the events after the archive was written.
    """
    return Call(
        device_id=record.device_id,
        filed_at=record.filed_at,
        source=record.source,
        digest=digest,
        cdr=record.cdr,
        rating=record.rating,
        conflicts=frozenset(event.digest for event in late if isinstance(event, ConflictKept)),
    )


def digests_of(record: CallReceived) -> tuple[str, str]:
    """The digests under which a record with this content may be in the log.

    The second is over the texts as they are cut for the columns: version 0.2.0 wrote that one.
    """
    return record.digest, content_digest(record.cdr, msgspec.json.encode(record.cdr))


def receive_again(call: Call, record: CallReceived) -> list[Event]:
    """Handle a record with a known key: ignore equal content, keep other content as a conflict."""
    if not call.conflicts.union((call.digest,)).isdisjoint(digests_of(record)):
        return []
    return [
        ConflictKept(
            filed_at=call.filed_at,
            source=record.source,
            cdr=record.cdr,
            digest=record.digest,
            raw=record.raw,
            raw_encoding=record.raw_encoding,
        )
    ]


def complete(call: Call, cdr: Cdr, rating: Rating) -> list[Event]:
    """Complete or price a suspended record. Refused if the call is not suspended."""
    if call.rating.status != "suspended" or call.voided:
        raise Refused("This call is not suspended.")
    event = receive(
        device_id=call.device_id,
        filed_at=call.filed_at,
        source=call.source,
        cdr=cdr,
        rating=rating,
        digest=call.digest,  # of the original record, so that a repeat is recognised
        raw="",  # the first event has it
        raw_encoding="",
    )
    return [event]


def recycle(call: Call, rating: Rating) -> list[Event]:
    """Rate a suspended call again; return no event if the reason for its suspension is the same."""
    if call.voided or call.rating.status != "suspended" or rating.reason == call.rating.reason:
        return []
    return complete(call, call.cdr, rating)


def rerate(call: Call, rating: Rating) -> list[Event]:
    """Re-rate a call; return no event if the rating is equal or would be a suspension."""
    if call.voided or "suspended" in (call.rating.status, rating.status):
        return []
    kept = tuple(flag for flag in call.rating.flags if flag in ARRIVAL_FLAGS)
    flags = tuple(flag for flag in rating.flags if flag not in ARRIVAL_FLAGS) + kept
    rating = msgspec.structs.replace(rating, flags=flags)
    before = msgspec.structs.replace(call.rating, encoded_steps=NO_STEPS)
    now = msgspec.structs.replace(rating, encoded_steps=NO_STEPS)
    if (set(before.flags), msgspec.structs.replace(before, flags=())) == (
        set(now.flags),
        msgspec.structs.replace(now, flags=()),
    ):
        return []
    return [
        CallRerated(
            device_id=call.device_id,
            filed_at=call.filed_at,
            cdr=call.cdr,
            before=before,
            rating=rating,
        )
    ]


def write_off(call: Call, note: str) -> list[Event]:
    """Void a suspended call that nobody will pay; return no event for any other call.

    `note` says why. Refused if it is blank.
    """
    why = needed(note)
    if call.voided or call.rating.status != "suspended":
        return []
    return void(call, WRITTEN_OFF, why)


def void(call: Call, reason: str, note: str = "") -> list[Event]:
    """Exclude the record from billing. Refused if it is voided already."""
    if call.voided:
        raise Refused("This call is already voided.")
    return [
        CallVoided(
            device_id=call.device_id,
            filed_at=call.filed_at,
            reason=needed(reason),
            cdr=call.cdr,
            rating=call.rating,
            note=note,
        )
    ]


def is_shortened(event: Event) -> bool:
    """Whether digits were removed from the numbers of an event."""
    cdr: Cdr | None = getattr(event, "cdr", None)
    return cdr is not None and SHORTENED in cdr.flags


def shorten(call: Call | None, event: Event) -> Event:
    """Remove the last digits of the other party's number from an event of a settled call.

    `call` is the state after its last event, or None if its first events are archived. The digest
    stays that of the original record, so that a repeat is recognised. Events without numbers, or
    shortened already, are returned unchanged.
    """
    match event:
        case CallReceived() | CallVoided() | CallReinstated() | CallRerated() | ConflictKept():
            own: Rating | None = getattr(event, "rating", None)
        case _:
            return event
    last = call.rating if call else own or Rating(status="suspended")
    numbers = [rating.number for rating in (own, getattr(event, "before", None)) if rating]
    cut = Cut.of(event.cdr, last, numbers)
    if cut is None or is_shortened(event):
        return event
    changed: dict[str, object] = {"cdr": cut.cdr(event.cdr)}
    changed |= {
        name: cut.rating(getattr(event, name))
        for name in ("rating", "before")
        if hasattr(event, name)
    }
    if isinstance(event, CallReceived | ConflictKept):
        changed["raw"] = cut.raw(event.raw, event.raw_encoding)
    return msgspec.structs.replace(event, **changed)
