"""Acknowledged means stored where it must be stored: on the disk, and on a standby if there is."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import psycopg
import pytest

from billing.aggregates import company
from billing.commands.calls import Receipt, SubmitCalls, submit
from billing.commands.catalogue import Catalogue
from billing.commands.deciding import decide
from billing.database import is_away, migrate
from billing.log.durability import NotConfirmed, durable
from billing.log.rehearsal import rehearse
from billing.log.store import Store
from billing.rating.cdr import CallRecord
from billing.values import Refused
from tests.commands.test_calls import record
from tests.embedded import until
from tests.ingest.serving import install
from tests.log.test_store import SAID
from tests.standby import Server, open_primary, open_standby

WAITING = "select pid from pg_stat_activity where wait_event = 'SyncRep'"
CALLS = "select originator_id from billing_events where originator_id like 'call:%'"


class Sender:
    """Submits as the writer of the submission interface does; its commit may never end."""

    def __init__(self, url: str) -> None:
        self.store, self._catalogue = Store(url), Catalogue()
        self._thread = ThreadPoolExecutor(1)

    def send(self, *records: CallRecord) -> "Future[list[str]]":
        """The status of each, some day."""
        command = SubmitCalls(device_id="pbx", records=records, envelope=SAID)

        def work() -> list[str]:
            receipts: list[Receipt] = submit(self.store, self._catalogue, [command])[0]
            return [receipt.status for receipt in receipts]

        return self._thread.submit(work)

    def change_nothing(self) -> "Future[int]":
        """A command that was carried out before."""
        return self._thread.submit(
            decide, self.store, "company:acme", company.evolve, lambda _: [], SAID
        )

    def close(self) -> None:
        self._thread.shutdown()
        self.store.close()


@pytest.fixture(scope="module")
def primary() -> Iterator[Server]:
    with open_primary() as primary:
        migrate(primary.url)
        install(primary.url)
        yield primary


def waiting(primary: Server) -> int:
    """The backend whose commit waits for the standby."""
    until(lambda: primary.ask(WAITING))
    ((pid,),) = primary.ask(WAITING)
    assert isinstance(pid, int)
    return pid


def calls(server: Server) -> set[str]:
    return {str(stream).rpartition(":")[2] for (stream,) in server.ask(CALLS)}


def test_a_server_that_may_lose_what_it_acknowledged_is_refused(primary: Server) -> None:
    rehearse(primary.url)
    for name in ("fsync", "full_page_writes"):
        primary.set(name, "off")
        with pytest.raises(Refused, match=f"Set {name}=on in its postgresql.conf") as refused:
            migrate(primary.url)
        assert "\n" not in str(refused.value)
        primary.set(name, "on")
    assert migrate(primary.url) == []
    primary.ask("alter database postgres set synchronous_commit = remote_apply")
    with psycopg.connect(primary.url) as connection, durable(connection):
        kept = connection.execute("show synchronous_commit").fetchone()
    assert kept == ("remote_apply",)
    primary.ask("alter database postgres reset synchronous_commit")


def test_nothing_is_acknowledged_that_is_not_on_the_standby(primary: Server) -> None:
    with open_standby(primary) as standby:
        primary.set("synchronous_standby_names", "*")
        # The server is set up to be quick; an append is durable all the same.
        primary.ask("alter database postgres set synchronous_commit = off")
        primary.ask("alter database postgres set statement_timeout = '200ms'")
        hasty = Sender(primary.url)
        assert hasty.send(record("a")).result(60) == ["accepted"]
        primary.ask("alter database postgres reset all")
        first, second = Sender(primary.url), Sender(primary.url)

        standby.suspend()
        sent = hasty.send(record("b"))
        backend = waiting(primary)
        primary.ask("set statement_timeout = 0; select pg_sleep(0.4)")
        assert waiting(primary) == backend, "the limit for statements cut the wait short"
        primary.ask(f"select pg_cancel_backend({backend})")
        with pytest.raises(Exception, match="synchronous replication") as raised:
            sent.result(60)
        assert isinstance(raised.value.__cause__, NotConfirmed)
        assert is_away(raised.value)
        assert calls(primary) == {"a", "b"}, "PostgreSQL says that it is committed"

        again = second.send(record("b"), record("a"))
        backend = waiting(primary)
        primary.ask(f"select pg_terminate_backend({backend})")
        with pytest.raises(Exception, match=r"terminat|closed") as ended:
            again.result(60)
        assert is_away(ended.value)

        others = first.send(record("b")), second.change_nothing()
        waiting(primary)
        assert not any(each.done() for each in others), "sent again is answered at once"
        standby.resume()
        assert others[0].result(60) == ["duplicate"]
        assert others[1].result(60) == 0
        assert first.send(record("b", caller="999")).result(60) == ["conflict"]

        standby.suspend()
        lost = first.send(record("c")), second.send(record("b", caller="999"))
        waiting(primary)
        primary.kill()
        for each in lost:
            with pytest.raises(Exception, match="closed") as away:
                each.result(60)
            assert is_away(away.value)
        standby.resume()
        standby.promote()
        assert {"a", "b"} <= calls(standby)
        after = Sender(standby.url)
        assert after.send(record("a"), record("b")).result(60) == ["duplicate", "duplicate"]
        assert after.send(record("b", caller="999")).result(60) == ["conflict"]
        assert after.send(record("c")).result(60)[0] in ("accepted", "duplicate")
        for sender in (hasty, first, second, after):
            sender.close()
