"""Receiving call records: rate each, append new ones, recognise repeats."""

from collections.abc import Sequence

import msgspec

from billing.aggregates import call
from billing.aggregates.bounds import refuse_unfit
from billing.aggregates.event import Envelope
from billing.aggregates.fitting import SUSPECT_BYTES, fit
from billing.commands.catalogue import Catalogue
from billing.commands.deciding import ATTEMPTS, fold
from billing.commands.dialogs import complete_dialogs, halves_of
from billing.log.sealing import CALLS
from billing.log.store import Conflict, Encoded, Pending, Store
from billing.rating.cdr import CallRecord, Cdr
from billing.rating.chain import rate_cdr
from billing.rating.context import DeviceProfile
from billing.rating.pins import pin_digest
from billing.values import Refused


class SubmitCalls(msgspec.Struct, frozen=True, kw_only=True):
    """Records that one device submitted in one batch."""

    device_id: str
    records: Sequence[CallRecord]
    envelope: Envelope


class Receipt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The outcome for one record."""

    status: str  # accepted, duplicate, conflict, suspended
    key: str
    cdr_id: str
    reason: str = ""  # why suspended


def prepare(catalogue: Catalogue, command: SubmitCalls) -> list[Pending]:
    """Rate the records of a submission and return their first events. No I/O."""
    device = catalogue.device(command.device_id)
    envelope, device_id = command.envelope, command.device_id
    pending = []
    for record in command.records:
        cdr, digest = _clean(_without_pin(record.cdr, device, catalogue))
        cdr = _within_bounds(cdr)
        filed_at = cdr.started_at or envelope.recorded_at
        event = call.receive(
            device_id=device_id,
            filed_at=filed_at,
            source=record.source,
            cdr=cdr,
            rating=rate_cdr(cdr, device, catalogue.context),
            digest=digest,
            raw=record.raw,
            raw_encoding=record.raw_encoding,
        )
        stream = call.stream_of(device_id, filed_at, cdr.key)
        pending.append(Pending(stream, 1, event, envelope))
    return pending


def commit(store: Store, catalogue: Catalogue, encoded: Encoded) -> list[Receipt]:
    """Append prepared records; return a receipt for each, in order.

    When this returns, all of them are committed, also those that another append stored.
    """
    pending = encoded.events
    positions = store.append_new(encoded)
    halves = halves_of(
        [
            (each, _record(each))
            for each, position in zip(pending, positions, strict=True)
            if position and _record(each).cdr.problem
        ]
    )
    settled = complete_dialogs(store, catalogue, halves) if halves else set()
    known = [each for each, position in zip(pending, positions, strict=True) if not position]
    again = iter(_receive_again(store, known) if known else ())
    return [
        _receipt(each, "accepted" if position else next(again), settled)
        for each, position in zip(pending, positions, strict=True)
    ]


def submit(
    store: Store, catalogue: Catalogue, commands: Sequence[SubmitCalls]
) -> list[list[Receipt]]:
    """Rate and append the records of several submissions at once; return their receipts."""
    catalogue.refresh(store)
    pending = [prepare(catalogue, command) for command in commands]
    receipts = iter(
        commit(store, catalogue, store.encode([each for some in pending for each in some]))
    )
    return [[next(receipts) for _ in some] for some in pending]


_encoder = msgspec.json.Encoder()
_CONTROL = dict.fromkeys(range(32))


def _without_pin(cdr: Cdr, device: DeviceProfile, catalogue: Catalogue) -> Cdr:
    """Replace the PIN by its keyed hash; an account code that names a tenant is not a PIN."""
    if not cdr.pin or cdr.pin in device.tenants:
        return cdr
    return msgspec.structs.replace(cdr, pin=pin_digest(catalogue.pin_key, cdr.pin))


def _clean(cdr: Cdr) -> tuple[Cdr, str]:
    """Return the record without what columns refuse, and the digest of what the device sent.

    The digest is over whole texts: how they are cut can change, what was sent can't. `raw` keeps
    everything.
    """
    try:
        encoded = _encoder.encode(cdr)
    except UnicodeEncodeError:  # a lone surrogate
        encoded = b""
    has_control = not encoded or b"\\u00" in encoded
    if not has_control and len(encoded) <= SUSPECT_BYTES:  # nearly all
        return cdr, call.content_digest(cdr, encoded)
    whole = _without_control_characters(fit(cdr, cut=False)) if has_control else cdr
    digest = call.content_digest(whole, _encoder.encode(whole))
    return _without_control_characters(fit(cdr)), digest


def _within_bounds(cdr: Cdr) -> Cdr:
    """Return the record; without its times and durations if the log takes none such."""
    try:
        refuse_unfit(cdr)
    except Refused:
        return Cdr(key=cdr.key, flags=cdr.flags, problem="unreadable")  # `raw` has the rest
    return cdr


def _without_control_characters(cdr: Cdr) -> Cdr:
    clean = {
        name: value.translate(_CONTROL)
        for name, value in msgspec.structs.asdict(cdr).items()
        if isinstance(value, str)
    }
    return msgspec.structs.replace(cdr, **clean)


def _receipt(pending: Pending, status: str, settled: set[str]) -> Receipt:
    event = _record(pending)
    reason = "" if pending.stream in settled else event.rating.reason
    return Receipt(
        status="suspended" if reason and status == "accepted" else status,
        key=event.cdr.key,
        cdr_id=pending.stream[len(CALLS) :],
        reason=reason,
    )


def _record(pending: Pending) -> call.CallReceived:
    assert isinstance(pending.event, call.CallReceived)  # noqa: S101 -- prepare makes no other kind
    return pending.event


def _receive_again(store: Store, known: Sequence[Pending]) -> list[str]:
    """Return "duplicate" or "conflict" for each record with a known key; append the conflicts."""
    for _ in range(ATTEMPTS):
        streams = store.load_many([each.stream for each in known])
        states = {stream: fold(call.evolve, events) for stream, events in streams.items()}
        versions = {stream: events[-1].version for stream, events in streams.items()}
        archived = store.archived([each.stream for each in known if not states.get(each.stream)])
        statuses, kept = [], []
        for each in known:
            record = _record(each)
            state = states.get(each.stream)
            if state is None:
                version, digest = archived[each.stream]
                late = streams.get(each.stream, [])
                state = call.remember(record, digest, [recorded.event for recorded in late])
                versions[each.stream] = max(version, versions.get(each.stream, 0))
            events = call.receive_again(state, record)
            statuses.append("duplicate" if state.digest in call.digests_of(record) else "conflict")
            for event in events:
                versions[each.stream] += 1
                kept.append(Pending(each.stream, versions[each.stream], event, each.envelope))
                states[each.stream] = call.evolve(state, event)
        try:
            store.append(kept)  # none: what is known is durable when this returns
        except Conflict:
            continue
        return statuses
    raise Refused("Somebody else changed this at the same moment. Try again.")
