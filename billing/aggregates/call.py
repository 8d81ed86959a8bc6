"""A call record's life: rated or suspended when it comes, then recycled, re-rated or voided.

The stream id is `call:<month>:<device>:<record key>`, so a record sent twice is one stream.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime

import msgspec

from billing.aggregates.event import Event
from billing.rating.cdr import Cdr
from billing.rating.context import NO_STEPS, Rating
from billing.rating.shortening import SHORTENED, Cut
from billing.values import Refused

# What a call was flagged with because of the day it came on; rating it again leaves that alone.
OF_ITS_DAY = frozenset({"frozen_account", "closed_account"})
CASCADED = "cascaded"  # why the record of a call that another device told too is voided
LONGEST_KEY = 200  # an index entry has its limit; a longer key is known by its hash


class CallReceived(Event, frozen=True, kw_only=True):
    """What the first event of a call holds: the record as the switch gave it, and what it means."""

    device_id: str
    filed_at: datetime  # the start, or the receipt of what has none: month and place in lists
    source: str  # the format it was read as
    cdr: Cdr
    rating: Rating
    digest: str  # of the content, to know a duplicate from a conflict
    raw: str
    raw_encoding: str = ""  # "base64" where the bytes were no text


class CallRated(CallReceived, frozen=True, kw_only=True):
    """The record was priced (0 for what costs nothing) and posted to its payer."""


class CallSuspended(CallReceived, frozen=True, kw_only=True):
    """The record can't be priced yet; `rating.reason` says why."""


class ConflictKept(Event, frozen=True, kw_only=True):
    """Another record came under the same key with other content; kept for a person to look at."""

    filed_at: datetime
    source: str
    cdr: Cdr
    digest: str
    raw: str
    raw_encoding: str = ""


class CallRerated(Event, frozen=True, kw_only=True):
    """A rated call has another rating now. What `before` had posted is taken back."""

    device_id: str
    filed_at: datetime
    cdr: Cdr
    before: Rating  # without its steps: an earlier event has them
    rating: Rating


class CallLinked(Event, frozen=True, kw_only=True):
    """The same conversation as another device told it; what is charged stays as it is."""

    filed_at: datetime
    partner: str  # the other record's stream
    charged: bool  # whether it is this one that is charged


class CallVoided(Event, frozen=True, kw_only=True):
    """The record is no call of its own. What it had posted is taken back."""

    device_id: str
    filed_at: datetime
    reason: str
    cdr: Cdr
    rating: Rating


class Call(msgspec.Struct, frozen=True, kw_only=True):
    device_id: str
    filed_at: datetime
    source: str
    digest: str  # of the record that stands
    cdr: Cdr
    rating: Rating
    conflicts: frozenset[str] = frozenset()  # digests of the records kept aside
    voided: bool = False
    linked: bool = False  # to the record of another device

    @property
    def settled(self) -> bool:
        """Whether nobody needs its number any more: it is rated, or no call of its own."""
        return self.voided or self.rating.status != "suspended"

    @property
    def shortened(self) -> bool:
        """Whether its number lacks digits: it can't be rated again."""
        return SHORTENED in self.cdr.flags


def stream_of(device_id: str, filed_at: datetime, key: str) -> str:
    """The stream of a record: its month, its device, its key."""
    if len(key) > LONGEST_KEY or not key.isprintable():
        key = "blake2b-" + hashlib.blake2b(key.encode(), digest_size=20).hexdigest()
    return f"call:{filed_at.year:04}-{filed_at.month:02}:{device_id}:{key}"


def content_digest(cdr: Cdr, encoded: bytes) -> str:
    """What tells a repeat from a conflict: the content as read, however it was transported.

    `encoded` is the record's JSON; flags say how it was read, so they are no content.
    """
    if cdr.flags:
        encoded = msgspec.json.encode(msgspec.structs.replace(cdr, flags=()))
    return hashlib.blake2b(encoded, digest_size=12).hexdigest()


def evolve(call: Call | None, event: Event) -> Call | None:
    """The call after `event`."""
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
        case CallLinked() if call:
            return msgspec.structs.replace(call, linked=True)
        case CallVoided() if call:
            return msgspec.structs.replace(call, voided=True)
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
    """The first event of a record."""
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
    """A call of an archived month, as far as it is known when its key comes again.

    `digest` is that of the record that stands, `late` is what came after the archive.
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


def receive_again(call: Call, record: CallReceived) -> list[Event]:
    """A record whose key is known: nothing if its content is too, else it is kept as a conflict."""
    if record.digest == call.digest or record.digest in call.conflicts:
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
    """A suspended record that now is a whole call, or can be priced at last."""
    if call.rating.status != "suspended" or call.voided:
        raise Refused("This call is not suspended.")
    event = receive(
        device_id=call.device_id,
        filed_at=call.filed_at,
        source=call.source,
        cdr=cdr,
        rating=rating,
        digest=call.digest,  # the record's own: sent again it is known
        raw="",  # as the first event has it
        raw_encoding="",
    )
    return [event]


def recycle(call: Call, rating: Rating) -> list[Event]:
    """Rate a suspended call again; nothing where it would be suspended for the same reason."""
    if call.voided or call.rating.status != "suspended" or rating.reason == call.rating.reason:
        return []
    return complete(call, call.cdr, rating)


def rerate(call: Call, rating: Rating) -> list[Event]:
    """Give a rated call another rating; nothing where it is the same, or there would be none."""
    if call.voided or "suspended" in (call.rating.status, rating.status):
        return []
    kept = tuple(flag for flag in call.rating.flags if flag in OF_ITS_DAY)
    flags = tuple(flag for flag in rating.flags if flag not in OF_ITS_DAY) + kept
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


def link(
    charged: Call, charged_stream: str, other: Call, other_stream: str
) -> tuple[list[Event], list[Event]] | None:
    """Let one of two records of the same conversation be charged; the events of each.

    None where one of them is settled already.
    """
    if charged.voided or other.voided or charged.linked or other.linked:
        return None
    if "suspended" in (charged.rating.status, other.rating.status):
        return None
    return (
        [CallLinked(filed_at=charged.filed_at, partner=other_stream, charged=True)],
        [
            CallLinked(filed_at=other.filed_at, partner=charged_stream, charged=False),
            *void(other, CASCADED),
        ],
    )


def void(call: Call, reason: str) -> list[Event]:
    """Take the record out of the bill."""
    if call.voided:
        raise Refused("This call is already voided.")
    return [
        CallVoided(
            device_id=call.device_id,
            filed_at=call.filed_at,
            reason=reason,
            cdr=call.cdr,
            rating=call.rating,
        )
    ]


def is_shortened(event: Event) -> bool:
    """Whether an event lost the last digits of a number."""
    cdr: Cdr | None = getattr(event, "cdr", None)
    return cdr is not None and SHORTENED in cdr.flags


def shorten(call: Call | None, event: Event) -> Event:
    """An event of a settled call without the last digits of its other end; or itself.

    `call` is the call after its last event, or None where its first ones lie in an archive.
    The digest stays that of the record as it came: sent again, it is known.
    """
    match event:
        case CallReceived() | CallVoided() | CallRerated() | ConflictKept():
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
