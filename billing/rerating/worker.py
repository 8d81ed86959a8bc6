"""Runs corrections one by one, in batches; a restart resumes where it stopped."""

import logging
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import psycopg

from billing.aggregates.event import Envelope
from billing.aggregates.rerating import CorrectionEnded
from billing.commands.catalogue import Catalogue
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
from billing.rerating.queue import CallSelection, Correction
from billing.values import Refused

BATCH = 2_000  # calls rated and appended at a time
POLL_SECONDS = 2.0
LOCK = 0x636F7272  # advisory lock: only one worker at a time

# The read model finds the calls; decisions are made on the log.
STATUS = {"recycle": "('suspended')", "rerate": "('rated', 'rerated')"}
CONDITIONS = {
    "begin": "started_at >= %(begin)s",
    "end": "started_at < %(end)s",
    "company_ids": "company_id = any(%(company_ids)s)",
    "device_id": "device_id = %(device_id)s",
    "reason": "reason = %(reason)s",
}

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
        catalogue = Catalogue()
        catalogue.refresh(self._store)
        kind = "recycle" if correction.kind == "recycle" else "rerate"
        where, values = select_calls(kind, correction.filter, catalogue)
        self._wait_for_read_model()
        count = self._connection.execute(f"select count(*) from call_list where {where}", values)
        ((expected,),) = count.fetchall()
        place = correction.place
        if place is not None:  # rated calls are not found as suspended again
            expected = max(correction.expected, correction.looked_at)
        queue.begin(self._connection, correction.correction_id, expected)
        if correction.filter.with_group:
            rate_with(catalogue, correction.filter.with_group)
        if self._look_at_all(correction, catalogue, (where, values), lines):
            self._note(correction, lines, "done")
            waits = correction.kind == "rerate" and not correction.applying
            queue.end(self._connection, correction.correction_id, "ready" if waits else "done")
        elif not self._stopping.is_set():
            self._note(correction, lines, "cancelled")

    def _note(self, correction: Correction, lines: ReratingTotals, outcome: str) -> None:
        """Append the summary of what was written: who requested it, the selection, the result."""
        if not correction.applying or not lines.by_key:
            return
        selection = {
            name: value
            for name, value in msgspec.structs.asdict(correction.filter).items()
            if name in CorrectionEnded.__struct_fields__
        } | {"limited_to": correction.filter.companies}
        event = msgspec.structs.replace(
            ended(correction.kind, outcome, lines.sorted()), **selection
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
                kind="recycle" if correction.kind == "recycle" else "rerate",
                streams=[CALLS + call_id for _, call_id in found],
                envelope=_envelope(correction),
                write=correction.applying,
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

    def _wait_for_read_model(self) -> None:
        """Wait until the call list has all calls received before the request."""
        position = positions.head(self._connection)
        positions.wait_until_shown(self._connection, position, "calls", stopping=self._stopping)


def _envelope(correction: Correction) -> Envelope:
    return Envelope(
        recorded_at=datetime.now(UTC),
        actor=correction.actor,
        address=correction.address,
        request_id=correction.correction_id,
    )


def select_calls(
    kind: str, selection: CallSelection, catalogue: Catalogue
) -> tuple[str, dict[str, Any]]:
    """Return the SQL condition that selects the calls, and its parameters."""
    values = msgspec.structs.asdict(selection) | {"company_ids": _companies(selection, catalogue)}
    conditions = [text for field, text in CONDITIONS.items() if values[field] not in ("", None)]
    return " and ".join([f"status in {STATUS[kind]}", *conditions]), values


def _companies(selection: CallSelection, catalogue: Catalogue) -> list[str] | None:
    """Return the selected companies; None for all."""
    companies = catalogue.context.companies
    chosen = list(selection.companies or companies)
    if selection.company_id:
        chosen = [company_id for company_id in chosen if company_id == selection.company_id]
    if selection.group_id:
        bound = {
            company_id
            for company_id, company in companies.items()
            if any(group_id == selection.group_id for _, group_id in company.rate_groups)
        }
        chosen = [company_id for company_id in chosen if company_id in bound]
    if selection.with_group:
        group = catalogue.context.groups.get(selection.with_group)
        chosen = [
            company_id
            for company_id in chosen
            if group and companies[company_id].currency == group.currency
        ]
    narrow = (
        selection.company_id or selection.companies or selection.group_id or selection.with_group
    )
    return chosen if narrow else None


def rate_with(catalogue: Catalogue, group_id: str) -> None:
    """Bind every company to one group, for all time. Use only on a private catalogue."""
    companies = catalogue.context.companies
    for company_id, company in companies.items():
        companies[company_id] = msgspec.structs.replace(company, rate_groups=((None, group_id),))


def _place_of(correction: Correction) -> tuple[datetime, str] | None:
    if correction.place is None:
        return None
    return msgspec.convert(correction.place, tuple[datetime, str])
