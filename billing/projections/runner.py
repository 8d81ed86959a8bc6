"""The loop that keeps the read models up to date: rows and position are committed together."""

import logging
import threading
import time
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter, itemgetter

import msgspec
import psycopg

from billing.log import positions
from billing.log.sealing import CALLS
from billing.log.set_aside import forget, is_transient
from billing.log.store import CHANNEL, Past, Recorded, Store
from billing.projections import Projection
from billing.projections.isolation import Broken, Isolation, apply_readable
from billing.values import Refused

BATCH = 5_000  # events per transaction
POLL_SECONDS = 1.0  # notifications can be lost, polls can't
LONGEST_PAUSE_SECONDS = 300.0  # between two tries of a broken read model

ARCHIVED_TO = "select max(last_position) from archived_months"

logger = logging.getLogger("billing.projections")


class Pause(msgspec.Struct, frozen=True):
    """Until when a broken read model rests, on the monotonic clock, and for how long."""

    until: float = 0.0
    seconds: float = 0.5


class Runner:
    """Feeds the log to the projections. Those at the same position share one read."""

    def __init__(self, url: str, store: Store, projections: Sequence[Projection]) -> None:
        self._store = store
        self._past: Past | None = None  # archived events, read on from batch to batch
        self._held_back: dict[str, Pause] = {}
        self._by_name = {projection.name: projection for projection in projections}
        self._connection = psycopg.connect(url, autocommit=True)
        for name, projection in self._by_name.items():
            positions.register(self._connection, name)
            if projection.zone:
                self._keep_zone(name, projection.zone)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _keep_zone(self, name: str, zone: str) -> None:
        """Rebuild a projection if its days are in another time zone."""
        made_in, position = positions.made_in(self._connection, name)
        if made_in != zone:
            with self._connection.transaction():
                positions.remember_zone(self._connection, name, zone)
                if position:
                    logger.info("%s is rebuilt with the days of %s", name, zone)
                    self.rebuild(name)

    def step(self) -> bool:
        """Apply one batch at each position that projections have; return whether there was any.

        A projection that is being rebuilt catches up between the batches of the others.
        """
        checkpoints = positions.positions(self._connection, list(self._by_name))
        groups = [
            (position, [name for _, name in group])
            for position, group in groupby(checkpoints, itemgetter(0))
        ]
        stops = [position for position, _ in groups[1:]] + [None]
        moved, refusals = False, []
        for (position, names), stop in zip(groups, stops, strict=True):
            try:
                moved |= self._advance(position, self._rested(names), stop)
            except Refused as refused:
                refusals.append(refused)
        if refusals:
            raise refusals[0]
        return moved

    def _rested(self, names: list[str]) -> list[str]:
        """Those that are not held back for a while because they are broken."""
        now = time.monotonic()
        return [name for name in names if self._held_back.get(name, Pause()).until <= now]

    def _hold_back(self, name: str) -> None:
        """Let a broken read model rest, each time for longer; the others continue."""
        pause = self._held_back.get(name, Pause())
        seconds = min(pause.seconds * 2, LONGEST_PAUSE_SECONDS)
        self._held_back[name] = Pause(time.monotonic() + seconds, seconds)
        logger.error("%s refuses nearly every event; it is tried again in %s s", name, seconds)

    def _advance(self, position: int, names: list[str], stop: int | None) -> bool:
        """Apply one batch after `position`, up to `stop`, the position of other projections."""
        if not names:
            return False
        batch = live = self._store.after(position, BATCH)
        if any(self._by_name[name].needs_past for name in names):
            batch = self._with_past(position, live)
        if stop is not None:
            batch = [recorded for recorded in batch if recorded.position <= stop]
        if not batch:
            return False
        until = batch[-1].position
        live = [recorded for recorded in live if recorded.position <= until]
        without_calls = [recorded for recorded in batch if not recorded.stream.startswith(CALLS)]
        with self._connection.transaction(), self._connection.cursor() as cursor:
            held = positions.hold_free(cursor, names)
            ours = [name for at, name in held if at == position]
            seen = {name: self._seen(name, batch, live, without_calls) for name in ours}
            done = [name for name in ours if self._apply(cursor, name, seen[name])]
            positions.advance(cursor, done, until)
        refusing = [name for name in ours if name not in done]
        for name in refusing:
            isolation = Isolation(self._connection, name, self._by_name[name].apply)
            try:
                isolation.advance(position, seen[name], until)
            except Broken:
                self._hold_back(name)
            else:
                self._held_back.pop(name, None)
        return bool(ours)

    def _seen(
        self, name: str, batch: list[Recorded], live: list[Recorded], without_calls: list[Recorded]
    ) -> list[Recorded]:
        """The events of a batch that a read model needs."""
        projection = self._by_name[name]
        if not projection.calls:
            return without_calls
        return batch if projection.archived else live

    def _apply(self, cursor: psycopg.Cursor, name: str, events: list[Recorded]) -> bool:
        """Apply a batch to one read model; False, and nothing written, if it refuses an event."""
        try:
            with self._connection.transaction():
                apply_readable(self._by_name[name].apply, cursor, events)
        except Exception as error:  # a read model that fails keeps only itself back
            if is_transient(error):
                raise
            logger.warning("%s refuses a batch: %r", name, error)
            return False
        return True

    def _with_past(self, position: int, live: list[Recorded]) -> list[Recorded]:
        """Merge events read from the log with those of archived months: sums need both.

        Call this after reading the log: a month dropped in between is then in the archives.
        """
        past = self._past_beyond(position)
        if past is None:
            return live
        known = {recorded.position for recorded in live}
        old = [each for each in past.after(position, BATCH) if each.position not in known]
        if live:  # later log events are not read yet
            old = [each for each in old if each.position < live[-1].position]
        return sorted([*live, *old], key=attrgetter("position"))[:BATCH]

    def _past_beyond(self, position: int) -> Past | None:
        """Return the archives if they have events after `position`."""
        row = self._connection.execute(ARCHIVED_TO).fetchone()
        if not row or not row[0] or row[0] <= position:
            return None
        if self._past is None:
            if self._store.past is None:
                raise Refused(
                    "There are archived months, but the folder with their files is not set."
                )
            self._past = self._store.past()
        return self._past

    def catch_up(self) -> None:
        """Step until nothing is left."""
        while self.step():
            pass

    def run(self, url: str, stopping: threading.Event) -> None:
        """Follow the log until `stopping` is set."""
        with psycopg.connect(url, autocommit=True) as listener:
            listener.execute(f"listen {CHANNEL}")
            while not stopping.is_set():
                try:
                    self.catch_up()
                except Refused as refused:  # an archive file is missing; others continue
                    logger.error("%s", refused)  # noqa: TRY400 -- the message is complete
                for _ in listener.notifies(timeout=POLL_SECONDS, stop_after=1):
                    pass

    def rebuild(self, name: str) -> None:
        """Empty one projection and replay it, while the others and a running service continue."""
        if name not in self._by_name:
            known = ", ".join(sorted(self._by_name))
            raise Refused(
                "There is no projection %(name)s; known: %(known)s.", name=name, known=known
            )
        if self._by_name[name].needs_past and (past := self._past_beyond(0)):
            past.check()  # before anything is deleted
        with self._connection.transaction(), self._connection.cursor() as cursor:
            positions.hold(cursor, name)
            forget(cursor, name)
            cursor.execute(f"truncate {', '.join(self._by_name[name].tables)}")
            positions.advance(cursor, [name], 0)
