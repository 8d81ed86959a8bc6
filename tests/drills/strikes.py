"""What is done to a service: a process, all of them, or its database is killed.

Only processes below the service that a drill started, and the server of its folder, are signalled.
"""

import contextlib
import random
import signal
from collections.abc import Callable, Iterable

import psutil

from billing.jobs.jobs import JOBS
from tests.drills.service import Service


def _send(number: int, processes: Iterable[psutil.Process | None]) -> bool:
    """Signal them at once; whether there was any."""
    sent = False
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process:
                process.send_signal(number)
                sent = True
    return sent


def _parent(service: Service) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return [psutil.Process(service.process.pid)]
    return []


def _below(process: psutil.Process | None) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.children(recursive=True) if process else []
    return []


def kill_job(name: str) -> Callable[[Service, random.Random], bool]:
    """Kill the process of a job."""
    return lambda service, _: _send(signal.SIGKILL, [service.jobs().get(name)])


def kill_parent(service: Service, _: random.Random) -> bool:
    """Kill `billing serve` itself; its children notice."""
    return _send(signal.SIGKILL, _parent(service))


def kill_service(service: Service, _: random.Random) -> bool:
    """Kill `billing serve` and its jobs, not the database."""
    return _send(signal.SIGKILL, [*_parent(service), *service.jobs().values()])


def kill_all(service: Service, _: random.Random) -> bool:
    """Kill everything that runs, as a power cut does, but for what the system has in memory."""
    server = service.server()
    jobs = service.jobs().values()
    return _send(signal.SIGKILL, [*_parent(service), *jobs, server, *_below(server)])


def kill_backend(service: Service, choose: random.Random) -> bool:
    """Kill a process of the database: of a connection, or one that works in the background."""
    backends = _below(service.server())
    return bool(backends) and _send(signal.SIGKILL, [choose.choice(backends)])


def end_server(number: int) -> Callable[[Service, random.Random], bool]:
    """Signal the database's main process."""
    return lambda service, _: _send(number, [service.server()])


Strike = Callable[[Service, random.Random], bool]  # False: there was nothing to strike

KILLS: dict[str, Strike] = {
    **{f"kill {name}": kill_job(name) for name in JOBS},
    "kill serve": kill_parent,
    "kill serve and its jobs": kill_service,
    "kill everything": kill_all,
    "kill a backend": kill_backend,
}
SERVER_DEATHS: dict[str, Strike] = {
    "kill the database": end_server(signal.SIGKILL),
    "stop the database at once": end_server(signal.SIGQUIT),
    "stop the database in order": end_server(signal.SIGINT),
}
SELDOM = ("kill serve", "kill serve and its jobs", "kill everything")  # the others twice as often
