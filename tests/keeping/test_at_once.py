"""Operations of keeping that begin at once: one works at a time, whichever starts first."""

import errno
import os
from pathlib import Path

import psycopg
import pytest

from billing.commands.keeping import load_keeping
from billing.keeping import backup, queue
from billing.keeping.archive import archive
from billing.keeping.archive_format import check
from billing.keeping.attach import attach, detach
from billing.keeping.exclusive import Busy, exclusive
from billing.keeping.keeper import Keeper
from billing.keeping.new_files import UNFINISHED, making, restoring, sweep
from billing.keeping.verifying import verify
from billing.keeping.worker import Worker
from billing.values import Refused
from tests.keeping.sample import LATER, MONTH, catch_up, keys_of, sums
from tests.keeping.working import at_once
from tests.projections.sample import ZONE


def test_three_archivings_of_a_month_at_once_lose_nothing(keeper: Keeper) -> None:
    before, events = sums(keeper.url), keys_of(keeper)
    said = at_once(keeper, *[("archive", MONTH)] * 3)
    assert said.count("done") == 1, said
    assert said.count(f"There are no calls of {MONTH} in the database.") == 2
    assert verify(keeper.url, folder=keeper.archives).fits
    assert events < keys_of(keeper)
    assert [path.name for path in keeper.archives.iterdir()] == [f"{MONTH}-1.archive"]
    attach(keeper, MONTH, LATER)
    catch_up(keeper)
    assert sums(keeper.url) == before


@pytest.mark.parametrize("operation", ["full", "calls"])
def test_backups_that_are_begun_in_the_same_second_are_all_whole(
    keeper: Keeper, operation: str
) -> None:
    assert at_once(keeper, *[(operation, "")] * 3) == ["done"] * 3
    made = [made for _, made in backup.backups_made(keeper.store)]
    assert len({each.file for each in made}) == 3
    for each in made:
        check(keeper.backups / each.file, (operation,), each.sha256)
    assert len(list(keeper.backups.iterdir())) == 6


def test_who_finds_another_at_work_is_told_which_and_does_nothing(keeper: Keeper) -> None:
    hasty = Keeper(keeper.url, keeper.store, keeper.archives, keeper.backups, wait_seconds=0)
    made = backup.back_up(keeper, LATER)
    works = (
        lambda: archive(hasty, MONTH, LATER),
        lambda: attach(hasty, MONTH, LATER),
        lambda: detach(hasty, MONTH, LATER),
        lambda: backup.back_up(hasty, LATER),
        lambda: backup.remove(hasty, made.file, LATER),
    )
    log = keys_of(keeper)
    with exclusive(keeper.url, "archive 2026-11", 0):
        for work in works:
            with pytest.raises(Busy, match=r"is running \(archive 2026-11\); try again"):
                work()
    assert keys_of(keeper) == log
    assert (keeper.backups / made.file).is_file()


def test_the_job_leaves_its_task_in_the_queue_until_another_has_ended(keeper: Keeper) -> None:
    hasty = Keeper(keeper.url, keeper.store, keeper.archives, keeper.backups, wait_seconds=0)
    worker, now = Worker(hasty, ZONE), LATER.recorded_at
    tasks = "select began_at is null, ended_at is null, outcome from tasks"
    with psycopg.connect(keeper.url, autocommit=True) as connection:
        queue.ask(connection, "archive", MONTH, LATER)
        with exclusive(keeper.url, "backup", 0):
            assert not worker.step(now)
        assert connection.execute(tasks).fetchall() == [(True, True, "")]
        assert worker.step(now)
        assert connection.execute(tasks).fetchall() == [(False, False, f"{MONTH}-1.archive")]
    worker.close()


def test_a_file_is_never_written_over(keeper: Keeper, tmp_path: Path) -> None:
    path = tmp_path / "mine.backup"
    path.write_text("mine")
    with pytest.raises(Refused, match=r"a file mine\.backup already; it stays as it is"):
        backup.back_up(keeper, LATER, path=path)
    with pytest.raises(Refused, match="already"), making(tmp_path / "late"):
        (tmp_path / "late").write_text("theirs")
    assert (path.read_text(), (tmp_path / "late").read_text()) == ("mine", "theirs")
    keeper.archives.mkdir()
    left = keeper.archives / f"{MONTH}-1.archive"
    left.write_text("of one that was killed, or of another database")
    (part,) = archive(keeper, MONTH, LATER)
    assert part.file != left.name
    assert left.read_text().startswith("of one")
    assert verify(keeper.url, folder=keeper.archives).fits


def test_a_file_that_is_restored_sets_another_aside(tmp_path: Path) -> None:
    path = tmp_path / "a.archive"
    for text in ("one", "one", "two"):
        with restoring(path) as file:
            file.write(text.encode())
    (aside,) = tmp_path.glob("a.archive.*")
    assert (path.read_text(), aside.read_text()) == ("two", "one")


def test_a_file_system_without_links_is_written_to_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    with making(tmp_path / "a") as file:
        file.write(b"whole")
    assert (tmp_path / "a").read_bytes() == b"whole"
    with pytest.raises(Refused, match="already"), making(tmp_path / "b"):
        (tmp_path / "b").write_text("theirs")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_unfinished_files_are_removed_once_nobody_writes_them(keeper: Keeper) -> None:
    with making(keeper.archives / "whole") as file:
        (keeper.archives / f"dead{UNFINISHED}").write_bytes(b"")
        assert sweep(keeper.archives) == [f"dead{UNFINISHED}"]
        (keeper.archives / f"dead{UNFINISHED}").write_bytes(b"")
        worker = Worker(keeper, ZONE)
        worker.step(LATER.recorded_at)
        worker.close()
        file.write(b"yes")
    assert [path.name for path in keeper.archives.iterdir()] == ["whole"]


def test_what_a_kill_left_between_the_work_and_its_word_is_ended(keeper: Keeper) -> None:
    """A month was loaded or dropped, but the log has no event about it."""
    archive(keeper, MONTH, LATER)
    events = keys_of(keeper)
    (part,) = load_keeping(keeper.store).parts
    attach(keeper, MONTH, LATER)
    with psycopg.connect(keeper.url, autocommit=True) as connection:
        connection.execute("drop table billing_events_2026_10")
    detach(keeper, MONTH, LATER)
    assert load_keeping(keeper.store).attached == frozenset()
    attach(keeper, MONTH, LATER)
    with psycopg.connect(keeper.url, autocommit=True) as connection:
        connection.execute(
            "create table kept as select * from billing_events_2026_10;"
            "create table kept_calls as select * from call_list_2026_10"
        )
    detach(keeper, MONTH, LATER)
    with psycopg.connect(keeper.url, autocommit=True) as connection:
        connection.execute(
            "create table billing_events_2026_10 partition of billing_events"
            " for values from ('call:2026-10') to ('call:2026-10;');"
            "insert into billing_events_2026_10 select * from kept; drop table kept, kept_calls"
        )
    attach(keeper, MONTH, LATER)
    assert load_keeping(keeper.store).attached == {MONTH}
    assert events < keys_of(keeper)
    assert verify(keeper.url, folder=keeper.archives).fits
    assert part.file == f"{MONTH}-1.archive"


def test_a_month_is_not_dropped_if_its_file_was_altered_after_it_was_made(keeper: Keeper) -> None:
    (part,) = archive(keeper, MONTH, LATER)
    attach(keeper, MONTH, LATER)
    catch_up(keeper)
    path = keeper.archives / part.file
    whole = path.read_bytes()
    for content in (whole[:-200], whole[:900] + b"?" + whole[901:], b""):
        path.write_bytes(content)
        with pytest.raises(Refused, match=r"truncated|damaged|neither"):
            detach(keeper, MONTH, LATER)
        assert not verify(keeper.url, folder=keeper.archives).fits
    path.unlink()
    with pytest.raises(Refused, match="There is no file"):
        detach(keeper, MONTH, LATER)
    path.write_bytes(whole)
    detach(keeper, MONTH, LATER)
    assert verify(keeper.url, folder=keeper.archives).fits
