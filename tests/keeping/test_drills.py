"""Two operations at once, killed at random moments: nothing is lost, and each is completed.

`make drills` runs the long form: DRILLS is then the number of kills.
"""

import os
import random
import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from billing.aggregates.keeping import BackupMade
from billing.commands.keeping import load_keeping
from billing.keeping import backup
from billing.keeping.archive_format import check
from billing.keeping.attach import attach, detach
from billing.keeping.keeper import Keeper
from billing.keeping.new_files import sweep, unfinished_in
from billing.keeping.verifying import verify
from billing.values import Refused
from tests.keeping.sample import (
    LATER,
    MONTH,
    catch_up,
    close_books_until,
    keys_of,
    listed,
    sums,
    write_off_suspended,
)
from tests.keeping.working import OPERATIONS, PERIOD, ready
from tests.projections.sample import ZONE

KILLS = int(os.environ.get("DRILLS", "7"))
LONGEST = 0.4  # seconds: the approximate time of an operation on so few calls
MONTHS = (MONTH, "2026-11")
KINDS = ("archive", "attach", "detach", "archive", "full", "restore", "shorten")


def about(kind: str, choose: random.Random, file: str) -> str:
    """Return the object of an operation."""
    return file if kind == "restore" else choose.choice(MONTHS)


def end(keeper: Keeper, kind: str, target: str) -> None:
    """Repeat a killed operation; a known refusal means that it had completed."""
    try:
        OPERATIONS[kind](keeper, target)
    except Refused as refused:
        known = ("no calls of", "is not archived", "already attached", "is not attached")
        assert any(each in str(refused) for each in known), refused  # noqa: PT017 -- one of several


def test_operations_that_are_killed_lose_nothing_and_can_be_ended(keeper: Keeper) -> None:
    seed = int(time.time())
    choose = random.Random(seed)  # noqa: S311 -- not secret
    print(f"seed {seed}")  # noqa: T201 -- shown when it fails
    write_off_suspended(keeper, "", LATER)
    close_books_until(keeper, datetime(2027, 3, 3, tzinfo=UTC))
    before, calls, events = sums(keeper.url), len(listed(keeper.url)), keys_of(keeper)
    file = backup.back_up_calls(keeper, PERIOD, ZoneInfo(ZONE), LATER).file
    for number in range(KILLS):
        kind = KINDS[number % len(KINDS)]
        target = about(kind, choose, file)
        with ready(keeper, (kind, target), (kind, target)) as workers:
            for worker in workers:
                worker.begin()
            for worker in workers:
                time.sleep(choose.uniform(0, LONGEST))
                worker.process.kill()
        assert events <= keys_of(keeper), (kind, target)
        assert verify(keeper.url, folder=keeper.archives).fits, (kind, target)
        backups_are_whole(keeper)
        catch_up(keeper)
        assert sums(keeper.url) == before, (kind, target)
        end(keeper, kind, target)
        catch_up(keeper)
    for folder in (keeper.archives, keeper.backups):
        sweep(folder)
        assert unfinished_in(folder) == []
    assert len(all_calls(keeper)) == calls
    assert sums(keeper.url) == before
    assert verify(keeper.url, folder=keeper.archives).fits


def backups_are_whole(keeper: Keeper) -> None:
    """Check every backup that the log names."""
    for _, made in backup.backups_made(keeper.store):
        assert isinstance(made, BackupMade)
        check(keeper.backups / made.file, ("full", "calls"), made.sha256)


def all_calls(keeper: Keeper) -> list[object]:
    """Return the call list with every archived month attached, whichever operation was killed."""
    state = load_keeping(keeper.store)
    for month in MONTHS:
        if month in state.attached:
            detach(keeper, month, LATER)
        if state.parts_of(month):
            attach(keeper, month, LATER)
    catch_up(keeper)
    return listed(keeper.url)
