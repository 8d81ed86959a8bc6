"""The keeping job: nightly tasks, requested tasks, and their results."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg
import pytest

from billing.aggregates.event import Envelope
from billing.commands.keeping import SetKeeping, load_keeping, set_keeping
from billing.keeping import backup, queue
from billing.keeping.keeper import Keeper
from billing.keeping.worker import Worker
from billing.values import Refused
from tests.keeping.sample import LATER, MONTH, catch_up, no_room
from tests.projections.sample import ZONE

NIGHT = datetime(2027, 2, 4, 2, 30, tzinfo=UTC)  # 03:30 in Madrid
SOMEBODY = Envelope(recorded_at=NIGHT, actor="administrator:marta", address="192.0.2.9")


@pytest.fixture
def worker(keeper: Keeper) -> Iterator[Worker]:
    made = Worker(keeper, ZONE)
    yield made
    made.close()


def ended(keeper: Keeper) -> list[Any]:
    with psycopg.connect(keeper.url) as connection:
        return connection.execute(
            "select kind, argument, outcome, refusal ->> 'message' from tasks"
            " where ended_at is not null order by task_id"
        ).fetchall()


def ask(keeper: Keeper, kind: str, argument: str) -> None:
    with psycopg.connect(keeper.url, autocommit=True) as connection:
        queue.ask(connection, kind, argument, SOMEBODY)
        queue.ask(connection, kind, argument, SOMEBODY)


def work(worker: Worker, keeper: Keeper, now: datetime = NIGHT) -> None:
    while worker.step(now):
        catch_up(keeper)


def test_at_night_what_fell_out_is_archived_and_all_is_backed_up(
    keeper: Keeper, worker: Worker
) -> None:
    set_keeping(keeper.store, SetKeeping(months=3, backup_days=1, backups_kept=7), LATER)
    catch_up(keeper)
    work(worker, keeper, NIGHT - timedelta(hours=1))
    assert ended(keeper) == []
    work(worker, keeper)
    (archived, backed_up) = ended(keeper)
    assert archived == ("archive", MONTH, f"{MONTH}-1.archive", None)
    assert backed_up[:2] == ("scheduled", "")
    assert (keeper.backups / backed_up[2]).is_file()
    work(worker, keeper, NIGHT + timedelta(hours=20))
    assert len(ended(keeper)) == 2


def test_what_was_refused_is_told_and_tried_again_later(keeper: Keeper, worker: Worker) -> None:
    with no_room():
        work(worker, keeper)
    assert ended(keeper) == [
        ("scheduled", "", "", "The file %(file)s could not be written: %(why)s.")
    ]
    with psycopg.connect(keeper.url, autocommit=True) as connection:
        connection.execute("update tasks set ended_at = %s", (NIGHT,))
    work(worker, keeper, NIGHT + timedelta(hours=1))
    assert len(ended(keeper)) == 1
    work(worker, keeper, NIGHT + timedelta(hours=7))
    assert ended(keeper)[1][3] is None


def test_what_people_ask_for_is_done_once_and_in_their_name(keeper: Keeper, worker: Worker) -> None:
    set_keeping(keeper.store, SetKeeping(months=120, backup_days=0, backups_kept=1), LATER)
    for kind, argument in (
        ("archive", MONTH),
        ("attach", MONTH),
        ("detach", MONTH),
        ("calls", "2026-10-20/2026-10-31"),
        ("attach", "2020-01"),
        ("full", ""),
    ):
        ask(keeper, kind, argument)
        work(worker, keeper)
    assert [(kind, refusal) for kind, _, _, refusal in ended(keeper)] == [
        ("archive", None),
        ("attach", None),
        ("detach", None),
        ("calls", None),
        ("attach", "The month %(month)s is not archived."),
        ("full", None),
    ]
    made = [event.file for _, event in backup.backups_made(keeper.store)]
    ask(keeper, "remove", made[0])
    work(worker, keeper)
    assert [event.file for _, event in backup.backups_made(keeper.store)] == made[1:]
    assert not (keeper.backups / made[0]).exists()
    said = {recorded.envelope.actor for recorded in keeper.store.load("keeping:backups")}
    assert said == {"administrator:marta"}


def test_scheduled_backups_are_rotated_and_the_others_stay(keeper: Keeper, worker: Worker) -> None:
    set_keeping(keeper.store, SetKeeping(months=120, backup_days=2, backups_kept=2), LATER)
    by_hand = keeper.backups / "by-hand.backup"
    backup.back_up(keeper, LATER, path=by_hand)
    for number in range(4):
        now = NIGHT + timedelta(days=2 * number)
        path = keeper.backups / f"scheduled-{number}.backup"
        said = msgspec.structs.replace(LATER, recorded_at=now)
        backup.back_up(keeper, said, backup.SCHEDULED, path)
        catch_up(keeper)
        work(worker, keeper, now + timedelta(days=1))
        assert ended(keeper) == []
    kept = ["by-hand.backup", "scheduled-2.backup", "scheduled-3.backup"]
    assert [made.file for _, made in backup.backups_made(keeper.store)] == kept
    assert {path.name for path in keeper.backups.iterdir()} == {
        name for file in kept for name in (file, f"{file}.sha256")
    }
    work(worker, keeper, now + timedelta(days=2))
    assert [kind for kind, *_ in ended(keeper)] == ["scheduled"]


def test_keeping_times_have_their_bounds(keeper: Keeper) -> None:
    assert load_keeping(keeper.store).months == 6
    for months, days, kept in ((0, 1, 1), (121, 1, 1), (6, 32, 1), (6, 1, 0)):
        command = SetKeeping(months=months, backup_days=days, backups_kept=kept)
        with pytest.raises(Refused):
            set_keeping(keeper.store, command, LATER)
    assert load_keeping(keeper.store).months == 6
