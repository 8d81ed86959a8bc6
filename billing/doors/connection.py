"""A connection of a port: counted, and cut when its client keeps it waiting.

Sanic's own times begin again with every byte. These are sums: of the time that a request made us
wait, and of the time in which nobody read an answer.
"""

from array import array
from asyncio import Transport
from contextlib import suppress
from fcntl import ioctl
from termios import TIOCOUTQ
from time import monotonic
from typing import Any

from sanic import Sanic
from sanic.exceptions import RequestTimeout, SanicException, ServiceUnavailable
from sanic.http import Stage
from sanic.server import HttpProtocol

from billing.doors.addresses import network_of
from billing.doors.door import Door

FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 2\r\nconnection: close\r\n"
    b"content-length: 0\r\n\r\n"
)


class Connection(HttpProtocol):
    """One connection; Sanic makes it (`protocol=` of its servers)."""

    __slots__ = (
        "_admitted",
        "_door",
        "_exchange",
        "_is_cut",
        "_lingers",
        "_received",
        "_unread",
        "_waited",
        "_waits_since",
        "_written",
        "network",
    )

    def __init__(self, *, app: Sanic[Any, Any], **more: Any) -> None:
        super().__init__(app=app, **more)
        self.network = ""
        self._door: Door = app.ctx.door
        self._admitted = False
        self._lingers = False
        self._is_cut = False
        self._waits_since: float | None = None
        self._waited = 0.0  # seconds that the client of this request made us wait
        self._received = 0  # bytes of this request
        self._written = 0  # bytes of all answers
        self._unread: tuple[float, int] | None = None  # since when, and bytes read by then
        self._exchange: Any = None  # Sanic's parser; Sanic forgets its own before it closes

    def connection_made(self, transport: Any) -> None:
        """Begin, or answer 503 where there are too many."""
        peer = transport.get_extra_info("peername")
        self.network = network_of(peer[0]) if isinstance(peer, tuple) else ""
        self._admitted = self._door.admit(self)
        if not self._admitted:
            transport.write(FULL)
            transport.close()
            return
        super().connection_made(transport)  # type: ignore[no-untyped-call]

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        if self._admitted:
            self._door.leave(self)
            super().connection_lost(exc)  # type: ignore[no-untyped-call]

    def data_received(self, data: bytes) -> None:
        """Note what arrived; after a refusal it is dropped."""
        if self._admitted and not self._lingers:
            self._received += len(data)
            super().data_received(data)

    async def receive_more(self) -> None:
        """Wait for the client, and count the time."""
        self._waits_since = monotonic()
        if self._is_resting():
            self._waited, self._received = 0.0, 0
        try:
            await super().receive_more()  # type: ignore[no-untyped-call]
        finally:
            self._waited += monotonic() - self._waits_since
            self._waits_since = None

    async def send(self, data: bytes) -> None:
        """Send, and count."""
        await super().send(data)  # type: ignore[no-untyped-call]
        self._written += len(data)

    def waits_since(self) -> float | None:
        """Return since when it waits for its client; None while we work for it."""
        return self._unread[0] if self._unread else self._waits_since

    def end(self) -> None:
        """Cut it at once."""
        self._is_cut = True
        if self.transport:
            self.transport.abort()

    def check_timeouts(self) -> None:
        """Cut it if its client keeps it waiting; look again a moment later."""
        if not self._task or not self.transport or self._exchange is None:
            return
        if self._nobody_reads(self.transport):
            self.end()
        elif overdue := self._overdue():
            self._is_cut, self._exchange.exception = True, overdue
            self._task.cancel()
        else:
            self._callback_check_timeouts = self.loop.call_later(
                self._door.limits.look_seconds, self.check_timeouts
            )

    def close(self, timeout: float | None = None) -> None:
        """Close. After the refusal of a body, its rest is dropped for a moment.

        To close while it arrives would reset the connection, and the answer could be lost.
        """
        if self._lingers or self._is_cut or not self._is_body_unread or not self.transport:
            super().close(timeout)
            return
        self._lingers = True
        self._waits_since = monotonic()
        self.recv_buffer.clear()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.transport.resume_reading()
        self.loop.call_later(self._door.limits.linger_seconds, self.close)

    def _setup_connection(self, *args: Any, **more: Any) -> None:
        super()._setup_connection(*args, **more)  # type: ignore[no-untyped-call]
        self._exchange = self._http
        self.check_timeouts()

    @property
    def _is_body_unread(self) -> bool:
        return bool(self.recv_buffer or getattr(self._exchange, "request_body", None))

    def _is_resting(self) -> bool:
        """Whether no request is under way."""
        http = self._exchange
        return http.stage is Stage.IDLE and not getattr(http, "request_body", None)

    def _overdue(self) -> SanicException | None:
        """Return what a request is answered whose time is over; None while it is not."""
        limits, now = self._door.limits, monotonic()
        if self._waits_since is None:
            # Where an answer lies here unread, it is not us who is slow.
            if self._unread or now - self._time <= limits.handler_seconds:
                return None
            return ServiceUnavailable("This takes too long.")
        waits = now - self._waits_since
        if self._is_resting():
            patience = limits.idle_seconds if self._written else limits.head_seconds
        else:
            waits, patience = waits + self._waited, self._patience()
        return RequestTimeout("The request arrives too slowly.") if waits > patience else None

    def _patience(self) -> float:
        """Return the seconds that a request may make us wait."""
        limits = self._door.limits
        if self._exchange.request is None:
            return limits.head_seconds
        more = self._received / limits.bytes_per_second
        return min(limits.longest_body_seconds, limits.body_seconds + more)

    def _nobody_reads(self, transport: Transport) -> bool:
        """Whether our answers have lain here for too long, for what was read of them."""
        limits, now = self._door.limits, monotonic()
        lies = transport.get_write_buffer_size()
        if not lies:
            self._unread = None
            return False
        read = self._written - lies - _in_kernel(transport)
        if self._unread is None:
            self._unread = now, read
        else:
            since, then = self._unread
            more = (read - then) / limits.bytes_per_second
            return now - since > limits.reader_seconds + more
        return False


def _in_kernel(transport: Transport) -> int:
    """Return how many bytes the system holds: it makes room in large steps."""
    held = array("i", [0])
    with suppress(OSError):
        ioctl(transport.get_extra_info("socket").fileno(), TIOCOUTQ, held)
    return held[0]
