"""A wrong clock: irreversible actions wait, and events recorded in the meantime are flagged."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from billing.aggregates.event import Envelope
from billing.commands.keeping import SetKeeping, set_keeping
from billing.commands.sessions import MOVE_EXPIRED
from billing.keeping import queue
from billing.keeping.clock import Clock, confirm, read_clock, refuse_doubt
from billing.keeping.keeper import Keeper
from billing.keeping.worker import Worker
from billing.policies.closing import close_books
from billing.queries.clock import DAY, ClockState
from billing.values import Refused
from tests.keeping.sample import LATER, MONTH, catch_up
from tests.keeping.test_commands import billing
from tests.projections.sample import ZONE, append, received, stream

NOW = LATER.recorded_at + timedelta(hours=1)
YEAR, MINUTE, HOUR = timedelta(days=366), timedelta(minutes=1), timedelta(hours=1)
CLOSED = """
select convert_from(state, 'utf8') from billing_events_default
where topic = 'MonthClosed.1' and notification_id > %s"""


class Hands:
    """The two clocks of a machine: time passes on both, a person sets one."""

    def __init__(self, at: datetime = NOW) -> None:
        self.at = at
        self.passed = 1_000.0

    def go_on(self, time: timedelta) -> None:
        self.at += time
        self.passed += time.total_seconds()

    def turn(self, time: timedelta) -> None:
        self.at += time

    def clock(self, *, keeps: bool = True) -> Clock:
        """Return the clock of a process that starts."""
        return Clock(lambda: self.at, lambda: self.passed, keeps=keeps)


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True) as made:
        yield made


def seen(clock: Clock, connection: psycopg.Connection[Any]) -> ClockState:
    return clock.look(connection)[1]


def test_clocks_that_are_an_hour_apart_are_doubted_until_they_agree(
    connection: psycopg.Connection[Any],
) -> None:
    hands = Hands()
    clock, other = hands.clock(), hands.clock(keeps=False)
    assert (seen(clock, connection).doubt, seen(other, connection).doubt) == ("", "")
    for turn, doubt in ((59, ""), (3, "jumped"), (-3, ""), (-100, ""), (-20, "jumped"), (121, "")):
        hands.turn(turn * MINUTE)
        hands.go_on(MINUTE)
        if not read_clock(connection).is_doubted:  # the job may look later than the process
            assert seen(other, connection).doubt == doubt
        assert seen(clock, connection).doubt == doubt
        assert seen(other, connection).doubt == doubt


@pytest.mark.parametrize(
    ("turn", "doubt"),
    [
        (timedelta(days=6), ""),
        (timedelta(days=8), "away"),
        (YEAR, "away"),
        (-HOUR, "behind"),
        (-YEAR, "behind"),
        (timedelta(), ""),
    ],
)
def test_at_its_start_a_clock_is_compared_with_what_was_written_down(
    connection: psycopg.Connection[Any], turn: timedelta, doubt: str
) -> None:
    hands = Hands()
    first = hands.clock()
    seen(first, connection)
    hands.go_on(2 * MINUTE)
    seen(first, connection)
    hands.turn(turn)
    for keeps in (False, True, True):  # a restart does not remove the doubt
        assert seen(hands.clock(keeps=keeps), connection).doubt == doubt
    again = hands.clock()
    seen(again, connection)
    hands.turn(-turn)
    assert seen(again, connection).doubt == ("jumped" if turn == timedelta(days=6) else "")


def test_before_the_first_beat_the_newest_event_is_what_there_is(
    connection: psycopg.Connection[Any], keeper: Keeper
) -> None:
    hands = Hands(LATER.recorded_at - HOUR)
    clock = hands.clock()
    assert seen(clock, connection).doubt == "behind"
    late = received(1, 100)
    append(keeper.store, [(stream(late), late)])  # recorded by a slow clock: proves nothing
    assert seen(clock, connection).doubt == "behind"
    assert seen(hands.clock(), connection).doubt == "behind"
    hands.go_on(2 * HOUR)
    assert seen(clock, connection).doubt == ""


def closed(keeper: Keeper, connection: psycopg.Connection[Any], hands: Hands, clock: Clock) -> int:
    """Return how many months the policy closes now; check that their events are flagged."""
    ((last,),) = connection.execute("select max(last_position) from seals").fetchall()
    while True:
        now, state = clock.look(connection)
        if not close_books(connection, keeper.store, now, state):
            break
        catch_up(keeper)
    told = [text for (text,) in connection.execute(CLOSED, (last,)).fetchall()]
    assert all(('"clock_doubted":true' in text) == state.is_doubted for text in told)
    assert now == hands.at
    return len(told)


def test_a_clock_a_year_ahead_closes_nothing_until_a_person_confirms_it(
    keeper: Keeper, connection: psycopg.Connection[Any]
) -> None:
    hands = Hands()
    kept, clock = hands.clock(), hands.clock(keeps=False)
    for each in (kept, clock):
        seen(each, connection)
    hands.turn(YEAR)
    assert closed(keeper, connection, hands, clock) == 0
    seen(kept, connection)
    for _ in range(12):
        hands.go_on(10 * MINUTE)
        seen(kept, connection)
        assert closed(keeper, connection, hands, clock) == 0
    with pytest.raises(Refused, match="in doubt"):
        refuse_doubt(connection)
    hands.turn(-YEAR)
    assert seen(kept, connection).doubt == ""
    assert closed(keeper, connection, hands, clock) == 0  # there is nothing to close
    hands.turn(timedelta(days=40))  # correctly: the machine was asleep
    seen(kept, connection)
    assert closed(keeper, connection, hands, clock) == 0
    confirm(connection, hands.at, "administrator:marta")
    assert closed(keeper, connection, hands, clock) == 1
    state = seen(kept, connection)
    assert (state.doubt, state.confirmed_by) == ("", "administrator:marta")
    assert seen(hands.clock(), connection).doubt == ""


def test_after_a_day_of_running_a_month_a_day_is_closed_however_often_it_starts(
    keeper: Keeper, connection: psycopg.Connection[Any]
) -> None:
    hands = Hands()
    seen(hands.clock(), connection)
    hands.turn(YEAR)
    counts = []
    for _ in range(12):  # half a day each
        kept, clock = hands.clock(), hands.clock(keeps=False)
        seen(kept, connection)
        for _ in range(12):
            hands.go_on(HOUR)
            seen(kept, connection)
        counts.append(closed(keeper, connection, hands, clock))
    assert counts == [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1]
    assert seen(kept, connection).ran_seconds == 6 * DAY


def test_what_nobody_wrote_down_is_believed_after_a_day_by_a_process_of_its_own(
    connection: psycopg.Connection[Any],
) -> None:
    hands = Hands()
    clock = hands.clock(keeps=False)
    seen(clock, connection)
    hands.turn(2 * HOUR)
    for hour in range(30):
        assert seen(clock, connection).is_waiting == (hour < 24)
        hands.go_on(HOUR)


def test_the_job_waits_with_what_cannot_be_taken_back_and_does_the_rest(
    keeper: Keeper, connection: psycopg.Connection[Any]
) -> None:
    hands = Hands(datetime(2027, 2, 4, 2, 30, tzinfo=UTC))
    set_keeping(keeper.store, SetKeeping(months=2, backup_days=1, backups_kept=1), LATER)
    catch_up(keeper)
    kept = hands.clock()
    worker = Worker(keeper, ZONE, kept)
    seen(kept, connection)
    hands.turn(2 * HOUR)

    def work() -> list[str]:
        while worker.step(*kept.look(connection)):
            catch_up(keeper)
        found = connection.execute(
            "select kind || ' ' || argument from tasks where ended_at is not null order by task_id"
        ).fetchall()
        connection.execute("delete from tasks where ended_at is not null")
        return [text for (text,) in found]

    for kind, argument in (("archive", MONTH), ("full", "")):
        queue.ask(connection, kind, argument, LATER)
    assert work() == ["full "]
    recorded = keeper.store.load("keeping:backups")[-1]
    assert recorded.envelope.clock_doubted
    for month in (MONTH, "2026-11"):  # another day, another month
        for _ in range(24):
            hands.go_on(HOUR)
            seen(kept, connection)
        assert work() == [f"archive {month}", "scheduled "]
        assert keeper.store.load("keeping:all")[-1].envelope.clock_doubted
    worker.close()


def test_nothing_runs_out_on_the_word_of_one_clock(connection: psycopg.Connection[Any]) -> None:
    hands = Hands()
    seen(hands.clock(), connection)
    connection.execute(
        "insert into sessions (token_hash, administrator_id, csrf_token, created_at, seen_at,"
        " expires_at, address, browser) values ('x', 'marta', 'y', %(at)s, %(at)s, %(at)s, '', '')",
        {"at": NOW + 8 * HOUR},
    )
    connection.execute(MOVE_EXPIRED, (NOW + YEAR,))
    assert connection.execute("select count(*) from sessions").fetchall() == [(1,)]
    hands.go_on(9 * HOUR)
    seen(hands.clock(), connection)
    connection.execute(MOVE_EXPIRED, (hands.at,))
    assert connection.execute("select count(*) from sessions").fetchall() == [(0,)]


def test_the_flag_leaves_the_bytes_of_older_events_as_they_were() -> None:
    said = msgspec.json.encode(LATER)
    assert said == b'{"recorded_at":"2027-02-03T00:00:00Z","actor":"system"}'
    marked = ClockState(doubt="away").mark(LATER)
    assert msgspec.json.decode(msgspec.json.encode(marked), type=Envelope).clock_doubted


def test_the_command_line_tells_of_the_clock_and_confirms_it(
    keeper: Keeper, connection: psycopg.Connection[Any], tmp_path: Path
) -> None:
    # The newest event of these databases is in the future of the machine's clock.
    assert "in doubt (behind)" in billing(keeper.url, tmp_path, "clock")
    said = billing(keeper.url, tmp_path, "archive", MONTH, code=1)
    assert "The clock of this machine is in doubt." in said
    assert "is confirmed" in billing(keeper.url, tmp_path, "clock", "confirm")
    assert read_clock(connection).confirmed_by == "system"
