"""The embedded PostgreSQL, killed and damaged in every way; connections while it is away."""

import asyncio
import os
import pwd
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from billing.database import Database, places
from billing.database.address import in_words, psql_environment, steady
from billing.database.cluster import HBA
from billing.database.embedded import EmbeddedServer
from billing.database.processes import processes_of
from billing.values import Refused
from tests.embedded import copied, made_once, modes, open_folder, server_pid, until

STAY = """
import sys, time
from pathlib import Path
from billing.database.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]))
print(server.url, flush=True)
time.sleep(600)
"""
IS_ROOT = os.geteuid() == 0
FOREIGN = "FOREIGN"  # stands for the id of a foreign process


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    with made_once() as data_dir:
        yield data_dir


@pytest.fixture
def data_dir(made: Path) -> Iterator[Path]:
    with open_folder() as folder:
        yield copied(made, folder / "data")


@pytest.fixture
def foreign() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["/bin/sleep", "600"]) as sleeping:
        yield sleeping
        sleeping.kill()


def works(server: EmbeddedServer) -> bool:
    with psycopg.connect(server.url) as connection:
        return connection.execute("select 1").fetchall() == [(1,)]


def left_running(data_dir: Path) -> int:
    """Start a server whose user is killed; return its process id."""
    with subprocess.Popen(  # noqa: S603 -- our own program
        [sys.executable, "-c", STAY, str(data_dir)], stdout=subprocess.PIPE, text=True
    ) as user:
        assert user.stdout
        assert user.stdout.readline().startswith("postgresql:")
        user.kill()
    return server_pid(data_dir)


def test_a_server_that_was_left_running_is_taken_over_and_a_killed_one_replaced(
    data_dir: Path,
) -> None:
    pid = left_running(data_dir)
    server = EmbeddedServer(data_dir)
    assert server.pid == pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: not server.is_alive())
    assert server.ensure()
    server.wait()
    assert works(server)
    assert server.pid != pid
    server.stop()
    assert not processes_of((data_dir / "postgresql").resolve(), places.find_place(data_dir).uid)


@pytest.mark.parametrize("text", ["", "\n", "12", "not a number\n/x\n", "-1\n", "0\n", FOREIGN])
def test_a_lock_file_of_a_dead_server_is_cleared_and_nobody_else_is_signalled(
    data_dir: Path, foreign: subprocess.Popen[bytes], text: str
) -> None:
    data = data_dir / "postgresql"
    if text == FOREIGN:
        text = f"{foreign.pid}\n{data}\n1700000000\n5432\n{data}\n\n  5432001 0\nready\n"
    for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
        (data / name).write_text(text)
    server = EmbeddedServer(data_dir)
    assert works(server)
    server.stop()
    assert foreign.poll() is None


@pytest.mark.parametrize("text", ["", "7", FOREIGN])
def test_a_running_server_whose_file_is_torn_is_replaced(
    data_dir: Path, foreign: subprocess.Popen[bytes], text: str
) -> None:
    pid = left_running(data_dir)
    (data_dir / "postgresql" / "postmaster.pid").write_text(text.replace(FOREIGN, str(foreign.pid)))
    server = EmbeddedServer(data_dir)
    assert works(server)
    assert server.pid != pid
    server.stop()
    assert foreign.poll() is None


def test_backends_without_a_server_are_ended(data_dir: Path) -> None:
    pid = left_running(data_dir)
    backends = psutil.Process(pid).children()
    for backend in backends:
        backend.suspend()  # so it does not notice that its server is dead
    os.kill(pid, signal.SIGKILL)
    server = EmbeddedServer(data_dir)
    assert works(server)
    server.stop()
    assert not any(backend.is_running() for backend in backends)


def test_the_last_user_stops_the_server(data_dir: Path) -> None:
    one, other = EmbeddedServer(data_dir), EmbeddedServer(data_dir)
    one.stop()
    assert works(other)
    other.stop()
    assert not other.is_alive()


def test_a_database_of_the_first_version_lets_in_nobody_else_any_more(data_dir: Path) -> None:
    data = data_dir / "postgresql"
    (data / "pg_hba.conf").write_text("local all all trust\n")
    server = EmbeddedServer(data_dir)
    with psycopg.connect(server.url) as connection:
        rows = connection.execute("select distinct type, auth_method from pg_hba_file_rules")
        assert rows.fetchall() == [("local", "peer")]
    assert (data / "pg_hba.conf").read_text() == HBA
    if IS_ROOT:
        place = places.find_place(data_dir)
        assert server.pid
        assert psutil.Process(server.pid).uids().real == place.uid != 0
        done = subprocess.run(  # noqa: S603 -- our own program
            [place.programs / "psql", server.url, "-c", "select 1"],
            user="nobody",
            check=False,
            capture_output=True,
        )
        assert done.returncode
    server.stop()


def test_a_long_path_gets_a_socket_elsewhere_that_is_ours_alone(made: Path) -> None:
    with open_folder() as folder:
        long = folder / ("long" * 20) / ("path" * 15)
        long.parent.mkdir()
        long.parent.chmod(0o711)
        data_dir = copied(made, long)
        before = modes(data_dir.parent)
        server = EmbeddedServer(data_dir)
        assert works(server)
        sockets = places.find_place(data_dir).sockets
        assert len(os.fsencode(sockets)) <= places.LONGEST_SOCKET
        assert places.is_private(sockets, places.find_place(data_dir).uid)
        server.stop()
        assert modes(data_dir.parent) == before
        if IS_ROOT:
            os.chown(sockets, pwd.getpwnam("nobody").pw_uid, -1)
            with pytest.raises(Refused, match="ours alone"):
                EmbeddedServer(data_dir)
        sockets.rmdir()


@pytest.mark.skipif(not IS_ROOT, reason="only root's server runs as another user")
def test_what_the_servers_user_cannot_reach_lies_elsewhere_and_no_folder_is_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with open_folder() as folder:
        monkeypatch.setattr(places, "STATE", folder / "state")
        closed = folder / "closed"
        closed.mkdir(mode=0o700)
        (closed / "data").mkdir(mode=0o700)
        before = modes(closed / "data")
        server = EmbeddedServer(closed / "data")
        assert works(server)
        assert server_pid(closed / "data") == server.pid
        server.stop()
        again = EmbeddedServer(closed / "data")
        assert works(again)
        again.stop()
        assert modes(closed / "data") == before
        programs = places._programs()  # noqa: SLF001 -- there is no public function for the copy
        monkeypatch.setattr(places, "can_reach", lambda *_: False)
        copy = places._reachable_programs(programs, places.USER)  # noqa: SLF001
        assert copy.is_relative_to(folder / "state")
        done = subprocess.run(  # noqa: S603 -- our own program
            [copy / "psql", "--version"], user=places.USER, check=True, capture_output=True
        )
        assert b" 18" in done.stdout


def test_an_unfit_folder_is_refused_in_words(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for folder in (file, file / "data"):
        with pytest.raises(Refused, match="BILLING_DATA_DIR"):
            EmbeddedServer(folder)
    with open_folder() as folder:
        data = folder / "data" / "postgresql"
        data.mkdir(parents=True)
        (data / "PG_VERSION").write_text("16\n")
        with pytest.raises(Refused, match="PostgreSQL 16, and this program brings 18"):
            EmbeddedServer(folder / "data")
        (data / "PG_VERSION").write_text("18\n")
        with pytest.raises(Refused, match="incomplete"):
            EmbeddedServer(folder / "data")
        (data / "PG_VERSION").rename(data / "something")
        with pytest.raises(Refused, match="not empty"):
            EmbeddedServer(folder / "data")


def test_connections_of_a_pool_work_after_a_restart_and_none_waits_meanwhile(
    data_dir: Path,
) -> None:
    server = EmbeddedServer(data_dir)
    asyncio.run(use_pool(server))
    server.stop()


async def use_pool(server: EmbeddedServer) -> None:
    pool = await Database(steady(server.url)).open_async()

    async def ask(sleep: float = 0.1) -> None:
        async with pool.connection() as connection:
            await connection.execute("select pg_sleep(%s)", (sleep,))

    async def ask_three() -> None:
        await asyncio.gather(*(ask() for _ in range(3)))

    await ask_three()
    os.kill(server.pid, signal.SIGKILL)
    await asyncio.to_thread(until, lambda: not server.is_alive())
    await asyncio.to_thread(server.ensure)
    await asyncio.to_thread(server.wait)
    await until_beats(pool, beats=True)
    await ask_three()
    waiting = asyncio.create_task(ask(600.0))
    await asyncio.sleep(0.5)
    processes = processes_of(places.find_place(data_dir_of(server)).data, 0)
    for process in processes:
        process.suspend()
    with pytest.raises(psycopg.OperationalError):
        await asyncio.wait_for(waiting, 60)
    with pytest.raises(psycopg.OperationalError):
        await asyncio.wait_for(ask(), 60)
    for process in processes:
        process.resume()
    await until_beats(pool, beats=True)
    await ask_three()
    await pool.close()


def data_dir_of(server: EmbeddedServer) -> Path:
    return Path(psutil.Process(server.pid).cwd()).parent


async def until_beats(pool: object, *, beats: bool) -> None:
    await asyncio.to_thread(until, lambda: pool.pulse.beats is beats)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "url",
    [
        "postgres//user:geheim@host/db",
        "postgresql://user:gehe@im@host/db",
        "postgresql://user:geheim@host:port/db",
        "postgresql://user:geheim@host:99999/db",
        "postgresql://user:ge/heim@host/db",
        "postgresql://user:geheim@host/db?nothing=1",
        "geheim",
        "host=h password='geheim",
    ],
)
def test_a_wrong_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(Refused, match="DATABASE_URL can't be understood") as refused:
        steady(url)
    assert not any(part in str(refused.value) for part in ("geheim", "heim", "user:"))


def test_a_database_that_is_not_there_is_told_of_in_one_line_without_the_password() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    url = steady(f"postgresql://marta:geheim@127.0.0.1:{port}/calls")
    with pytest.raises(psycopg.OperationalError) as raised:
        psycopg.connect(url)
    told = str(in_words(url, raised.value))
    assert f"127.0.0.1:{port}" in told
    assert "DATABASE_URL" in told
    assert "geheim" not in told
    assert "\n" not in told


def test_psql_gets_the_password_where_nobody_else_reads_it() -> None:
    told, environment = psql_environment("postgresql://marta:geheim@host/calls", {"LANG": "C"})
    assert "geheim" not in told
    assert environment == {"LANG": "C", "PGPASSWORD": "geheim"}
