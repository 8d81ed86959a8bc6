"""Joining the halves of a SIP dialog: records of an INVITE and of a BYE are one call.

Kamailio's acc writes a record for each transaction. Each half is stored as "unfinished" when it
arrives; the second one to arrive completes the INVITE's call and voids the BYE's record.
"""

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from billing.aggregates import call
from billing.aggregates.event import Envelope, Event
from billing.commands.catalogue import Catalogue
from billing.commands.deciding import ATTEMPTS, fold
from billing.log.store import Conflict, Pending, Store
from billing.rating.cdr import Cdr
from billing.rating.chain import rate_cdr

HALF = "half:"  # prefix of the flag that holds a half's method
OTHER = {"INVITE": "BYE", "BYE": "INVITE"}
MERGED = "merged"  # the void reason of a BYE's record


class Half(msgspec.Struct, frozen=True):
    """A half that has just been stored."""

    stream: str
    record: call.CallReceived
    envelope: Envelope


def method_of(cdr: Cdr) -> str:
    """Return INVITE or BYE for a half of a dialog, "" for a whole call."""
    if cdr.problem != "unfinished":
        return ""
    return next((f.removeprefix(HALF) for f in cdr.flags if f.startswith(HALF)), "")


def complete_dialogs(store: Store, catalogue: Catalogue, halves: Sequence[Half]) -> set[str]:
    """Complete the calls whose other half is stored; return the streams that this settled."""
    for _ in range(ATTEMPTS):
        candidates = {half.stream: _counterparts(half) for half in halves}
        wanted = {stream for streams in candidates.values() for stream in streams}
        loaded = store.load_many([*candidates, *wanted])
        states = {stream: fold(call.evolve, events) for stream, events in loaded.items()}
        pending: dict[str, Pending] = {}
        for half in halves:
            for other in candidates[half.stream]:
                invite, bye = half.stream, other
                if method_of(half.record.cdr) == "BYE":
                    invite, bye = other, half.stream
                pair = states.get(invite), states.get(bye)
                if pair[0] and pair[1] and not {invite, bye} & set(pending):
                    version = {stream: len(loaded[stream]) + 1 for stream in (invite, bye)}
                    for stream, event in zip(
                        (invite, bye), _merge(catalogue, pair[0], pair[1]), strict=False
                    ):
                        pending[stream] = Pending(stream, version[stream], event, half.envelope)
        try:
            if pending:
                store.append(list(pending.values()))
        except Conflict:
            continue
        return set(pending)
    return set()  # both halves stay unfinished until they are recycled


def _merge(catalogue: Catalogue, invite: call.Call, bye: call.Call) -> list[Event]:
    """Return the events that settle both halves; [] if one is settled already."""
    if not method_of(invite.cdr) or not method_of(bye.cdr) or invite.voided or bye.voided:
        return []
    begin, end = invite.cdr.started_at, bye.cdr.ended_at
    if begin is None or end is None:
        return []
    talk_ms = (end - begin) // timedelta(milliseconds=1)
    cdr = msgspec.structs.replace(
        invite.cdr,
        answered_at=begin,
        ended_at=end,
        duration_ms=talk_ms,
        billed_ms=talk_ms,
        result="answered" if talk_ms else "no_answer",
        problem="",
        flags=tuple(flag for flag in invite.cdr.flags if not flag.startswith(HALF)),
    )
    rating = rate_cdr(cdr, catalogue.device(invite.device_id), catalogue.context)
    return [*call.complete(invite, cdr, rating), *call.void(bye, MERGED)]


def _counterparts(half: Half) -> list[str]:
    """Return the streams the other half may have: either end hangs up, maybe in another month."""
    cdr, filed_at = half.record.cdr, half.record.filed_at
    method = method_of(cdr)
    parts = cdr.key.split("|")
    if len(parts) != len(("call id", "from tag", "to tag", "method")):
        return []
    call_id, from_tag, to_tag, _ = parts
    near = timedelta(days=1) if method == "INVITE" else timedelta(days=-1)
    months = {(at.year, at.month): at for at in (filed_at, filed_at + near)}
    return [
        call.stream_of(half.record.device_id, at, f"{call_id}|{tags}|{OTHER[method]}")
        for at in months.values()
        for tags in (f"{from_tag}|{to_tag}", f"{to_tag}|{from_tag}")
    ]


def halves_of(stored: Sequence[tuple[Pending, call.CallReceived]]) -> list[Half]:
    """Return the halves among records that have just been stored."""
    return [
        Half(pending.stream, record, pending.envelope)
        for pending, record in stored
        if record.cdr.problem and method_of(record.cdr) in OTHER
    ]
