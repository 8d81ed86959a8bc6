"""Write-offs, and previews that are out of date: what is written, by whom, and what is left out."""

from typing import Any

import psycopg
import pytest

from billing.aggregates.call import CallVoided
from billing.aggregates.keeping import MonthArchived
from billing.commands import devices
from billing.commands.calls import SubmitCalls, submit
from billing.commands.catalogue import Catalogue
from billing.commands.keeping import archive_month, attach_month, load_keeping
from billing.commands.rerating import correct_calls
from billing.log.store import Store
from billing.rerating import worker as working
from billing.rerating.queue import LeftOut
from billing.rerating.selecting import archived_of
from billing.values import Refused
from tests.commands.test_calls import record
from tests.projections.sample import charges
from tests.rerating.test_worker import (
    FRANCE,
    SAID,
    Work,
    apply,
    ask,
    catch_up,
    change,
    find,
    installed,
    rerated,
    set_price,
    work,
)

__all__ = ["installed", "work"]  # fixtures
AUGUST: dict[str, Any] = {
    "part": 1,
    "file": "a",
    "sha256": "",
    "size_bytes": 1,
    "events": 9,
    "calls": 7,
    "amounts": (),
    "first_position": 1,
    "last_position": 2,
}


def written_off(store: Store) -> list[CallVoided]:
    events = [recorded.event for recorded in store.after(0, 10_000)]
    return [event for event in events if isinstance(event, CallVoided)]


def deliver(store: Store, *keys: str, **changes: Any) -> None:
    records = [record(key, **changes) for key in keys]
    submit(store, Catalogue(), [SubmitCalls(device_id="pbx", records=records, envelope=SAID)])


def install_device(store: Store) -> None:
    other = devices.RegisterDevice(
        device_id="other",
        company_id="acme",
        name="Other",
        time_zone="Europe/Madrid",
        country="ES",
        area_code="91",
    )
    devices.register_device(store, other, SAID)


def test_suspended_calls_are_written_off_with_a_reason_as_they_were_shown(
    installed: Store, work: Work, database_url: str
) -> None:
    chosen = {"reason": "no_rate", "in_month": "2026-11"}
    with pytest.raises(Refused, match="Enter a reason"):
        ask(database_url, "write_off", note="  ", **chosen)
    shown = installed.after(0, 10_000)[-1].position
    deliver(installed, "f-later", called=FRANCE)  # nobody saw it
    other = ask(database_url, "write_off", note="Tests", reason="no_rate", in_month="2026-10")
    correction = ask(database_url, "write_off", note=" Tests ", through=shown, **chosen)
    before = charges(database_url)
    while work():
        pass
    assert find(database_url, other).lines == []
    (line,) = find(database_url, correction).lines
    assert (line.calls, line.changed) == (2, 2)
    assert [(each.reason, each.note) for each in written_off(installed)] == [
        ("written_off", "Tests")
    ] * 2
    assert charges(database_url) == before
    with psycopg.connect(database_url) as connection:
        query = """select status, reason, count(*) from call_list
            where status in ('suspended', 'voided') group by 1, 2"""
        assert set(connection.execute(query).fetchall()) == {
            ("voided", "written_off", 2),
            ("suspended", "no_rate", 1),
        }
        (row,) = connection.execute("select suspended from devices").fetchall()
    assert row == (1,)
    set_price(installed, "33", "0.5")
    ask(database_url, "recycle")
    work()
    assert charges(database_url)["balances"] == before["balances"] + 500_000
    deliver(installed, "f0", called=FRANCE)  # a repeated record does not return
    assert len(installed.load("call:2026-11:pbx:f0")) == 2


@pytest.mark.parametrize("what", ["rates", "settings", "calls"])
def test_what_changed_after_a_preview_is_previewed_again_before_it_is_applied(
    what: str, installed: Store, work: Work, database_url: str
) -> None:
    set_price(installed, "34", "0.02")
    correction = ask(database_url, "rerate")
    work()
    if what == "rates":
        set_price(installed, "34", "0.03")
    elif what == "settings":
        install_device(installed)
    else:
        set_price(installed, "33", "0.5")
        correction = ask(database_url, "rerate")
        work()
        ask(database_url, "recycle")
        work()
    apply(database_url, correction)
    work()
    again = find(database_url, correction)
    assert (again.state, again.outdated) == ("waiting", "calls" if what == "calls" else "settings")
    assert rerated(installed) == []
    work()
    again = find(database_url, correction)
    assert (again.state, again.looked_at) == ("ready", 7 if what == "calls" else 5)
    apply(database_url, correction)
    work()
    assert find(database_url, correction).state == "done"
    assert len(rerated(installed)) == 5
    assert [each.what for each in find(database_url, correction).history] == [
        "requested",
        "applied",
        "applied",
    ]


def test_calls_that_arrive_after_a_preview_neither_void_it_nor_are_counted(
    installed: Store, work: Work, database_url: str
) -> None:
    set_price(installed, "34", "0.02")
    correction = ask(database_url, "rerate")
    work()
    preview = find(database_url, correction).lines
    deliver(installed, "later")
    apply(database_url, correction)
    work()
    applied = find(database_url, correction)
    assert (applied.state, applied.lines) == ("done", preview)


def test_a_stopped_application_is_continued_only_if_nothing_changed(
    installed: Store, work: Work, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_price(installed, "34", "0.02")
    correction = ask(database_url, "rerate")
    work()
    apply(database_url, correction)
    monkeypatch.setattr(working, "BATCH", 2)
    stop = correct_calls

    def stop_after_a_batch(*given: Any) -> int:
        change(database_url, correction, "stopped")
        return stop(*given)

    with monkeypatch.context() as patched:
        patched.setattr(working, "correct_calls", stop_after_a_batch)
        work()
    set_price(installed, "34", "0.03")
    change(database_url, correction, "resumed")
    work()
    stopped = find(database_url, correction)
    assert stopped.state == "failed"
    assert "Request a new preview" in stopped.problem
    assert len(rerated(installed)) == 2


def test_a_preview_names_archived_months_and_is_made_again_once_they_are_attached(
    installed: Store, work: Work, database_url: str
) -> None:
    archive_month(installed, MonthArchived(month="2026-08", **AUGUST), SAID)
    correction = ask(database_url, "rerate")
    work()
    left_out = [LeftOut(month="2026-08", calls=7)]
    assert find(database_url, correction).months_left_out == left_out
    attach_month(installed, "2026-08", SAID)
    catch_up(database_url, installed)
    apply(database_url, correction)
    work()
    assert find(database_url, correction).outdated == "months"
    work()
    assert find(database_url, correction).months_left_out == []
    state = load_keeping(installed)
    assert archived_of(find(database_url, correction).filter, state) == []


def test_a_decision_that_the_state_does_not_allow_leaves_no_event(
    installed: Store, work: Work, database_url: str
) -> None:
    correction = ask(database_url, "rerate")
    for what in ("applied", "resumed"):
        with pytest.raises(Refused, match="does not allow that"):
            change(database_url, correction, what)
    assert installed.version(f"correction:{correction}") == 1
