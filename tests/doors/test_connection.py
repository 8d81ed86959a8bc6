"""What one client does at a port holds up no other: real sockets, and limits of a moment."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from secrets import token_hex
from typing import Any

import pytest
from sanic import Request, Sanic
from sanic.response import HTTPResponse, text

from billing.doors.bodies import in_memory
from billing.doors.connection import Connection
from billing.doors.door import Door
from billing.doors.limits import Limits

MOST_BYTES = 1_000
PATIENT = Limits(look_seconds=0.02, linger_seconds=0.3)
HASTY = Limits(
    look_seconds=0.02,
    head_seconds=0.2,
    body_seconds=0.2,
    reader_seconds=0.2,
    idle_seconds=0.2,
    handler_seconds=0.2,
    bytes_per_second=100_000,
)
GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n"


class Port:
    """A served application: `/` answers how many bytes it took, `/big` with many, `/wait` never."""

    def __init__(self, limits: Limits) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.app: Sanic[Any, Any] = Sanic(f"doors_{token_hex(4)}", configure_logging=False)
        self.app.config.TOUCHUP = False
        self.app.config.REQUEST_MAX_SIZE = MOST_BYTES
        self.app.ctx.door = self.door = Door(limits, proxies=0)
        self.app.add_route(take, "/", methods=["GET", "POST"], stream=True)
        self.app.add_route(send_much, "/big")
        self.app.add_route(wait, "/wait")

    def open(self) -> socket.socket:
        """A connection to it."""
        opened = socket.create_connection(self.listener.getsockname(), 20)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return opened

    def count(self) -> int:
        """How many connections are let in."""
        return len(self.door._open)  # noqa: SLF001 -- only tests ask


async def take(request: Request[Any, Any]) -> HTTPResponse:
    async with in_memory(request, MOST_BYTES):
        return text(str(len(request.body)))


async def send_much(_: Request[Any, Any]) -> HTTPResponse:
    return text("x" * 20_000_000)


async def wait(_: Request[Any, Any]) -> HTTPResponse:
    await asyncio.sleep(60)
    return text("late")


@contextmanager
def served(limits: Limits) -> Iterator[Port]:
    """Serve it from a thread."""
    port = Port(limits)
    ready, stop, loops = threading.Event(), asyncio.Event(), list[asyncio.AbstractEventLoop]()

    async def serve() -> None:
        server: Any = await port.app.create_server(
            sock=port.listener, return_asyncio_server=True, protocol=Connection
        )
        await server.startup()
        await server.start_serving()
        loops.append(asyncio.get_running_loop())
        ready.set()
        await stop.wait()
        await server.close()
        for connection in list(server.connections):
            connection.end()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(20)
        yield port
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join(20)
        Sanic.unregister_app(port.app)
        assert not thread.is_alive()


@pytest.fixture
def patient() -> Iterator[Port]:
    with served(PATIENT) as port:
        yield port


@pytest.fixture
def hasty() -> Iterator[Port]:
    with served(HASTY) as port:
        yield port


def status(connection: socket.socket) -> int:
    """The status of the next answer; 0 where the connection ends without one."""
    try:
        head = connection.recv(65_536)
    except ConnectionResetError:
        return 0
    return int(head.split()[1]) if head else 0


def trickle(connection: socket.socket, data: bytes) -> None:
    """Send one byte after the other, until it is cut."""
    try:
        for byte in data:
            connection.sendall(bytes([byte]))
            time.sleep(0.01)
    except OSError:
        pass


def until(true: Callable[[], bool]) -> None:
    """Wait until something is true."""
    for _ in range(1_000):
        if true():
            return
        time.sleep(0.02)
    raise TimeoutError


@pytest.mark.parametrize(
    "sent",
    [GET[:-2] + b"x: y\r\n" * 1_000, POST % 900 + b"x" * 900],
    ids=["head", "body"],
)
def test_what_trickles_is_cut_after_a_time_all_told(hasty: Port, sent: bytes) -> None:
    with hasty.open() as connection:
        trickle(connection, sent)
        assert status(connection) in (408, 0)
    until(lambda: hasty.count() == 0)
    assert hasty.door.memory.used == 0


def test_a_trickled_head_is_told_why(hasty: Port) -> None:
    with hasty.open() as connection:
        connection.sendall(GET[:10])
        assert status(connection) == 408


@pytest.mark.parametrize("sent", [b"", GET], ids=["nothing", "one request"])
def test_a_connection_that_rests_is_closed(hasty: Port, sent: bytes) -> None:
    with hasty.open() as connection:
        connection.sendall(sent)
        if sent:
            assert status(connection) == 200
        assert status(connection) == 0


def test_an_answer_that_nobody_reads_is_cut(hasty: Port) -> None:
    with hasty.open() as connection:
        connection.sendall(GET.replace(b"/ ", b"/big "))
        assert connection.recv(1)
        until(lambda: hasty.count() == 0)


def test_an_answer_that_is_read_at_a_fair_pace_is_whole() -> None:
    limits = Limits(look_seconds=0.02, reader_seconds=1.0, bytes_per_second=1_000_000)
    with served(limits) as port, port.open() as connection:
        connection.sendall(GET.replace(b"/ ", b"/big "))
        got = 0
        while got < 20_000_000 and (part := connection.recv(500_000)):
            got += len(part)
            time.sleep(0.03)
        assert got > 20_000_000


def test_our_own_work_ends_too(hasty: Port) -> None:
    with hasty.open() as connection:
        connection.sendall(GET.replace(b"/ ", b"/wait "))
        assert status(connection) == 503


def test_requests_one_after_the_other_have_a_time_each() -> None:
    limits = Limits(look_seconds=0.02, head_seconds=1.0, body_seconds=1.0)
    with served(limits) as port, port.open() as connection:
        for _ in range(12):  # 1.2 s in all
            connection.sendall(POST % 3)
            time.sleep(0.1)
            connection.sendall(b"abc")
            assert status(connection) == 200


@pytest.mark.parametrize("announced", [MOST_BYTES + 1, 25_000_000])
def test_a_body_that_is_too_large_is_refused_before_it_is_read(
    patient: Port, announced: int
) -> None:
    with patient.open() as connection:
        connection.sendall(POST % announced + b"x")
        assert status(connection) == 413


def test_who_sends_on_after_a_refusal_still_reads_it(patient: Port) -> None:
    with patient.open() as connection:
        connection.sendall(POST % 3_000_000 + b"x" * 2_999_999)
        assert status(connection) == 413


def test_a_chunked_body_is_refused_once_it_is_too_large(patient: Port) -> None:
    with patient.open() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        connection.sendall(b"190\r\n" + b"x" * 400 + b"\r\n")
        connection.sendall(b"320\r\n" + b"x" * 800 + b"\r\n")
        assert status(connection) == 413
    until(lambda: patient.door.memory.used == 0)


def test_a_head_that_is_too_large_is_refused(patient: Port) -> None:
    with patient.open() as connection:
        connection.sendall(GET[:-2] + b"x: " + b"y" * 30_000)
        assert status(connection) == 413


def test_unread_bodies_of_all_connections_share_a_bounded_memory() -> None:
    limits = Limits(look_seconds=0.02, linger_seconds=0.1, memory_bytes=1_500)
    with served(limits) as port, port.open() as first, port.open() as second:
        first.sendall(POST % 1_000 + b"x" * 999)
        until(lambda: port.door.memory.used == 999)
        second.sendall(POST % 1_000 + b"x" * 1_000)
        assert status(second) == 503
        first.sendall(b"x")
        assert status(first) == 200
        second.sendall(POST % 1_000 + b"x" * 1_000)
        assert status(second) == 200
        until(lambda: port.door.memory.used == 0)


def test_who_waited_longest_makes_room_for_a_new_connection() -> None:
    limits = Limits(look_seconds=0.02, connections=5, connections_of_network=3)
    with served(limits) as port:
        opened = []
        for _ in range(6):
            opened.append(port.open())
            opened[-1].sendall(GET[:5])
            until(lambda: port.count() == min(len(opened), 3))
        opened[-1].sendall(GET[5:])
        assert status(opened[-1]) == 200
        assert [status(each) for each in opened[:3]] == [0, 0, 0]
        for each in opened:
            each.close()


def test_there_is_no_room_beside_those_that_are_worked_for() -> None:
    with served(Limits(look_seconds=0.02, connections=2)) as port:
        busy = [port.open(), port.open()]
        for each in busy:
            each.sendall(GET.replace(b"/ ", b"/wait "))
        until(lambda: all(each.waits_since() is None for each in port.door._open))  # noqa: SLF001
        with port.open() as late:
            assert status(late) == 503
        for each in busy:
            each.close()
        until(lambda: port.count() == 0)
        with port.open() as later:
            later.sendall(GET)
            assert status(later) == 200
