"""Which calls a correction is about, and whether they changed after its preview."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec

from billing.aggregates.call import CallLinked, ConflictKept
from billing.aggregates.keeping import Keeping
from billing.commands.catalogue import Catalogue
from billing.log.store import Recorded, Store
from billing.rerating.queue import CallSelection, Correction, LeftOut

CHUNK = 2_000  # calls loaded at a time
UNPRICED = (CallLinked, ConflictKept)  # events that leave the price of a call unchanged
# The read model finds the calls; decisions are made on the log.
SUSPENDED, RATED = "('suspended')", "('rated', 'rerated')"
STATUS = {"recycle": SUSPENDED, "write_off": SUSPENDED, "rerate": RATED, "what_if": RATED}
CONDITIONS = {
    "begin": "started_at >= %(begin)s",
    "end": "started_at < %(end)s",
    "company_ids": "company_id = any(%(company_ids)s)",
    "device_id": "device_id = %(device_id)s",
    "reason": "reason = %(reason)s",
    "in_month": "to_char(started_at at time zone 'UTC', 'YYYY-MM') = %(in_month)s",
}


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


def archived_of(selection: CallSelection, keeping: Keeping) -> list[LeftOut]:
    """Return the archived months of the selected period, with the calls that each has in files."""
    first = selection.begin.strftime("%Y-%m") if selection.begin else ""
    last = (
        (selection.end - timedelta(microseconds=1)).strftime("%Y-%m") if selection.end else "9999"
    )
    months = {part.month for part in keeping.parts} - keeping.attached
    return [
        LeftOut(month=month, calls=sum(part.calls for part in keeping.parts_of(month)))
        for month in sorted(months)
        if first <= month <= last
    ]


def changed_since(
    store: Store, correction: Correction, catalogue: Catalogue, left_out: Sequence[LeftOut]
) -> str:
    """Return what changed after the preview of a correction: settings, months, calls; "": nothing.

    `catalogue` is up to date, `left_out` are the archived months now. Calls that arrived later do
    not count: they were rated by the settings of the preview, and are left out of the correction.
    """
    if catalogue.changed_at > correction.position:
        return "settings"
    if list(left_out) != correction.months_left_out:
        return "months"
    streams = store.calls_changed(correction.position, UNPRICED)
    companies = _companies(correction.filter, catalogue)
    for begin in range(0, len(streams), CHUNK):
        for events in store.load_many(streams[begin : begin + CHUNK]).values():
            if _changed(correction, companies, events):
                return "calls"
    return ""


def _changed(
    correction: Correction, companies: list[str] | None, events: Sequence[Recorded]
) -> bool:
    """Whether others changed a call of the selection after the preview."""
    selection = correction.filter
    first: Any = events[0].event
    if (
        (selection.begin and first.filed_at < selection.begin)
        or (selection.end and first.filed_at >= selection.end)
        or selection.device_id not in ("", first.device_id)
    ):
        return False
    later = [each for each in events if each.position > correction.position]
    if not any(
        not isinstance(each.event, UNPRICED)
        and each.envelope.request_id != correction.correction_id
        for each in later
    ):
        return False
    ratings = [getattr(each.event, "rating", None) for each in events]
    return companies is None or any(each and each.company_id in companies for each in ratings)
