"""A month is moved to a file and back to the database: every figure is compared."""

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from billing.aggregates.keeping import KeepingSet
from billing.commands.catalogue import Catalogue
from billing.commands.keeping import load_keeping
from billing.commands.rerating import CorrectCalls, ReratingTotals, correct_calls
from billing.keeping import archive as archiving
from billing.keeping.archive import archive, fault_of
from billing.keeping.archive_format import ROWS, Header, check, event_rows, writing
from billing.keeping.attach import attach, detach
from billing.keeping.keeper import Keeper
from billing.keeping.months import due_months, kept_months
from billing.keeping.verifying import Verdict, verify
from billing.log import store as log
from billing.log.store import Pending
from billing.queries.history import read_history
from billing.queries.replay import replay
from billing.values import Refused
from tests.keeping.sample import (
    BALANCES,
    LATER,
    MONTH,
    catch_up,
    close_books_until,
    listed,
    no_room,
    rebuild,
    rows,
    runner_of,
    sums,
)
from tests.projections.sample import SAID, append, received, stream

LOG = "select notification_id, originator_id, originator_version, topic, state from billing_events"


def months(keeper: Keeper) -> list[str]:
    with psycopg.connect(keeper.url) as connection:
        return kept_months(connection)


def balance(found: dict[str, list[Any]]) -> int:
    ((micros,),) = [row[1:2] for row in found[BALANCES] if row[0] == "company:acme"]
    return int(micros)


def checked(keeper: Keeper) -> Verdict:
    return verify(keeper.url, folder=keeper.archives)


def test_a_month_that_is_archived_and_dropped_leaves_every_sum_and_seal(keeper: Keeper) -> None:
    before, calls, log = sums(keeper.url), listed(keeper.url), rows(keeper.url, LOG)
    whole = checked(keeper)
    (part,) = archive(keeper, MONTH, LATER)
    assert months(keeper) == ["2026-11"]
    assert sums(keeper.url) == before
    assert listed(keeper.url) == [call for call in calls if not str(call[1]).startswith(MONTH)]
    assert part.calls == len(calls) - len(listed(keeper.url))
    assert sum(money.micros for money in part.amounts) == sum(
        call[18] for call in calls if str(call[1]).startswith(MONTH)
    )
    after = checked(keeper)
    assert (after.fault, after.missing) == ("", ())
    assert after.events == whole.events + 1  # the event about the archive
    attach(keeper, MONTH, LATER)
    catch_up(keeper)
    assert listed(keeper.url) == calls
    assert sums(keeper.url) == before
    again = set(rows(keeper.url, LOG)[LOG])
    assert again >= set(log[LOG])
    assert checked(keeper).fault == ""
    detach(keeper, MONTH, LATER)
    assert months(keeper) == ["2026-11"]
    assert sums(keeper.url) == before
    assert len(load_keeping(keeper.store).parts) == 1


def test_the_chain_fits_without_the_file_which_is_missed_unless_it_is_left_out(
    keeper: Keeper,
) -> None:
    (part,) = archive(keeper, MONTH, LATER)
    assert checked(keeper).fits
    path = keeper.archives / part.file
    path.rename(path.with_suffix(".away"))
    verdict = checked(keeper)
    assert verdict.fault == ""
    assert verdict.missing == (f"{MONTH}: There is no file {part.file}.",)
    assert not verdict.fits
    verdict = verify(keeper.url, folder=keeper.archives, without_archives=True)
    assert verdict.fits
    assert (verdict.missing, verdict.left_out) == ((), (part,))
    with psycopg.connect(keeper.url, autocommit=True) as connection:
        connection.execute("delete from billing_events where originator_id = 'company:acme'")
    assert checked(keeper).fault == "4 events were sealed at positions 1 to 4, 2 are there"


def test_read_models_made_anew_take_their_sums_from_the_files(keeper: Keeper) -> None:
    before, calls = sums(keeper.url), listed(keeper.url)
    (part,) = archive(keeper, MONTH, LATER)
    left = listed(keeper.url)
    rebuild(keeper, "balances", "usage", "devices", "calls", "keeping")
    assert sums(keeper.url) == before
    assert listed(keeper.url) == left != calls
    path = keeper.archives / part.file
    path.unlink()
    runner = runner_of(keeper)
    with pytest.raises(Refused, match="There is no file"):
        runner.rebuild("balances")
    runner.close()
    assert sums(keeper.url) == before


def test_an_account_is_replayed_and_told_as_if_nothing_had_been_archived(keeper: Keeper) -> None:
    def told() -> list[Any]:
        with psycopg.connect(keeper.url, autocommit=True) as connection:
            page = read_history(connection, keeper.store, "company:acme", size=500)
            return [(e.recorded.position, e.amount_micros, e.balance_micros) for e in page.entries]

    before = told()
    assert before[-1][2] == 0  # the opening balance
    archive(keeper, MONTH, LATER)
    assert told() == before
    with psycopg.connect(keeper.url) as connection:
        *_, found = replay(connection, keeper.store, "company:acme")
    assert found.equal
    assert found.events == len(before)


def test_the_events_of_an_account_are_each_told_once_wherever_they_lie_however_few_at_a_time(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told() -> list[Any]:
        store, past = keeper.store, keeper.store.past
        return [
            (event.position, event.stream)
            for begin in range(0, 1_000, 50)
            for event in store.concerning("company:acme", begin, begin + 50, past and past())
        ]

    before = told()
    monkeypatch.setattr(log, "AT_ONCE", 3)
    archive(keeper, MONTH, LATER)
    assert told() == before
    attach(keeper, MONTH, LATER)  # each is in the file and in the database
    assert told() == before


def test_what_comes_again_from_an_archived_month_is_known_and_what_is_late_is_charged(
    keeper: Keeper,
) -> None:
    archive(keeper, MONTH, LATER)
    before = sums(keeper.url)
    repeated, late = received(12, 1_000_001), received(1, 500_000)
    store = keeper.store
    encoded = store.encode([Pending(stream(each), 1, each, SAID) for each in (repeated, late)])
    again, fresh = store.append_new(encoded)
    assert (again, fresh > 0) == (0, True)
    assert store.archived([stream(repeated)]) == {stream(repeated): (1, "12")}
    catch_up(keeper)
    assert balance(sums(keeper.url)) == balance(before) - 500_000
    # It is posted to the month that is open now, which must be closed before archiving.
    with pytest.raises(Refused, match="not closed yet"):
        archive(keeper, MONTH, LATER)
    close_books_until(keeper, datetime(2027, 3, 3, tzinfo=UTC))
    first, second = archive(keeper, MONTH, LATER)
    assert (second.part, second.events, second.calls) == (2, 1, 1)
    assert second.first_position > first.last_position
    assert checked(keeper).fault == ""
    attach(keeper, MONTH, LATER)
    catch_up(keeper)
    everything = sums(keeper.url)
    rebuild(keeper, "balances", "usage", "devices", "calls")
    assert sums(keeper.url) == everything
    assert checked(keeper).fault == ""


def test_a_month_whose_last_part_was_not_dropped_is_attached_whole(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive(keeper, MONTH, LATER)
    late = received(1, 500_000)
    append(keeper.store, [(stream(late), late)])
    catch_up(keeper)
    close_books_until(keeper, datetime(2027, 3, 3, tzinfo=UTC))
    monkeypatch.setattr(archiving, "ATTEMPTS", 1)
    with psycopg.connect(keeper.url) as reader:
        reader.execute("select count(*) from call_list").fetchall()
        with pytest.raises(Refused, match="being read"):
            archive(keeper, MONTH, LATER)
    assert len(load_keeping(keeper.store).parts_of(MONTH)) == 2
    attach(keeper, MONTH, LATER)
    catch_up(keeper)
    found = {call[0] for call in listed(keeper.url) if str(call[1]).startswith(MONTH)}
    parts = load_keeping(keeper.store).parts_of(MONTH)
    assert len(found) == sum(part.calls for part in parts)
    detach(keeper, MONTH, LATER)
    assert checked(keeper).fits


def test_a_file_that_does_not_fit_the_log_keeps_the_month_in_the_database(
    keeper: Keeper,
) -> None:
    with psycopg.connect(keeper.url, autocommit=True) as connection:
        connection.execute(
            "update billing_events set state = replace(encode(state, 'escape'), '1000000',"
            " '9000000')::bytea where originator_id = %s",
            (stream(received(0, 1_000_000)),),
        )
    with pytest.raises(Refused, match="does not match its seals"):
        archive(keeper, MONTH, LATER)
    assert months(keeper) == [MONTH, "2026-11"]
    assert load_keeping(keeper.store).parts == ()


def test_a_kill_between_the_file_and_the_drop_is_ended_by_the_next_call(keeper: Keeper) -> None:
    before = sums(keeper.url)
    (part,) = archive(keeper, MONTH, LATER)
    attach(keeper, MONTH, LATER)  # the month is in the database, and all of it in the files
    (again,) = archive(keeper, MONTH, LATER)
    assert again == part
    assert load_keeping(keeper.store).attached == frozenset()
    assert months(keeper) == ["2026-11"]
    assert sums(keeper.url) == before


def test_who_reads_a_month_is_waited_for(keeper: Keeper) -> None:
    with psycopg.connect(keeper.url) as reader:
        reader.execute("select count(*) from call_list").fetchall()
        threading.Timer(2.5, reader.rollback).start()
        archive(keeper, MONTH, LATER)
    assert months(keeper) == ["2026-11"]


def test_only_months_that_are_over_are_archived_and_only_once_the_read_models_have_them(
    keeper: Keeper,
) -> None:
    with pytest.raises(Refused, match="ended too recently"):
        archive(keeper, "2026-11", SAID)
    late = received(2, 100)
    append(keeper.store, [(stream(late), late)])
    with pytest.raises(Refused, match="is behind"):
        archive(keeper, MONTH, LATER)
    assert not keeper.archives.exists()
    with psycopg.connect(keeper.url) as connection:
        assert due_months(connection, 6, LATER.recorded_at) == []
        assert due_months(connection, 3, LATER.recorded_at) == [MONTH]
        assert due_months(connection, 2, LATER.recorded_at) == [MONTH, "2026-11"]


def test_a_byte_that_changed_in_a_file_is_named(keeper: Keeper) -> None:
    (part,) = archive(keeper, MONTH, LATER)
    path = keeper.archives / part.file
    assert fault_of(path, part) is None
    assert sum(1 for _ in event_rows(path)) == part.events
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(Refused, match="damaged"):
        attach(keeper, MONTH, LATER)
    assert "damaged" in checked(keeper).missing[0]
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(Refused, match="is truncated"):
        attach(keeper, MONTH, LATER)
    assert months(keeper) == ["2026-11"]


def test_a_full_disk_leaves_the_month_and_no_half_file(keeper: Keeper) -> None:
    with no_room(), pytest.raises(Refused, match=r"could not be written: File too large"):
        archive(keeper, MONTH, LATER)
    assert months(keeper) == [MONTH, "2026-11"]
    assert list(keeper.archives.iterdir()) == []
    assert load_keeping(keeper.store).parts == ()


def test_a_file_is_read_from_the_middle_as_from_its_beginning(tmp_path: Path) -> None:
    written = [(3 * n, f"call:2026-10:d:{n}", 1, "CallRated.1", b"{}") for n in range(1, 30_000)]
    path = tmp_path / "long.archive"
    with writing(path, Header(kind="archive", made_at="")) as writer:
        for begin in range(0, len(written), ROWS):
            writer.add_rows("events", written[begin : begin + ROWS])
        writer.finish(KeepingSet(months=1, backup_days=1, backups_kept=1))
    check(path, ("archive",))
    for after in (0, 1, 3, 29_999, 30_000, 30_001, 60_000, 89_997, 99_999):
        assert list(event_rows(path, after)) == [row for row in written if row[0] > after]


def test_a_month_with_a_suspended_call_is_archived_once_it_is_written_off(keeper: Keeper) -> None:
    waiting = received(1, 7, suspended=True)
    append(keeper.store, [(stream(waiting), waiting)])
    catch_up(keeper)
    close_books_until(keeper, datetime(2027, 3, 3, tzinfo=UTC))
    with pytest.raises(Refused, match="Suspended calls") as refused:
        archive(keeper, MONTH, LATER)
    assert refused.value.values == {"month": MONTH, "calls": 1}
    assert MONTH in months(keeper)
    correct = CorrectCalls(
        kind="write_off",
        streams=[stream(waiting)],
        envelope=replace(LATER, request_id="off"),
        note="A test call",
    )
    correct_calls(keeper.store, Catalogue(), correct, ReratingTotals.of())
    catch_up(keeper)
    close_books_until(keeper, datetime(2027, 4, 3, tzinfo=UTC))
    assert archive(keeper, MONTH, LATER)
    assert MONTH not in months(keeper)
