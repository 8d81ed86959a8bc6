"""Correcting calls: suspended ones are recycled or written off, wrongly rated ones re-rated."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from billing.aggregates import call, rerating
from billing.aggregates.event import Envelope, Event
from billing.aggregates.rerating import CorrectionEnded
from billing.commands.catalogue import Catalogue
from billing.commands.deciding import ATTEMPTS, decide_new, fold, load_existing
from billing.commands.dialogs import OTHER, Half, complete_dialogs, method_of
from billing.log.store import Conflict, Pending, Recorded, Store
from billing.rating.chain import rate_cdr
from billing.rating.context import Rating
from billing.values import Money, Refused

# Of a call with a shortened number or an unknown device, which keeps its rating.
UNKNOWN = Rating(status="suspended")


class CorrectCalls(msgspec.Struct, frozen=True, kw_only=True):
    """Calls to be rated again or written off. The envelope's request id names the correction.

    A restarted correction counts the events it appended before and appends none twice.
    """

    kind: Literal["recycle", "rerate", "write_off"]
    streams: Sequence[str]
    envelope: Envelope
    write: bool = True  # False: a preview
    noted: bool = False  # whether to append a summary event for a single call
    through: int = 0  # log position; calls with a later event of others are left out. 0: none are
    note: str = ""  # why the calls are written off


class RateCallAgain(msgspec.Struct, frozen=True, kw_only=True):
    """Rate one call, suspended or rated, by the current prices and assignments."""

    stream: str


class ReratingTotal(msgspec.Struct, kw_only=True):
    """The effect of a correction on the calls of one company in one currency."""

    company_id: str = ""
    currency: str = ""
    calls: int = 0  # processed
    changed: int = 0
    stuck: int = 0  # calls that can't be rated and stay unchanged
    old_micros: int = 0
    new_micros: int = 0


class ReratingTotals(msgspec.Struct):
    """The lines of a correction, by company and currency."""

    by_key: dict[tuple[str, str], ReratingTotal]

    @classmethod
    def of(cls, lines: Sequence[ReratingTotal] = ()) -> "ReratingTotals":
        """Build from stored totals."""
        return cls({(line.company_id, line.currency): line for line in lines})

    def line(self, rating: Rating) -> ReratingTotal:
        """Return the total that a rating is added to; creates it if needed."""
        key = rating.company_id, rating.currency
        found = self.by_key.get(key)
        if found is None:
            found = self.by_key[key] = ReratingTotal(company_id=key[0], currency=key[1])
        return found

    def sorted(self) -> list[ReratingTotal]:
        """Return all totals, sorted by company and currency."""
        return [self.by_key[key] for key in sorted(self.by_key)]


def correct_calls(
    store: Store, catalogue: Catalogue, command: CorrectCalls, lines: ReratingTotals
) -> int:
    """Correct calls and add the effect to `lines`; return the last position, or 0.

    Refused if a write-off has no reason.
    """
    if command.kind == "recycle" and command.write:
        _complete_halves(store, catalogue, command)
    for _ in range(ATTEMPTS):
        ours = ReratingTotals.of()
        pending = _decide(store, catalogue, command, ours)
        try:
            if pending and command.noted:
                pending.append(_note(store, command, ours))
            position = store.append(pending) if pending and command.write else 0
        except Conflict:
            continue
        _add(lines, ours)
        return position
    raise Refused("Somebody else changed this at the same moment. Try again.")


def rate_call_again(store: Store, command: RateCallAgain, envelope: Envelope) -> int:
    """Rate one call again. Refused if nothing changes."""
    state = load_existing(store, command.stream, call.evolve)
    if state.shortened:
        raise Refused("The number of this call was shortened: it can't be re-rated.")
    catalogue = Catalogue()
    catalogue.refresh(store)
    correct = CorrectCalls(
        kind="recycle" if state.rating.status == "suspended" else "rerate",
        streams=(command.stream,),
        envelope=envelope,
        noted=True,
    )
    position = correct_calls(store, catalogue, correct, ReratingTotals.of())
    if not position:
        raise Refused("The call was re-rated, and nothing changed.")
    return position


def end_correction(
    store: Store, correction_id: str, event: CorrectionEnded, envelope: Envelope
) -> int:
    """Append the summary event of a whole correction."""
    return decide_new(
        store,
        rerating.stream_of(correction_id),
        rerating.evolve,
        lambda before: rerating.end(before, event),
        envelope,
    )


def _note(store: Store, command: CorrectCalls, lines: ReratingTotals) -> Pending:
    stream = rerating.stream_of(command.streams[0])
    event = ended(command.kind, "done", lines.sorted())
    return Pending(stream, len(store.load(stream)) + 1, event, command.envelope)


def ended(kind: str, outcome: str, lines: Sequence[ReratingTotal]) -> CorrectionEnded:
    """Sum up a correction over all companies."""
    before, after = dict[str, int](), dict[str, int]()
    for line in lines:
        if line.currency:
            before[line.currency] = before.get(line.currency, 0) + line.old_micros
            after[line.currency] = after.get(line.currency, 0) + line.new_micros
    return CorrectionEnded(
        kind=kind,
        outcome=outcome,
        calls=sum(line.calls for line in lines),
        changed=sum(line.changed for line in lines),
        stuck=sum(line.stuck for line in lines),
        amounts_before=tuple(Money(micros, each) for each, micros in sorted(before.items())),
        amounts_after=tuple(Money(micros, each) for each, micros in sorted(after.items())),
    )


def _decide(
    store: Store, catalogue: Catalogue, command: CorrectCalls, lines: ReratingTotals
) -> list[Pending]:
    pending = []
    for stream, recorded in store.load_many(command.streams).items():
        state = fold(call.evolve, recorded)
        if state is None:
            continue
        written = [each for each in recorded[1:] if _is_of(each, command)]
        if written:
            for each in written:
                _count(lines, state, each.event)
            continue
        if state.voided or 0 < command.through < recorded[-1].position:
            continue
        rating, events = _decide_one(catalogue, command, state)
        for number, event in enumerate(events, len(recorded) + 1):
            pending.append(Pending(stream, number, event, command.envelope))
            _count(lines, state, event)
        if not events:
            _count_unchanged(lines, state, rating)
    return pending


def _decide_one(
    catalogue: Catalogue, command: CorrectCalls, state: call.Call
) -> tuple[Rating, list[Event]]:
    """Return the rating of a call and the events that correct it."""
    if command.kind == "write_off":
        return state.rating, call.write_off(state, command.note)
    rating = _rate(catalogue, state)
    decision = call.recycle if command.kind == "recycle" else call.rerate
    return rating, decision(state, rating)


def _rate(catalogue: Catalogue, state: call.Call) -> Rating:
    """Rate a call by the catalogue; UNKNOWN if its number or its device is not known any more."""
    if state.shortened:
        return UNKNOWN
    try:
        device = catalogue.device(state.device_id)
    except Refused:  # the registration is set aside: other calls are rated nevertheless
        return UNKNOWN
    return rate_cdr(state.cdr, device, catalogue.context)


def _is_of(recorded: Recorded, command: CorrectCalls) -> bool:
    return recorded.envelope.request_id == command.envelope.request_id


def _count(lines: ReratingTotals, state: call.Call, event: object) -> None:
    match event:
        case call.CallRerated(before=before, rating=rating):
            old, new = lines.line(before), lines.line(rating)
            new.calls += 1
            new.changed += 1
            old.old_micros += before.amount_micros
            new.new_micros += rating.amount_micros
        case call.CallRated(rating=rating):
            new = lines.line(rating)
            new.calls += 1
            new.changed += 1
            new.new_micros += rating.amount_micros
        case call.CallVoided(rating=rating):
            line = lines.line(rating)
            line.calls += 1
            line.changed += 1
        case call.CallSuspended(rating=rating):
            _count_unchanged(lines, state, rating)


def _count_unchanged(lines: ReratingTotals, state: call.Call, rating: Rating) -> None:
    line = lines.line(state.rating if state.rating.status == "rated" else rating)
    line.calls += 1
    line.stuck += rating.status == "suspended"
    line.old_micros += state.rating.amount_micros
    line.new_micros += state.rating.amount_micros


def _add(lines: ReratingTotals, ours: ReratingTotals) -> None:
    for key, found in ours.by_key.items():
        line = lines.by_key.setdefault(key, ReratingTotal(company_id=key[0], currency=key[1]))
        line.calls += found.calls
        line.changed += found.changed
        line.stuck += found.stuck
        line.old_micros += found.old_micros
        line.new_micros += found.new_micros


def _complete_halves(store: Store, catalogue: Catalogue, command: CorrectCalls) -> None:
    """Join halves of a dialog that arrived at the same moment and so were not joined then."""
    halves = []
    for stream, recorded in store.load_many(command.streams).items():
        first = recorded[0].event
        if isinstance(first, call.CallSuspended) and method_of(first.cdr) in OTHER:
            halves.append(Half(stream, first, command.envelope))
    if halves:
        complete_dialogs(store, catalogue, halves)
