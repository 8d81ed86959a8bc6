"""The short form of `make drills`: each kind of kill once, and nothing is lost or doubled."""

import threading

import msgspec
import pytest

from billing.database.embedded import EmbeddedServer
from tests.drills.checking import check
from tests.drills.drill import Drill, Plan, drilling
from tests.drills.kinds import embedded
from tests.drills.results import Checked, Results, Struck, read_results, table
from tests.drills.strikes import KILLS, SERVER_DEATHS
from tests.embedded import open_folder


@pytest.mark.drill
def test_no_kill_loses_a_call_or_needs_a_person() -> None:
    strikes = KILLS | SERVER_DEATHS
    with open_folder() as folder:
        results = Results(folder / "results")
        home = embedded(folder / "data")
        plan = Plan(folder, len(strikes), 1, results, threading.Event())
        with drilling(Drill("short", [home], plan, measured=0, gap=0.1)) as drill:
            drill.strike(strikes)
        *struck, checked = read_results(folder / "results")
        server = EmbeddedServer(home.folder)
        one = next(iter(drill.load.sent.values()))
        sent = drill.load.sent | {one.key: msgspec.structs.replace(one, minutes=10)}
        wrong = check(home, sent, {*drill.load.acknowledged, "never stored"})
        server.stop()
    assert wrong.lost == {"never stored"}
    assert any(fault.startswith("daily_usage: ") for fault in wrong.faults)
    assert isinstance(checked, Checked)
    assert checked.records > 0
    assert (checked.lost, checked.doubled, checked.faults) == (0, 0, ())
    assert {each.what for each in struck if isinstance(each, Struck)} == set(strikes)


def test_the_table_adds_up_what_was_found() -> None:
    told = table(
        [
            Struck(drill="kills", what="kill web", acknowledged=0.1, page=2.04, shown=1.0),
            Struck(drill="kills", what="kill web", acknowledged=0.3, page=1.0, shown=1.5, hands=1),
            Struck(drill="kills", what="kill web"),
            Checked(drill="kills", records=1_200, lost=1, doubled=2, faults=("sums",)),
            Struck(drill="kills", what="kill web", acknowledged=9.0, run=2),  # not compared
            Checked(drill="kills", records=34, lost=0, doubled=0, faults=()),
        ]
    )
    assert "| kill web | 3 | 1 | 0.2, 0.3 | 1.5, 2.0 | 1.2, 1.5 |" in told
    assert "| kills | 3 | 1,234 | 1 | 2 | 1 | 1 | 0.2, 0.3 | 1.5, 2.0 | 1.2, 1.5 |" in told
    assert "| all | 3 | 1,234 | 1 | 2 | 1 | 1 | 0.2, 0.3 | 1.5, 2.0 | 1.2, 1.5 |" in told
