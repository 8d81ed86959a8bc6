"""Whatever the calls of a month say, the month is shortened, archived, attached and verified."""

import msgspec
import psycopg

from billing.keeping.archive import archive
from billing.keeping.attach import attach
from billing.keeping.keeper import Keeper
from billing.keeping.shortening import shorten
from billing.keeping.verifying import verify
from billing.log.store import Pending
from tests.keeping.sample import (
    LATER,
    MONTH,
    catch_up,
    close_books_until,
    listed,
    rebuild,
    sums,
    write_off_suspended,
)
from tests.projections.sample import SAID, START
from tests.projections.test_hostile_events import hostile_events, is_fit

TOPICS = ("CallRated.1", "CallSuspended.1", "ConflictKept.1", "CallVoided.1")


def test_a_month_of_hostile_calls_is_kept_like_any_other(keeper: Keeper) -> None:
    pending = [
        Pending(
            f"call:{MONTH}:pbx:{topic}-{number}",
            1,
            msgspec.structs.replace(event, filed_at=START),
            SAID,
        )
        for topic in TOPICS
        for number, (_, event) in enumerate(hostile_events(topic))
        if is_fit(event)
    ]
    assert len(pending) > 500
    keeper.store.append(pending)
    catch_up(keeper)
    shorten(keeper, MONTH, LATER)
    catch_up(keeper)
    march = msgspec.structs.replace(LATER, recorded_at=LATER.recorded_at.replace(month=3))
    write_off_suspended(keeper, MONTH, march)
    close_books_until(keeper, march.recorded_at)
    before, calls = sums(keeper.url), listed(keeper.url)
    archive(keeper, MONTH, march)
    rebuild(keeper, "balances", "usage")
    catch_up(keeper)
    assert sums(keeper.url) == before
    attach(keeper, MONTH, march)
    catch_up(keeper)
    assert listed(keeper.url) == calls
    verdict = verify(keeper.url, folder=keeper.archives)
    assert (verdict.fault, verdict.missing) == ("", ())
    with psycopg.connect(keeper.url) as connection:
        assert connection.execute("select name, error from set_aside").fetchall() == []
