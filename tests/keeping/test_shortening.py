"""Numbers of a month are shortened; seals, sums and read models are compared before and after."""

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from billing.aggregates.call import CallRated
from billing.aggregates.device import CascadeSet
from billing.aggregates.keeping import NumbersShortened
from billing.commands.catalogue import Catalogue
from billing.commands.keeping import SetKeeping, load_keeping, set_keeping
from billing.commands.rerating import (
    CorrectCalls,
    RateCallAgain,
    ReratingTotals,
    correct_calls,
    rate_call_again,
)
from billing.keeping import backup, shortening
from billing.keeping.archive import archive, fault_of
from billing.keeping.attach import attach, detach
from billing.keeping.keeper import Keeper
from billing.keeping.restore import restore
from billing.keeping.shortening import is_unshortened, shorten
from billing.keeping.verifying import Verdict, verify
from billing.keeping.worker import Worker
from billing.log.store import Pending
from billing.projections import runner
from billing.values import Refused
from tests.conftest import fresh_database
from tests.keeping.sample import (
    LATER,
    MONTH,
    catch_up,
    listed,
    rebuild,
    rows,
    sums,
)
from tests.projections.sample import SAID, ZONE, append, received, stream

LOG = "select notification_id, originator_id, state from billing_events"
READ = ("balances", "usage", "devices", "calls", "cascades", "keeping", "operations")
NUMBER, DIALLED, STATUS, FLAGS = 9, 8, 14, 21
OCTOBER = "select state from billing_events where originator_id like 'call:2026-10%'"
WHOLE = (b"912345678", b"2345678")


def checked(keeper: Keeper) -> Verdict:
    return verify(keeper.url, folder=keeper.archives)


def october(keeper: Keeper) -> list[tuple[str, str, str]]:
    """Return status, number and dialled digits of the calls of the month."""
    return sorted(
        (call[STATUS], call[NUMBER], call[DIALLED])
        for call in listed(keeper.url)
        if str(call[1]).startswith(MONTH)
    )


def waiting(keeper: Keeper) -> list[bytes]:
    """Return the events of the month that contain a whole number."""
    with psycopg.connect(keeper.url) as connection:
        states = [bytes(row[0]) for row in connection.execute(OCTOBER, binary=True)]
    return [state for state in states if any(number in state for number in WHOLE)]


@pytest.fixture(autouse=True)
def small_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shortening, "CHUNK", 5)


def test_numbers_lose_digits_and_seals_sums_and_read_models_still_fit(keeper: Keeper) -> None:
    before, whole, calls = sums(keeper.url), checked(keeper), october(keeper)
    november = [call for call in listed(keeper.url) if not str(call[1]).startswith(MONTH)]
    assert shorten(keeper, MONTH, LATER) == sum(status != "suspended" for status, *_ in calls)
    catch_up(keeper)
    assert october(keeper) == sorted(
        (status, number, dialled)
        if status == "suspended"
        else (status, number and "+3491234****", "91234****")
        for status, number, dialled in calls
    )
    assert sums(keeper.url) == before
    assert [c for c in listed(keeper.url) if not str(c[1]).startswith(MONTH)] == november
    assert all(b'"no_rate"' in state for state in waiting(keeper))
    verdict = checked(keeper)
    assert verdict.fault == ""
    told = keeper.store.load(shortening.stream_of(MONTH))
    assert len(told) > 1
    assert verdict.events == whole.events + len(told)
    listed_then = listed(keeper.url)
    everything = rows(keeper.url, "select * from operations", "select * from shortened_months")
    rebuild(keeper, *READ)
    assert listed(keeper.url) == listed_then
    assert sums(keeper.url) == before
    assert (
        rows(keeper.url, "select * from operations", "select * from shortened_months") == everything
    )
    assert shorten(keeper, MONTH, LATER) == 0
    assert len(keeper.store.load(shortening.stream_of(MONTH))) == len(told)


def test_what_was_shortened_is_guarded_as_what_was_sealed(keeper: Keeper) -> None:
    shorten(keeper, MONTH, LATER)
    change = (
        "update billing_events set state = replace(encode(state, 'escape'), %s, %s)::bytea"
        " where originator_id = %s"
    )
    call = stream(received(0, 1_000_000))
    for found, put in (("1000000", "9000000"), ("91234****", "912345678")):
        with psycopg.connect(keeper.url, autocommit=True) as connection:
            connection.execute(change, (found, put, call))
        assert "an event of partition 2026-10 at positions" in checked(keeper).fault
        with pytest.raises(Refused, match="does not match its seals"):
            archive(keeper, MONTH, LATER)
        with psycopg.connect(keeper.url, autocommit=True) as connection:
            connection.execute(change, (put, found, call))
        assert checked(keeper).fault == ""
    # Nor may an event state other digests for a range.
    for digest in ("before", "after"):
        event = keeper.store.load(shortening.stream_of(MONTH))[0].event
        assert isinstance(event, NumbersShortened)
        forged = msgspec.structs.replace(event, **{digest: "0" * 64})
        version = len(keeper.store.load(shortening.stream_of(MONTH))) + 1
        keeper.store.append([Pending(shortening.stream_of(MONTH), version, forged, SAID)])
        assert "was altered" in checked(keeper).fault
        undone = "delete from billing_events where originator_id = %s and originator_version = %s"
        with psycopg.connect(keeper.url, autocommit=True) as connection:
            connection.execute(undone, (shortening.stream_of(MONTH), version))
            connection.execute(
                "delete from seals where last_position = (select max(last_position) from seals)"
            )
        assert checked(keeper).fault == ""


def test_a_log_that_does_not_fit_its_seals_is_not_shortened(keeper: Keeper) -> None:
    with psycopg.connect(keeper.url, autocommit=True) as connection:
        connection.execute(
            "update billing_events set state = replace(encode(state, 'escape'), '1000000',"
            " '9000000')::bytea where originator_id = %s",
            (stream(received(0, 1_000_000)),),
        )
    log = rows(keeper.url, LOG)
    with pytest.raises(Refused, match="nothing was shortened there"):
        shorten(keeper, MONTH, LATER)
    assert rows(keeper.url, LOG) == log


def test_a_suspended_call_keeps_its_number_until_it_has_a_price(keeper: Keeper) -> None:
    suspended = received(1, 1_000_006, suspended=True)
    append(keeper.store, [(stream(suspended), suspended)])
    shorten(keeper, MONTH, LATER)
    catch_up(keeper)
    left = waiting(keeper)
    assert left
    rated = msgspec.structs.replace(received(1, 1_000_006), raw="")
    append(keeper.store, [(stream(suspended), rated)])
    with psycopg.connect(keeper.url) as connection:
        assert is_unshortened(connection, keeper.store, MONTH)
    assert shorten(keeper, MONTH, LATER) == 1
    assert len(waiting(keeper)) == len(left) - 1  # the first record of the call is shortened too
    assert checked(keeper).fault == ""
    catch_up(keeper)
    before = listed(keeper.url)
    rebuild(keeper, "calls")
    assert listed(keeper.url) == before
    with psycopg.connect(keeper.url) as connection:
        assert not is_unshortened(connection, keeper.store, MONTH)


def test_a_record_with_a_nul_keeps_no_number_in_the_list(keeper: Keeper) -> None:
    suspended = msgspec.structs.replace(received(1, 0, suspended=True), raw="method=\x00")
    append(keeper.store, [(stream(suspended), suspended)])
    shorten(keeper, MONTH, LATER)
    catch_up(keeper)
    assert "912345678" not in {
        dialled for status, _, dialled in october(keeper) if status == "rated"
    }
    before = listed(keeper.url)
    rebuild(keeper, "calls")
    assert listed(keeper.url) == before
    assert list(rows(keeper.url, "select name from set_aside").values()) == [[]]


def test_a_record_that_comes_again_is_known_and_its_call_is_not_rated_again(
    keeper: Keeper,
) -> None:
    shorten(keeper, MONTH, LATER)
    call = received(0, 1_000_000)
    assert isinstance(call, CallRated)
    (stored,) = keeper.store.load(stream(call))
    assert isinstance(stored.event, CallRated)
    assert stored.event.digest == call.digest
    assert stored.envelope == SAID
    with pytest.raises(Refused, match="number of this call was shortened"):
        rate_call_again(keeper.store, RateCallAgain(stream=stream(call)), LATER)
    catalogue, lines = Catalogue(), ReratingTotals.of()
    catalogue.refresh(keeper.store)
    command = CorrectCalls(kind="rerate", streams=[stream(call)], envelope=LATER)
    assert correct_calls(keeper.store, catalogue, command, lines) == 0
    (line,) = lines.sorted()
    assert (line.calls, line.changed, line.stuck) == (1, 0, 1)
    assert line.old_micros == line.new_micros == call.rating.amount_micros


def test_an_archive_holds_no_whole_number_and_comes_back(keeper: Keeper) -> None:
    before = sums(keeper.url)
    set_keeping(
        keeper.store,
        SetKeeping(months=6, backup_days=0, backups_kept=1, shorten_months=3),
        LATER,
    )
    (part,) = archive(keeper, MONTH, LATER)
    assert sums(keeper.url) == before
    verdict = checked(keeper)
    assert (verdict.fault, verdict.missing) == ("", ())
    path = keeper.archives / part.file
    told = [each.event for each in keeper.store.load(shortening.stream_of(MONTH))]
    shortened = [event for event in told if isinstance(event, NumbersShortened)]
    assert fault_of(path, part, shortened) is None
    assert fault_of(path, part) is not None
    attach(keeper, MONTH, LATER)
    catch_up(keeper)
    assert {number for _, number, _ in october(keeper)} == {"", "+3491234****"}
    assert shorten(keeper, MONTH, LATER) == 0
    assert checked(keeper).fault == ""
    detach(keeper, MONTH, LATER)
    rebuild(keeper, *READ)
    assert sums(keeper.url) == before
    path.unlink()
    assert checked(keeper).fault == ""


def test_what_an_archive_holds_stays_and_what_came_after_it_is_shortened(keeper: Keeper) -> None:
    (part,) = archive(keeper, MONTH, LATER)
    attach(keeper, MONTH, LATER)
    late = received(1, 500_000)
    append(keeper.store, [(stream(late), late)])
    catch_up(keeper)
    assert shorten(keeper, MONTH, LATER) == 1
    catch_up(keeper)
    assert [number for *_, number in october(keeper)].count("91234****") == 1
    assert checked(keeper).fault == ""
    with psycopg.connect(keeper.url) as connection:
        found = connection.execute(LOG + " where notification_id <= %s", (part.last_position,))
        assert not any(b"****" in bytes(state) for *_, state in found.fetchall())


def test_a_backup_of_what_was_shortened_is_restored_and_proved(
    keeper: Keeper, server_url: str, template: str, tmp_path: Path
) -> None:
    shorten(keeper, MONTH, LATER)
    catch_up(keeper)
    made = backup.back_up(keeper, LATER)
    with fresh_database(server_url, template) as other_url:
        folder = tmp_path / "elsewhere"
        assert restore(other_url, keeper.backups / made.file, folder, ZONE).compared
        assert sums(other_url) == sums(keeper.url)
        assert listed(other_url) == listed(keeper.url)


KILLED = """
import os, signal, sys
from pathlib import Path
from billing.keeping import shortening
from billing.keeping.keeper import Keeper
from billing.log.store import Store
from tests.keeping.sample import LATER, MONTH

shortening.CHUNK = 5
store = Store(sys.argv[1])
keeper = Keeper(sys.argv[1], store, Path("archives"), Path("backups"))
append, stretches = store.append, 0

def die_in_the_second(events, in_transaction):
    global stretches
    stretches += 1
    def killed(cursor):
        in_transaction(cursor)
        if stretches == 2:
            os.kill(os.getpid(), signal.SIGKILL)
    return append(events, killed)

store.append = die_in_the_second
shortening.shorten(keeper, MONTH, LATER)
"""


def test_a_shortening_that_was_killed_goes_on_where_it_was(keeper: Keeper) -> None:
    before = sums(keeper.url)
    command = [sys.executable, "-c", KILLED, keeper.url]
    ended = subprocess.run(command, check=False, timeout=60)  # noqa: S603 -- ourselves
    assert ended.returncode == -signal.SIGKILL
    assert len(keeper.store.load(shortening.stream_of(MONTH))) == 1
    assert checked(keeper).fault == ""
    shorten(keeper, MONTH, LATER)
    catch_up(keeper)
    assert checked(keeper).fault == ""
    assert sums(keeper.url) == before
    assert all(b'"no_rate"' in state for state in waiting(keeper))


def test_it_is_done_each_night_as_long_as_it_is_set(keeper: Keeper) -> None:
    def work(now: datetime) -> list[Any]:
        while worker.step(now):
            catch_up(keeper)
        with psycopg.connect(keeper.url) as connection:
            return connection.execute("select kind, argument, outcome from tasks").fetchall()

    worker = Worker(keeper, ZONE)
    night = datetime(2027, 2, 4, 2, 30, tzinfo=UTC)
    set_keeping(keeper.store, SetKeeping(months=9, backup_days=0, backups_kept=1), LATER)
    assert work(night) == []
    command = SetKeeping(months=9, backup_days=0, backups_kept=1, shorten_months=3)
    set_keeping(keeper.store, command, LATER)
    ((kind, month, calls),) = work(night + timedelta(minutes=2))
    assert (kind, month) == ("shorten", MONTH)
    assert int(calls) > 0
    assert len(work(night + timedelta(days=1))) == 1
    worker.close()
    assert load_keeping(keeper.store).shorten_months == 3
    with pytest.raises(Refused, match="at most 9"):
        set_keeping(keeper.store, msgspec.structs.replace(command, shorten_months=10), LATER)


def test_read_models_are_the_same_however_the_log_is_cut(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten(keeper, MONTH, LATER)
    # The suspended call has a price now; its number stays whole until the next night.
    rated = msgspec.structs.replace(received(6 * 12, 1_000_006), raw="")
    append(keeper.store, [(stream(rated), rated)])
    late = received(7, 100)
    append(keeper.store, [(stream(late), late)])
    catch_up(keeper)
    before = listed(keeper.url)
    assert {number for status, number, _ in october(keeper)} > {"+34912345678", "+3491234****"}
    for size in (1, 7):
        monkeypatch.setattr(runner, "BATCH", size)
        rebuild(keeper, "calls")
        assert listed(keeper.url) == before


def test_a_shortened_call_waits_for_no_pair_of_its_cascade(keeper: Keeper) -> None:
    records = "select call_id, number from cascade_records"
    rule = CascadeSet(upper="gateway", charged="upper", start_seconds=5, duration_seconds=2)
    append(keeper.store, [("device:pbx", rule)])
    late = [received(1, 500_000), received(1_001, 700_000)]
    append(keeper.store, [(stream(each), each) for each in late])
    catch_up(keeper)
    assert len(rows(keeper.url, records)[records]) == 2
    shorten(keeper, MONTH, LATER)
    catch_up(keeper)
    left = rows(keeper.url, records)
    assert [number for _, number in left[records]] == ["+34912345678"]
    rebuild(keeper, "cascades")
    assert rows(keeper.url, records) == left
