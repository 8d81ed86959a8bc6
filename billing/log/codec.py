"""Events to the rows of the log and back: the JSON of an event and of its envelope."""

import msgspec

from billing.aggregates.bounds import refuse_unfit
from billing.aggregates.event import Envelope, Event, Unreadable
from billing.aggregates.events import TOPIC_OF, Stored, decode_stored
from billing.aggregates.fitting import NUL_ESCAPED, fit, must_fit
from billing.log.records import Pending, Recorded, Row

_envelope = msgspec.json.Decoder(Envelope)
_parts = msgspec.json.Decoder(Stored[msgspec.Raw])
_encoder = msgspec.json.Encoder()


def _encode_event(event: Event) -> bytes:
    """The JSON of an event, made fit for the columns of read models where it has to be.

    Refused if a number, a date or a choice in it is impossible.
    """
    refuse_unfit(event)
    try:
        encoded = _encoder.encode(event)
    except UnicodeEncodeError:  # a lone surrogate
        return _encoder.encode(fit(event))
    return _encoder.encode(fit(event)) if must_fit(event, encoded) else encoded


def _decode(row: Row) -> Stored[Event]:
    """The parts of a row; an event that today's rules don't admit is `Unreadable`."""
    try:
        return decode_stored(row.topic, row.state)
    except msgspec.ValidationError as error:
        parts = _parts.decode(row.state)
        return Stored(Unreadable(error=f"{row.topic}: {error}"), parts.envelope)


def rewritten(row: Row, event: Event) -> bytes:
    """Return the state of a row with a shortened event; its envelope stays.

    Raises ValueError for an event of an older topic: it would be decoded as another one.
    """
    if TOPIC_OF[type(event)] != row.topic:
        raise ValueError(f"An event of the topic {row.topic} can't be rewritten.")
    envelope = decode_stored(row.topic, row.state).envelope
    return b'{"event":%b,"envelope":%b}' % (_encoder.encode(event), bytes(envelope))


class Codec:
    """Remembers the last envelope: the events of a request share theirs."""

    def __init__(self) -> None:
        self._said: tuple[Envelope | None, bytes] = (None, b"")
        self._heard: tuple[bytes, Envelope | None] = (b"", None)

    def row(self, pending: Pending) -> Row:
        """The row of an event that is to be appended; its texts fit every column."""
        envelope, said = self._said
        if envelope is not pending.envelope:
            refuse_unfit(pending.envelope)
            said = _encoder.encode(fit(pending.envelope))
            self._said = pending.envelope, said
        state = b'{"event":%b,"envelope":%b}' % (_encode_event(pending.event), said)
        return Row(pending.stream, pending.version, TOPIC_OF[type(pending.event)], state)

    def recorded(self, row: Row) -> Recorded:
        """The event of a row that was read with its position. KeyError: of a newer program."""
        stored = _decode(row)
        event = stored.event
        if NUL_ESCAPED in row.state:  # written before appends were made fit
            event = fit(event, cut=False)
        heard, envelope = self._heard
        said = bytes(stored.envelope)
        if envelope is None or said != heard:
            envelope = fit(_envelope.decode(said), cut=False)
            self._heard = said, envelope
        return Recorded(
            row.originator_id, row.originator_version, row.id, row.topic, event, envelope
        )
