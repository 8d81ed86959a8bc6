"""The export of 1,000,000 calls by the pages' own process, in the background."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec

from billing.database.embedded import EmbeddedServer
from tests.bench import filling
from tests.bench.filling import LAST, MONTHS
from tests.bench.installation import database
from tests.web import serving

CALLS = int(os.environ.get("BENCH_EXPORT", "1000000"))
PERIOD = f"from={MONTHS[0]}&to={LAST}"
KINDS = ("xlsx", "csv")


class Exported(msgspec.Struct, frozen=True):
    """The seconds to make a file, its size, and the peak memory of the process."""

    seconds: float
    rows: int
    file_megabytes: float
    peak_megabytes: float


def export(url: str, folder: Path) -> dict[str, Exported]:
    """Fill a database and export all its calls, each format by a new process."""
    filling.fill(url, CALLS)
    serving.add_administrator(url)
    found = {}
    for kind in KINDS:
        with pages(url, folder) as (process, address):
            headers = {"origin": address, "accept-language": "en"}
            with httpx.Client(base_url=address, headers=headers, timeout=300) as client:
                client.post("/sign-in", data={"name": "marta", "password": serving.PASSWORD})
                begin = time.perf_counter()
                size = take(client, f"/calls/export.{kind}?{PERIOD}", folder / f"calls.{kind}")
                seconds = time.perf_counter() - begin
            found[kind] = Exported(seconds, CALLS, size / 1e6, peak(process.pid))
    return found


@contextmanager
def pages(url: str, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run the job of the pages as `billing serve` starts it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "BILLING_DATA_DIR": str(folder),
        "BILLING_WEB_PORT": str(port),
    }
    command = [sys.executable, "-m", "billing.jobs", "web"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)  # noqa: S603 -- ourselves
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{address}/sign-in")
        yield process, address
    finally:
        process.terminate()
        process.wait(20)


def _wait_for(address: str) -> None:
    for _ in range(200):
        try:
            if httpx.get(address).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"{address} does not answer.")


def take(client: httpx.Client, address: str, path: Path) -> int:
    """Request a file, wait until it is made, and return its bytes."""
    with client.stream("GET", address) as answer:
        if answer.status_code == httpx.codes.OK:
            return _save(answer, path)
        place = answer.headers["location"]
    while "is being created" in client.get(place).text:
        time.sleep(0.25)
    with client.stream("GET", f"{place}/file") as answer:
        answer.raise_for_status()
        return _save(answer, path)


def _save(answer: httpx.Response, path: Path) -> int:
    with path.open("wb") as file:
        for chunk in answer.iter_bytes():
            file.write(chunk)
    return path.stat().st_size


def peak(pid: int) -> float:
    """Return the peak memory of a process, as Linux counts it."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def main() -> int:
    """Take this measurement alone: python -m tests.bench.exporting."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o711)  # started by root, the server runs as another user
        folder = Path(place)
        server = EmbeddedServer(folder / "data")
        with database(server.url, "bench_exports") as url:
            for kind, made in export(url, folder).items():
                print(f"{kind}: {made}")
        server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
