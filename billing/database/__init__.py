"""The database: the embedded PostgreSQL or an external one, its migrations and pools."""

import asyncio
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import psycopg_pool

from billing.database.pulse import RECONNECT_SECONDS, AsyncWatched, Pulse
from billing.values import Refused

logger = logging.getLogger("billing.database")

PACKAGE = Path(__file__).parent.parent
POOL_SECONDS = 30.0  # wait for a connection when all are in use
LOOK_SECONDS = 0.5
BOUNDED = "set statement_timeout = '60s'; set synchronous_commit = local"
LEAST_SERVER = 150_000  # as PostgreSQL numbers its versions: 15.0
TELL_SECONDS = 60.0
LOCK = 0x6D696772  # one migration run at a time

Configure = Callable[[psycopg.AsyncConnection], Awaitable[None]]
_told = {"at": float("-inf")}


def migrations_folder() -> Path:
    """Return the folder of SQL files: next to the package in a checkout, inside it if installed."""
    inside = PACKAGE / "migrations"
    return inside if inside.exists() else PACKAGE.parent / "migrations"


def _nothing() -> None:
    """Do nothing: nobody listens."""


def _bounded(configure: Configure | None) -> Configure:
    """Return what prepares a connection: its statements are bounded, and wait for no standby.

    What is written through a pool is no part of the log: sessions, attempts, tasks, notes of
    submissions. `configure` may change that afterwards.
    """

    async def prepare(connection: psycopg.AsyncConnection[Any]) -> None:
        await connection.execute(BOUNDED)
        if configure:
            await configure(connection)

    return prepare


class Pool(psycopg_pool.AsyncConnectionPool):
    """A pool that gives out working connections only, and none while the database is away."""

    def __init__(self, url: str, configure: Configure | None = None, **options: Any) -> None:
        self.pulse = Pulse(url, self._renew, self._tell_lost)
        self.when_lost: Callable[[], object] = _nothing  # called in the loop, again and again
        self._loop = asyncio.get_running_loop()
        super().__init__(
            url,
            connection_class=AsyncWatched,
            min_size=1,
            max_size=8,
            open=False,
            kwargs={"autocommit": True, "prepare_threshold": None, **options},
            configure=_bounded(configure),
            check=self.check_connection,
            reconnect_timeout=RECONNECT_SECONDS,
        )

    async def getconn(  # the library's arguments
        self,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> psycopg.AsyncConnection:
        """Return a connection. Raises OperationalError at once while the database is away."""
        patience = POOL_SECONDS if timeout is None else timeout
        deadline = time.monotonic() + patience
        while self.pulse.beats:
            left = deadline - time.monotonic()
            try:
                return await super().getconn(min(LOOK_SECONDS, max(left, 0.01)))
            except psycopg_pool.PoolTimeout:
                if left <= LOOK_SECONDS:
                    raise
        raise psycopg.OperationalError("the database is away")

    def _tell_lost(self) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self.when_lost)

    def _renew(self) -> None:
        asyncio.run_coroutine_threadsafe(self.drain(), self._loop)

    async def close(self, timeout: float = 2.0) -> None:  # noqa: ASYNC109 -- the pool's own
        """Close the connections."""
        self.pulse.stop()
        await super().close(timeout)


class Database:
    """A migrated database, by its URL."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def open_async(
        self, configure: Configure | None = None, **options: Any
    ) -> psycopg_pool.AsyncConnectionPool:
        """Open a pool for pages; its connections are read-only unless a page changes that.

        Every query is planned for its values. Prepared statements get a generic plan after a while,
        with which the statistics of a company took 140 ms instead of 65. `configure` prepares each
        new connection: it limits the time of its statements (limits.py).
        """
        pool = Pool(self.url, configure, **options)
        await pool.open(wait=True)
        pool.pulse.start()
        return pool

    def connect(self) -> psycopg.Connection:
        """Open a connection in autocommit."""
        return psycopg.connect(self.url, autocommit=True)


def migrations() -> dict[str, str]:
    """Return the SQL of each migration of this program, by name."""
    return {path.stem: path.read_text() for path in sorted(migrations_folder().glob("*.sql"))}


def pending(url: str) -> list[str]:
    """Return the migrations that a database in use lacks; an empty database returns none.

    Refused if the database was made by a newer program.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute("select to_regclass('migrations')").fetchone()
        if not row or not row[0]:
            return []
        done = {name for (name,) in connection.execute("select name from migrations")}
    _refuse_newer(done)
    return sorted(set(migrations()) - done)


def _refuse_newer(done: Collection[str]) -> None:
    if unknown := sorted(set(done) - set(migrations())):
        raise Refused("The database is newer than this program (%(name)s).", name=unknown[-1])


class Unready(Exception):  # noqa: N818 -- a state to wait in, not an error
    """The database answers and lacks something this program needs."""


def refuse_unfit(connection: psycopg.Connection[Any]) -> None:
    """Refuse a server that is too old or may lose what it has acknowledged."""
    if connection.info.server_version < LEAST_SERVER:
        raise Refused(
            "The server is PostgreSQL %(theirs)s. Install PostgreSQL %(least)s or newer.",
            theirs=connection.info.parameter_status("server_version") or "?",
            least=LEAST_SERVER // 10_000,
        )
    for name in ("fsync", "full_page_writes"):
        if connection.execute(f"show {name}".encode()).fetchone() != ("on",):
            raise Refused(
                "The server runs with %(name)s=off and would lose acknowledged calls when it fails."
                " Set %(name)s=on in its postgresql.conf and restart it.",
                name=name,
            )


def refuse_unless_ready(url: str) -> None:
    """Raise Unready during a migration or restore.

    Refused if the database is newer, or the server unfit.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        refuse_unfit(connection)
        if half_restored(connection):
            raise Unready("it is half restored")
        row = connection.execute("select to_regclass('migrations')").fetchone()
        done = set[str]()
        if row and row[0]:
            done = {name for (name,) in connection.execute("select name from migrations")}
    _refuse_newer(done)
    if missing := sorted(set(migrations()) - done):
        raise Unready(f"it is not brought up to date yet ({missing[0]})")


def is_away(error: BaseException | None) -> bool:
    """Return whether an error means that the database is away, and not that something is wrong."""
    away = psycopg.OperationalError, psycopg.InterfaceError
    return isinstance(error, away) or isinstance(getattr(error, "__cause__", None), away)


def tell_away(error: BaseException) -> None:
    """Log that the database is away: at most one line a minute."""
    now = time.monotonic()
    if now - _told["at"] >= TELL_SECONDS:
        _told["at"] = now
        why = (str(error).strip() or repr(error)).splitlines()[0]
        logger.error("the database is away: %s", why)


def half_restored(connection: psycopg.Connection) -> str:
    """Return the backup of an unfinished restore; "" if there is none."""
    row = connection.execute("select to_regclass('restoring')").fetchone()
    if not row or not row[0]:
        return ""
    row = connection.execute("select file from restoring").fetchone()
    return row[0] if row else "?"


def migrate(url: str, only: Collection[str] | None = None) -> list[str]:
    """Apply the missing migrations, each in a transaction; return the applied names.

    Refused if the server is unfit, the database was made by a newer program, an applied file was
    edited, or a restore is unfinished. A restore itself applies `only` the migrations of its backup
    first.
    """
    files = migrations()
    applied = []
    with psycopg.connect(url, autocommit=True) as connection:
        refuse_unfit(connection)
        connection.execute("select pg_advisory_lock(%s)", (LOCK,))
        if only is None and (file := half_restored(connection)):
            raise Refused(
                "The database is only partly restored. Run `billing restore %(file)s` again.",
                file=file,
            )
        connection.execute(
            "create table if not exists migrations (name text primary key, sha256 text not null,"
            " applied_at timestamptz not null default now())"
        )
        done: dict[str, str] = dict(
            connection.execute("select name, sha256 from migrations").fetchall()
        )
        _refuse_newer(done)
        for name, sql in files.items():
            digest = hashlib.sha256(sql.encode()).hexdigest()
            if name in done:
                if done[name] != digest:
                    raise Refused("The migration %(name)s was edited after its use.", name=name)
                continue
            if only is not None and name not in only:
                continue
            with connection.transaction():
                connection.execute(sql.encode())
                connection.execute(
                    "insert into migrations (name, sha256) values (%s, %s)", (name, digest)
                )
            applied.append(name)
    return applied
