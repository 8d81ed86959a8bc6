"""A port of the service: it answers from the first moment, with 503 until the database answers.

Then the application gets the same socket, so that no connection is refused in between.
"""

import asyncio
import logging
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg

from billing.config import Config
from billing.database import Unready, refuse_unless_ready
from billing.values import Refused

STOP_SECONDS = 3.0  # for running requests
AGAIN_SECONDS = 0.2
SAY_EVERY_SECONDS = 60.0
MOST_BYTES = 8 * 1024 * 1024  # of a body that is read before it is answered
PART_BYTES = 65_536  # of it in memory
VISIT_SECONDS = 5.0  # for a whole connection, however it arrives
MOST_VISITS = 100  # at a time: each has a thread
WAITS = "the service waits for its database\n"

logger = logging.getLogger("billing.jobs")


class NotYet(BaseHTTPRequestHandler):
    """Answers that the service runs and can't store or show anything yet."""

    timeout = VISIT_SECONDS

    def handle(self) -> None:
        """Answer one request; what has not arrived after VISIT_SECONDS is cut."""
        end = threading.Timer(VISIT_SECONDS, self._cut)
        end.start()
        try:
            with suppress(OSError):
                super().handle()
        finally:
            end.cancel()

    def _cut(self) -> None:
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def do_GET(self) -> None:
        """Answer 503; 200 to the check whether the process is alive."""
        alive = self.path.partition("?")[0] == "/healthz"
        self._answer(200 if alive else 503, b"ok\n" if alive else WAITS.encode())

    do_HEAD = do_GET  # noqa: N815 -- the library's names

    def do_POST(self) -> None:
        """Answer 503 after reading the body: many clients miss an answer that comes earlier."""
        length = self.headers.get("content-length", "0")
        left = int(length) if length.isascii() and length.isdigit() else MOST_BYTES + 1
        while 0 < left <= MOST_BYTES:
            part = self.rfile.read(min(left, PART_BYTES))
            left = left - len(part) if part else 0
        self._answer(503, WAITS.encode())

    do_PUT = do_DELETE = do_PATCH = do_POST  # noqa: N815 -- the library's names

    def _answer(self, status: int, text: bytes) -> None:
        with suppress(OSError):
            self.send_response(status)
            self.send_header("content-type", "text/plain; charset=utf-8")
            self.send_header("content-length", str(len(text)))
            self.send_header("retry-after", "2")
            self.send_header("connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """Log nothing: one line a request would fill the log."""


class Holder(ThreadingHTTPServer):
    """Has a thread for each connection, and no more than MOST_VISITS of them."""

    daemon_threads, block_on_close = True, False

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(("", 0), NotYet, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self._places = threading.BoundedSemaphore(MOST_VISITS)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread; close what is too much."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and give the place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()


def open_port(address: str, port: int) -> socket.socket:
    """Listen on an IP address and port. Refused if another program uses the port."""
    try:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return socket.create_server((address, port), family=family, backlog=100)
    except OSError as error:
        raise Refused(
            "The port %(port)s of %(address)s can't be used: %(why)s. End the program that uses"
            " it, or set %(name)s.",
            port=port,
            address=address,
            why=error.strerror or error,
            name="BILLING_WEB_PORT / BILLING_CDR_PORT",
        ) from error


@contextmanager
def _answering_503(listener: socket.socket) -> Iterator[None]:
    server = Holder(listener)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


def await_database(url: str) -> None:
    """Wait until the database is up to date. Refused if it was made by a newer program."""
    told_at = float("-inf")
    while True:
        try:
            refuse_unless_ready(url)
        except (psycopg.Error, Unready) as error:
            if time.monotonic() - told_at > SAY_EVERY_SECONDS:
                told_at = time.monotonic()
                said = (str(error).strip() or repr(error)).splitlines()[0]
                logger.info("waiting for the database: %s", said)
        else:
            return
        time.sleep(AGAIN_SECONDS)


def serve_application(make: Callable[[], Any], config: Config, port: int) -> None:
    """Wait for the database, then serve the application that `make` returns, until asked to stop.

    `make` imports it, and Sanic: that takes a second, and the port must answer earlier.
    """
    listener = open_port(config.bind_address, port)
    with _answering_503(listener):
        await_database(config.database_url)
        app = make()
        from billing.doors.connection import Connection  # noqa: PLC0415 -- as above
    app.config.GRACEFUL_SHUTDOWN_TIMEOUT = STOP_SECONDS
    app.before_server_stop(_ignore_further_signals)
    listener.setblocking(False)
    app.run(sock=listener, single_process=True, access_log=False, motd=False, protocol=Connection)


async def _ignore_further_signals(_: Any) -> None:
    """Ignore further signals: a service manager and a terminal signal every process of a group."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: None)
