"""Runs corrections one by one, in batches; a restart resumes where it stopped."""

import logging
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
import psycopg
from msgspec.structs import replace

from billing.aggregates.event import Envelope
from billing.commands.catalogue import Catalogue
from billing.commands.keeping import load_keeping
from billing.commands.rerating import (
    CorrectCalls,
    ReratingTotals,
    correct_calls,
    end_correction,
    ended,
)
from billing.log import positions
from billing.log.sealing import CALLS
from billing.log.store import Store
from billing.rerating import queue
from billing.rerating.queue import Correction, LeftOut
from billing.rerating.selecting import archived_of, changed_since, rate_with, select_calls
from billing.rerating.steps import selection_of
from billing.values import Refused

PREVIEWED = ("rerate", "what_if")
COMMANDS: dict[str, Literal["recycle", "rerate", "write_off"]] = {
    "recycle": "recycle",
    "rerate": "rerate",
    "what_if": "rerate",
    "write_off": "write_off",
}
BATCH = 2_000  # calls rated and appended at a time
POLL_SECONDS = 2.0
LOCK = 0x636F7272  # advisory lock: only one worker at a time

logger = logging.getLogger("billing.rerating")


class Worker:
    """Runs corrections; of several workers in an installation only one is active."""

    def __init__(self, url: str, store: Store, stopping: threading.Event) -> None:
        self._store = store
        self._stopping = stopping
        self._connection = psycopg.connect(url, autocommit=True)
        self._is_ours = False

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def run(self) -> None:
        """Run corrections until `stopping` is set."""
        self._connection.execute(f"listen {queue.CHANNEL}")
        while not self._stopping.is_set():
            while self.work():
                pass
            for _ in self._connection.notifies(timeout=POLL_SECONDS, stop_after=1):
                pass

    def work(self) -> bool:
        """Run the next correction, if there is one; return whether there was."""
        if self._stopping.is_set() or not self._has_lock():
            return False
        correction = queue.take_next(self._connection)
        if correction is None:
            return False
        lines = ReratingTotals.of(correction.lines)
        try:
            self._carry_out(correction, lines)
        except Refused as refusal:
            self._fail(correction, lines, str(refusal))
        except psycopg.Error:
            raise  # the process is restarted and resumes
        except Exception as error:
            logger.exception("The correction %s failed.", correction.correction_id)
            self._fail(correction, lines, repr(error))
        return True

    def _fail(self, correction: Correction, lines: ReratingTotals, problem: str) -> None:
        self._note(correction, lines, "failed")
        queue.end(self._connection, correction.correction_id, "failed", problem)

    def _has_lock(self) -> bool:
        if not self._is_ours:
            row = self._connection.execute("select pg_try_advisory_lock(%s)", (LOCK,)).fetchone()
            self._is_ours = bool(row and row[0])
        return self._is_ours

    def _carry_out(self, correction: Correction, lines: ReratingTotals) -> None:
        head = positions.head(self._connection)
        left_out = self._left_out(correction)
        if not correction.begun and not correction.applying:
            correction = replace(correction, position=head)  # the preview begins
        if correction.applying and correction.kind == "rerate" and correction.state == "waiting":
            outdated = self._outdated(correction, left_out)
            if outdated and correction.history[-1].what == "resumed":  # it may have written
                raise Refused(
                    "Prices, settings or calls changed after the preview. Request a new preview."
                )
            if outdated:
                queue.preview_again(self._connection, correction.correction_id, outdated)
                return
        catalogue = Catalogue()
        catalogue.refresh(self._store, correction.position or None)
        where, values = select_calls(correction.kind, correction.filter, catalogue)
        self._wait_for_read_model(head)
        count = self._connection.execute(f"select count(*) from call_list where {where}", values)
        ((expected,),) = count.fetchall()
        if correction.begun:  # rated calls are not found as suspended again
            expected = max(correction.expected, correction.looked_at)
        queue.begin(
            self._connection, correction.correction_id, expected, correction.position, left_out
        )
        if correction.filter.with_group:
            rate_with(catalogue, correction.filter.with_group)
        if self._look_at_all(correction, catalogue, (where, values), lines):
            self._note(correction, lines, "done")
            waits = correction.kind == "rerate" and not correction.applying
            queue.end(self._connection, correction.correction_id, "ready" if waits else "done")
        elif not self._stopping.is_set():
            self._note(correction, lines, "cancelled")

    def _left_out(self, correction: Correction) -> list[LeftOut]:
        """Return the archived months that it leaves out; suspended calls are never archived."""
        if correction.kind not in PREVIEWED:
            return []
        return archived_of(correction.filter, load_keeping(self._store))

    def _outdated(self, correction: Correction, left_out: list[LeftOut]) -> str:
        """Return what changed after the preview; "" if nothing did."""
        catalogue = Catalogue()
        catalogue.refresh(self._store)
        return changed_since(self._store, correction, catalogue, left_out)

    def _note(self, correction: Correction, lines: ReratingTotals, outcome: str) -> None:
        """Append the summary of what was written: who requested it, the selection, the result."""
        if not correction.applying or not lines.by_key:
            return
        event = replace(
            ended(correction.kind, outcome, lines.sorted()), **selection_of(correction.filter)
        )
        end_correction(self._store, correction.correction_id, event, _envelope(correction))

    def _look_at_all(
        self,
        correction: Correction,
        catalogue: Catalogue,
        chosen: tuple[str, dict[str, Any]],
        lines: ReratingTotals,
    ) -> bool:
        """Process batches from the saved place on; return False if stopped or cancelled."""
        looked_at, place = correction.looked_at, _place_of(correction)
        while found := self._page(*chosen, place):
            command = CorrectCalls(
                kind=COMMANDS[correction.kind],
                streams=[CALLS + call_id for _, call_id in found],
                envelope=_envelope(correction),
                write=correction.applying,
                through=correction.position or correction.filter.through,
                note=correction.filter.note,
            )
            correct_calls(self._store, catalogue, command, lines)
            looked_at, place = looked_at + len(found), found[-1]
            saved = queue.save(
                self._connection, correction.correction_id, looked_at, place, lines.sorted()
            )
            if not saved or self._stopping.is_set():
                return False
        return True

    def _page(
        self, where: str, values: dict[str, Any], place: tuple[datetime, str] | None
    ) -> Sequence[tuple[datetime, str]]:
        if place:
            where += " and (started_at, call_id) > (%(key_start)s, %(key_id)s)"
            values = values | {"key_start": place[0], "key_id": place[1]}
        return self._connection.execute(
            f"select started_at, call_id from call_list where {where}"
            f" order by started_at, call_id limit {BATCH}",
            values,
        ).fetchall()

    def _wait_for_read_model(self, position: int) -> None:
        """Wait until the call list has all calls up to a log position."""
        positions.wait_until_shown(self._connection, position, "calls", stopping=self._stopping)


def _envelope(correction: Correction) -> Envelope:
    return replace(correction.envelope, recorded_at=datetime.now(UTC))


def _place_of(correction: Correction) -> tuple[datetime, str] | None:
    if correction.place is None:
        return None
    return msgspec.convert(correction.place, tuple[datetime, str])
