"""The event log: load, append, append_new, after. The only module that imports `eventsourcing`."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from operator import attrgetter
from typing import Any, ClassVar

import msgspec
from eventsourcing.application import Application
from eventsourcing.persistence import InfrastructureFactory, Mapper
from eventsourcing.postgres import PostgresApplicationRecorder
from eventsourcing.utils import Environment
from psycopg import Cursor
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import tuple_row

from billing.aggregates.event import Event
from billing.aggregates.events import topics_of
from billing.aggregates.keeping import Keeping
from billing.database.pulse import watch_pool
from billing.log import queries, set_aside
from billing.log.binary_arrays import TextArray, register
from billing.log.codec import Codec
from billing.log.durability import LOCK, WRITE_NOTHING, durable
from billing.log.partitions import Dates, create_partition
from billing.log.records import Conflict, Encoded, Past, Pending, Recorded, Row, united
from billing.log.sealing import (
    CALLS,
    GENESIS,
    archived_key,
    partition_digests,
    partition_of,
    seal_of,
)

__all__ = ["CHANNEL", "LOCK", "Conflict", "Encoded", "Past", "Pending", "Recorded", "Row", "Store"]

CHANNEL = "billing_events"  # NOTIFY: something was appended
AT_ONCE = 1_000  # events of an account that are in memory at a time


_encoder = msgspec.json.Encoder()


class EventMapper(Mapper[str]):
    """What the library calls for rows and events: see codec.py."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._codec = Codec()

    def to_stored_event(self, domain_event: Any) -> Any:
        """The row of a `Pending`."""
        return self._codec.row(domain_event)

    def to_domain_event(self, stored_event: Any) -> Any:
        """The `Recorded` of a row read with its position."""
        return self._codec.recorded(stored_event)


class EventRecorder(PostgresApplicationRecorder):
    """Appends in one transaction: lock, find existing events, COPY new ones, seal, notify.

    COPY costs the server half of `insert … on conflict do nothing` (docs/decisions/0007). All
    writers take the lock, and the primary key guards against duplicates.
    """

    KNOWN = """
    select originator_id, originator_version
    from unnest(%b::text[], %b::bigint[]) as given (stream, version)
    join billing_events on originator_id = stream and originator_version = version"""
    LAST_POSITION = "select setval('event_position', nextval('event_position') + %s - 1)"
    COPY = """
    copy billing_events (originator_id, originator_version, topic, state, notification_id)
    from stdin (format binary)"""
    COPY_TYPES = ("text", "int8", "text", "bytea", "int8")
    LAST_SEAL = "select seal from seals order by last_position desc limit 1"
    ADD_SEAL = f"""
    with added as (
      insert into seals (last_position, first_position, events, previous, digests, seal)
      values (%s, %s, %s, %s, %s::jsonb, %s)
    )
    select pg_notify('{CHANNEL}', '')"""

    # Not cached: a month that has a partition now may be archived and dropped tomorrow.
    MONTHS = """
    select month, to_regclass('billing_events_' || replace(month, '-', '_')) is null,
     exists (select from archived_months as archived where archived.month = given.month),
     coalesce((select max(months) from keeping), %s)
    from unnest(%s::text[]) as given (month)"""
    ARCHIVED = "select key, version from archived_calls where key = any(%s)"

    def insert_events(self, stored_events: Sequence[Any], **kwargs: Any) -> Sequence[int] | None:
        """Append; returns positions, 0 for an event that was there (with `skip_existing`).

        Without `skip_existing` an event that was there raises Conflict and nothing is stored.
        `in_transaction` is called in the same transaction, under the lock.
        """
        streams = [row.originator_id for row in stored_events]
        with self._appending() as cursor:
            archived = self._ensure_partitions(cursor, streams, kwargs["dates"])
            if in_transaction := kwargs.get("in_transaction"):
                in_transaction(cursor)
            new = self._new(cursor, stored_events, archived)
            if len(new) < len(stored_events) and not kwargs.get("skip_existing"):
                raise Conflict
            positions = self._copy(cursor, new) if new else {}
            if not stored_events:
                cursor.execute(WRITE_NOTHING)
        return [positions.get(id(row), 0) for row in stored_events]

    @contextmanager
    def _appending(self) -> Iterator[Cursor[Any]]:
        with self.datastore.get_connection() as connection, durable(connection):
            yield connection.cursor(row_factory=tuple_row)

    def _new(self, cursor: Cursor[Any], rows: Sequence[Row], archived: set[str]) -> list[Row]:
        """Return the rows that are not in the log; the lock keeps this true until the commit."""
        register(cursor)
        streams = TextArray.of([row.originator_id.encode() for row in rows])
        versions = [row.originator_version for row in rows]
        cursor.execute(self.KNOWN, (streams, versions), binary=True, prepare=True)
        known = set(cursor.fetchall())
        if archived:
            known |= self._archived(cursor, rows, archived)
        new = []
        for row in rows:
            key = row.originator_id, row.originator_version
            if key not in known:
                known.add(key)  # a duplicate within the batch is stored once
                new.append(row)
        return new

    def _archived(
        self, cursor: Cursor[Any], rows: Sequence[Row], months: set[str]
    ) -> set[tuple[str, int]]:
        """Return those of the keys that are in archived months."""
        candidates = {
            archived_key(row.originator_id): row
            for row in rows
            if partition_of(row.originator_id) in months
        }
        cursor.execute(self.ARCHIVED, (list(candidates),))
        return {
            (candidates[key].originator_id, version)
            for key, last in cursor.fetchall()
            for version in range(1, last + 1)
        }

    def _copy(self, cursor: Cursor[Any], rows: Sequence[Row]) -> dict[int, int]:
        """Write rows and seal them; return positions by `id(row)`."""
        cursor.execute(self.LAST_POSITION, (len(rows),))
        ((last,),) = cursor.fetchall()
        first = last - len(rows) + 1
        with cursor.copy(self.COPY) as copy:
            copy.set_types(self.COPY_TYPES)
            for position, row in enumerate(rows, first):
                copy.write_row(
                    (row.originator_id, row.originator_version, row.topic, row.state, position)
                )
        self._seal(cursor, rows, first)
        return {id(row): position for position, row in enumerate(rows, first)}

    def _ensure_partitions(
        self, cursor: Cursor[Any], streams: Sequence[str], dates: Dates
    ) -> set[str]:
        """Give each plausible month of calls its partition before its first event.

        Returns the months that are archived.
        """
        months = sorted({partition_of(stream) for stream in streams if stream.startswith(CALLS)})
        archived = set()
        if months:
            cursor.execute(self.MONTHS, (Keeping().months, months), prepare=True)
            for month, is_missing, is_archived, keeping_months in cursor.fetchall():
                if is_missing and (is_archived or dates.admit(month, keeping_months)):
                    create_partition(cursor, month)
                if is_archived:
                    archived.add(month)
        return archived

    def _seal(self, cursor: Cursor[Any], rows: Sequence[Row], first: int) -> None:
        cursor.execute(self.LAST_SEAL)
        seals = cursor.fetchone()
        previous = seals[0] if seals else GENESIS
        digests = partition_digests(
            (position, row.originator_id, row.originator_version, row.topic, row.state)
            for position, row in enumerate(rows, first)
        )
        last = first + len(rows) - 1
        seal = seal_of(previous, first, last, len(rows), digests)
        encoded = _encoder.encode(digests).decode()
        cursor.execute(self.ADD_SEAL, (last, first, len(rows), previous, encoded, seal))


class _Billing(Application[str]):
    name = "billing"  # the library derives the table's name from it
    env: ClassVar[dict[str, str]] = {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "CREATE_TABLE": "n",  # migrations create the tables
        "ORIGINATOR_ID_TYPE": "text",
        "APPLICATION_RECORDER_TOPIC": "billing.log.store:EventRecorder",
        "MAPPER_TOPIC": "billing.log.store:EventMapper",
        # The library requires these; `construct_factory` replaces them.
        "POSTGRES_DBNAME": "-",
        "POSTGRES_HOST": "-",
        "POSTGRES_PORT": "-",
        "POSTGRES_USER": "-",
        "POSTGRES_PASSWORD": "-",
        "POSTGRES_POOL_SIZE": "1",
        "POSTGRES_MAX_OVERFLOW": "7",
        "POSTGRES_PRE_PING": "y",  # the first use of a connection after a restart works
        "POSTGRES_CONNECT_TIMEOUT": "2",  # for a connection of the pool
    }

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        super().__init__()

    def construct_factory(self, env: Environment) -> InfrastructureFactory[Any]:
        """Make the library's pool connect by our URL, which allows TLS and a second host."""
        factory: Any = super().construct_factory(env)
        kwargs = factory.datastore.pool.kwargs
        for name in ("dbname", "host", "port", "user", "password"):
            del kwargs[name]
        kwargs.update(conninfo_to_dict(self._database_url))
        watch_pool(factory.datastore.pool)
        return factory  # type: ignore[no-any-return]


class Store:
    """The log in one database. Blocks: call it in a thread if there is an event loop."""

    # Opens the files of archived months; set by processes that may need them.
    past: Callable[[], Past] | None = None

    def __init__(self, database_url: str) -> None:
        self.url = database_url
        self._application = _Billing(database_url)
        # Any, because the library's types expect its own event classes.
        application: Any = self._application
        self._mapper = application.mapper
        self._recorder = application.recorder
        self._datastore = self._recorder.datastore

    def close(self) -> None:
        """Close the connections."""
        self._application.close()

    def load(self, stream: str) -> list[Recorded]:
        """Return the events of one stream, oldest first; [] if there are none."""
        return self.load_many([stream]).get(stream, [])

    def load_many(self, streams: Sequence[str]) -> dict[str, list[Recorded]]:
        """Return the events of several streams by one query; streams without events are missing."""
        found = self._select(queries.BY_STREAM, (list(streams),))
        return {stream: list(events) for stream, events in groupby(found, attrgetter("stream"))}

    def after(self, position: int, limit: int) -> list[Recorded]:
        """Return up to `limit` events after `position` of the whole log, in order."""
        return list(self._select(queries.AFTER, (position, limit)))

    def version(self, stream: str) -> int:
        """Return the version of a stream's last event; 0 if there is none."""
        with self._datastore.get_connection() as connection:
            cursor = connection.cursor(row_factory=tuple_row)
            ((version,),) = cursor.execute(queries.VERSION, (stream,)).fetchall()
        return int(version)

    def begins(self, stream: str, kind: type[Event], text: str) -> bool:
        """Whether the first words of an event hold a text; however long it is, no more is read."""
        with self._datastore.get_connection() as connection:
            cursor = connection.cursor(row_factory=tuple_row)
            values = (stream, topics_of([kind]), _encoder.encode(text))
            ((found,),) = cursor.execute(queries.BEGINS, values).fetchall()
        return bool(found)

    def follow(self, stream: str, excluding: Collection[type[Event]] = ()) -> Iterator[Recorded]:
        """The events of one stream, a few in memory at a time, without the kinds of `excluding`."""
        without, version = topics_of(excluding), 0
        while found := list(self._select(queries.FOLLOW, (stream, version, without))):
            version = found[-1].version
            found.reverse()
            while found:
                yield found.pop()

    def after_without_calls(
        self, position: int, limit: int, excluding: Collection[type[Event]] = ()
    ) -> list[Recorded]:
        """The same without the events of calls: what changes accounts, devices and rates."""
        return list(
            self._select(queries.AFTER_WITHOUT_CALLS, (position, topics_of(excluding), limit))
        )

    def calls_changed(self, after: int, ignored: Collection[type[Event]] = ()) -> list[str]:
        """Return the calls of a position that later events changed, without the kinds `ignored`."""
        with self._datastore.get_connection() as connection:
            cursor = connection.cursor(row_factory=tuple_row)
            cursor.execute(queries.CALLS_CHANGED, {"after": after, "ignored": topics_of(ignored)})
            return [stream for (stream,) in cursor]

    def at(self, positions: Sequence[int]) -> list[Recorded]:
        """Return the events at these positions, in order; those of archived months from files."""
        found = list(self._select(queries.AT, (list(positions),)))
        missing = set(positions) - {recorded.position for recorded in found}
        if missing and self.past:
            found += [self.recorded(row) for row in self.past().at(missing)]
            found.sort(key=attrgetter("position"))
        return found

    def concerning(
        self, account: str, after: int, until: int, past: Past | None = None
    ) -> Iterator[Recorded]:
        """Yield the events of an account and of the calls it paid, after `after` up to `until`.

        A few are in memory at a time, and no connection is held while the caller works on them.
        Pass the same `past` for consecutive ranges: the files are then read only once.
        """
        payer = b'"payer":%b' % _encoder.encode(account)
        while after < until:
            values = (after, until, account, payer, AT_ONCE)
            found = list(self._rows(queries.CONCERNING, values))
            end = found[-1].id if found else until
            if past is not None:  # after the query: a month archived in between is in one
                archived = (row for row in past.between(after, end) if payer in row.state)
                yield from map(self.recorded, united(found, archived))
            else:
                yield from map(self.recorded, found)
            after = end

    def key(self, name: str) -> bytes:
        """Return a key of this installation; it is in no event."""
        with self._datastore.get_connection() as connection:
            cursor = connection.cursor(row_factory=tuple_row)
            row = cursor.execute(queries.KEY, (name,)).fetchone()
            return bytes(row[0])

    def append(
        self, events: Sequence[Pending], in_transaction: Callable[[Cursor[Any]], None] | None = None
    ) -> int:
        """Append all or none; return the last position, 0 without events.

        Afterwards everything that could be read before is durable too. Another append may still
        wait for a standby, so call this, even without events, before you confirm a duplicate.
        Raises Conflict if a version is taken: load and decide again, never append the same again.
        `in_transaction` is called in the same transaction, while nobody else appends.
        """
        encoded = self.encode(events)
        positions = self._recorder.insert_events(
            encoded.rows, in_transaction=in_transaction, dates=encoded.dates
        )
        return max(positions, default=0)

    def encode(self, events: Sequence[Pending], history_from: str = "") -> Encoded:
        """Events as `append_new` takes them: made ahead, while another batch is appended.

        `history_from` is the first month "2024-01" that gets a partition however old it is.
        """
        recorded_at = max((each.envelope.recorded_at for each in events), default=None)
        rows = [self._mapper.to_stored_event(event) for event in events]
        return Encoded(events, rows, Dates(recorded_at, history_from))

    def append_new(self, encoded: Encoded) -> Sequence[int]:
        """Append what is new; return the position of each, 0 for known ones: see `append`."""
        positions: Sequence[int] = self._recorder.insert_events(
            encoded.rows, skip_existing=True, dates=encoded.dates
        )
        return positions

    def archived(self, streams: Sequence[str]) -> dict[str, tuple[int, str]]:
        """Return the last version and the record's digest of calls in archived months."""
        keys = {archived_key(stream): stream for stream in streams}
        with self._datastore.get_connection() as connection:
            cursor = connection.cursor(row_factory=tuple_row)
            found = cursor.execute(queries.ARCHIVED, (list(keys),)).fetchall()
        return {keys[key]: (version, digest) for key, version, digest in found}

    def set_aside(
        self, name: str, refused: Sequence[tuple[Recorded, Exception]], *, replace: bool = False
    ) -> None:
        """Note events that `name` could not act on; with `replace` they are all that it lacks."""
        with self._datastore.transaction(commit=True) as cursor:
            if replace:
                set_aside.forget(cursor, name)
            for recorded, error in refused:
                set_aside.note(cursor, name, set_aside.place_of(recorded), error)

    def recorded(self, row: Row) -> Recorded:
        """Decode a row that was read elsewhere, such as in a file of an archived month."""
        return self._mapper.to_domain_event(row)  # type: ignore[no-any-return] # our own mapper

    def _select(self, statement: str, values: tuple[Any, ...]) -> Iterator[Recorded]:
        return map(self.recorded, self._rows(statement, values))

    def _rows(self, statement: str, values: tuple[Any, ...]) -> Iterator[Row]:
        with self._datastore.get_connection() as connection:
            cursor = connection.cursor(binary=True, row_factory=tuple_row)
            for stream, version, position, topic, state in cursor.execute(statement, values):
                yield Row(stream, version, topic, state, position)
