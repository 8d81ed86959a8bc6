"""Notices within two seconds that the database is away, and ends what waits for it.

A server that was stopped, or a network that swallows everything, lets a statement wait for ever;
a limit for each statement would end long ones that are well. So one connection asks a trifle all
the time: without an answer, every watched connection of this process is cut, and no new one is
given out until the database answers again.
"""

import contextlib
import logging
import os
import select
import socket
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, Self

import psycopg
import psycopg_pool
from psycopg.pq import ExecStatus

EVERY_SECONDS = 0.4
BOUND_SECONDS = 1.2  # for the answer to a trifle
AGAIN_SECONDS = 0.3
RECONNECT_SECONDS = 1.0  # then a pool waits until somebody asks, and tries at once

logger = logging.getLogger("billing.database")

_watched: "weakref.WeakSet[Watched | AsyncWatched]" = weakref.WeakSet()
_pools: "weakref.WeakSet[psycopg_pool.ConnectionPool[Any]]" = weakref.WeakSet()
_lock = threading.Lock()


class Watched(psycopg.Connection[Any]):
    """A connection that is cut when the database is away."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        with _lock:
            _watched.add(self)


class AsyncWatched(psycopg.AsyncConnection):
    """The same for an event loop."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        with _lock:
            _watched.add(self)


def watch_pool(pool: psycopg_pool.ConnectionPool[Any]) -> None:
    """Cut its connections when the database is away, and renew them when it answers again."""
    pool.connection_class = Watched
    pool.reconnect_timeout = RECONNECT_SECONDS
    with _lock:
        _pools.add(pool)


def renew_watched() -> None:
    """Replace the connections of watched pools: the first use of each then works."""
    with _lock:
        pools = list(_pools)
    for pool in pools:
        if not pool.closed:
            pool.drain()


def cut_watched() -> None:
    """Let every statement that waits fail at once: its connection's socket is shut, not freed."""
    with _lock:
        connections = list(_watched)
    for connection in connections:
        with contextlib.suppress(psycopg.Error, OSError):
            shut = socket.socket(fileno=os.dup(connection.pgconn.socket))
            with shut:
                shut.shutdown(socket.SHUT_RDWR)


class Pulse:
    """Whether the database answers, for the processes that people and senders wait for.

    `returned` is called, in a thread, when it answers again and before connections are given out.
    """

    def __init__(self, url: str, returned: Callable[[], object]) -> None:
        self._url = url
        self._returned = returned
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
        self.beats = True

    def start(self) -> Self:
        """Begin to ask."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End, within a moment."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(psycopg.Error, OSError):
                self._follow()
            if self._stopping.is_set():
                return
            if self.beats:
                logger.warning("the database is away")
                self.beats = False
            cut_watched()
            self._stopping.wait(AGAIN_SECONDS)

    def _follow(self) -> None:
        """Ask until there is no answer."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._stopping.is_set() and answers(connection, BOUND_SECONDS):
                if not self.beats:
                    logger.warning("the database answers again")
                    renew_watched()
                    self._returned()
                    self.beats = True
                # Nothing is said meanwhile but by a server that ends.
                _is_readable(connection.pgconn.socket, EVERY_SECONDS)
            if not self._stopping.is_set():
                connection.pgconn.finish()  # a polite end could wait for ever


def answers(connection: psycopg.Connection[Any], seconds: float) -> bool:
    """Whether the server answers a trifle within `seconds`. Raises what psycopg raises."""
    pgconn = connection.pgconn
    deadline = time.monotonic() + seconds
    pgconn.send_query(b"select 1")
    done = False
    while pgconn.flush() or not done:
        if not _is_readable(pgconn.socket, deadline - time.monotonic()):
            return False
        pgconn.consume_input()
        while not pgconn.is_busy():
            result = pgconn.get_result()
            if result is None:
                done = True
                break
            if result.status != ExecStatus.TUPLES_OK:
                return False
    return True


def _is_readable(number: int, seconds: float) -> bool:
    waiting = select.poll()
    waiting.register(number, select.POLLIN)
    return bool(waiting.poll(max(0.0, seconds) * 1000))
