"""The embedded PostgreSQL: found again after it was killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg

from billing.database import EmbeddedServer

STAY = """
import sys, time
from pathlib import Path
from billing.database import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]))
print(server.url, flush=True)
time.sleep(60)
"""


def test_a_killed_server_is_started_again_at_once(tmp_path: Path) -> None:
    with subprocess.Popen(  # noqa: S603 -- our own program
        [sys.executable, "-c", STAY, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as user:
        assert user.stdout
        assert user.stdout.readline().startswith("postgresql:")
        pid = int((tmp_path / "postgresql" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        user.kill()
    server = EmbeddedServer(tmp_path)
    with psycopg.connect(server.url) as connection:
        assert connection.execute("select 1").fetchall() == [(1,)]
    server.stop()
