"""Detect within two seconds that the database is away, and end the statements that wait for it.

If a server is stopped or a network drops every packet, a statement waits without end; a timeout for
each statement would also end long ones that are fine. Therefore one connection sends small queries
all the time. Without an answer, every watched connection of this process is cut, and none is given
out until the database answers again.
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
LOST_SECONDS = 3.0  # for the same answer, where ending is the only help
AGAIN_SECONDS = 0.3
RECONNECT_SECONDS = 1.0  # then a pool waits until a connection is requested, and tries at once

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
    """A connection of an event loop that is cut when the database is away."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        with _lock:
            _watched.add(self)


def watch_pool(pool: psycopg_pool.ConnectionPool[Any]) -> None:
    """Cut a pool's connections when the database is away; replace them when it answers again."""
    pool.connection_class = Watched
    pool.reconnect_timeout = RECONNECT_SECONDS
    with _lock:
        _pools.add(pool)


def renew_watched() -> None:
    """Replace the connections of watched pools, so that the first use of each works."""
    with _lock:
        pools = list(_pools)
    for pool in pools:
        if not pool.closed:
            pool.drain()


def cut_watched() -> None:
    """Make every waiting statement fail at once: shut its socket down, without closing it."""
    with _lock:
        connections = list(_watched)
    for connection in connections:
        with contextlib.suppress(psycopg.Error, OSError):
            shut = socket.socket(fileno=os.dup(connection.pgconn.socket))
            with shut:
                shut.shutdown(socket.SHUT_RDWR)


class Pulse:
    """Watches whether the database answers, for processes that answer requests.

    When it answers again, `returned` is called in a thread before connections are given out; while
    it does not, `lost` is called repeatedly.
    """

    def __init__(
        self, url: str, returned: Callable[[], object], lost: Callable[[], object]
    ) -> None:
        self._url = url
        self._returned = returned
        self._lost = lost
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
        self.beats = True

    def start(self) -> Self:
        """Start to watch."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop; returns within a moment."""
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
            self._lost()
            self._stopping.wait(AGAIN_SECONDS)

    def _follow(self) -> None:
        """Query repeatedly until there is no answer."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._stopping.is_set() and answers(connection, BOUND_SECONDS):
                if not self.beats:
                    logger.warning("the database answers again")
                    renew_watched()
                    self._returned()
                    self.beats = True
                # Between the queries only a server that ends sends anything.
                _is_readable(connection.pgconn.socket, EVERY_SECONDS)
            if not self._stopping.is_set():
                connection.pgconn.finish()  # an orderly close could wait without end


def end_when_lost(url: str) -> None:
    """From now on end this process, as a kill does, when the database does not answer.

    For processes that nobody waits for: what is started again waits until the database is there. A
    connection may stay half open, and a wait for its answer would never end.
    """
    threading.Thread(target=_end_when_lost, args=(url,), name="pulse", daemon=True).start()


def _end_when_lost(url: str) -> None:
    with contextlib.suppress(psycopg.Error, OSError):
        connection = psycopg.connect(url, autocommit=True)
        while answers(connection, LOST_SECONDS):
            time.sleep(EVERY_SECONDS)
    logger.warning("the database is away")
    os._exit(1)


def answers(connection: psycopg.Connection[Any], seconds: float) -> bool:
    """Return whether the server answers a small query within `seconds`. Raises psycopg errors."""
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
