"""`billing serve`, started again when it ends, as systemd does it; and what runs below it."""

import contextlib
import http.client
import subprocess
import threading
import time
from pathlib import Path

import psutil
import psycopg

from billing.database.processes import server_of
from billing.jobs.jobs import JOBS
from billing.log.positions import head, is_shown
from tests.drills.home import BILLING, Home

RESTART_SECONDS = 0.5
STOP_SECONDS = 60.0
LOOK_SECONDS = 0.05
ANSWER_SECONDS = 3.0  # for a page


class Service:
    """A running service and its supervisor."""

    def __init__(self, home: Home, log: Path, extra: dict[str, str] | None = None) -> None:
        self.home = home
        self._environment = {**home.environment, **(extra or {})}
        self._log = log
        self._stopping = threading.Event()
        self._turn = threading.Lock()
        self.process = self._start()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 -- ourselves
                [*BILLING, "serve"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _watch(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            if self.process.poll() is not None and not self._stopping.wait(RESTART_SECONDS):
                with self._turn:
                    if not self._stopping.is_set():
                        self.process = self._start()

    def jobs(self) -> dict[str, psutil.Process]:
        """Its running processes, by job."""
        found = {}
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(self.process.pid).children():
                words = child.cmdline()
                if words[-2:-1] == ["billing.jobs"] and words[-1] in JOBS:
                    found[words[-1]] = child
        return found

    def server(self) -> psutil.Process | None:
        """The embedded server."""
        data = (self.home.folder / "postgresql").resolve()
        return server_of(data, data.stat().st_uid) if data.exists() else None

    def stop(self) -> int:
        """End it in order; its exit code. It is made to end if it takes a minute."""
        with self._turn:
            self._stopping.set()
        self._thread.join()
        self.process.terminate()
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def page_answers(home: Home) -> bool:
    """Whether the list of calls is shown to a program, with figures from the database."""
    connection = http.client.HTTPConnection("127.0.0.1", home.web, timeout=ANSWER_SECONDS)
    try:
        headers = {"authorization": f"Bearer {home.token}"}
        connection.request("GET", "/api/v1/calls?limit=1", headers=headers)
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return response.status == http.HTTPStatus.OK


def until_page(home: Home, after: float, patience: float) -> float | None:
    """The seconds from `after` until a page requested since then was answered."""
    while time.monotonic() < after + patience:
        if page_answers(home):
            return time.monotonic() - after
        time.sleep(LOOK_SECONDS)
    return None


def until_shown(home: Home, after: float, patience: float) -> float | None:
    """The seconds from `after` until all that is in the log now is in every read model."""
    position: int | None = None
    while time.monotonic() < after + patience:
        with contextlib.suppress(psycopg.Error), home.connect() as connection:
            position = position or head(connection)
            while time.monotonic() < after + patience:
                if is_shown(connection, position):
                    return time.monotonic() - after
                time.sleep(LOOK_SECONDS)
        time.sleep(LOOK_SECONDS)
    return None
