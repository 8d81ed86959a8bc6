"""32 clients that post one record at a time to the real submission interface."""

import asyncio
import base64
import os
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

from tests.bench.installation import ACCOUNT, PASSWORD

CLIENTS = 32
PORT = 18_931


async def _client(lines: list[bytes], waits: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    secret = base64.b64encode(f"{ACCOUNT}:{PASSWORD}".encode())
    for line in lines:
        begin = time.perf_counter()
        writer.write(
            b"POST /v1/cdr HTTP/1.1\r\nHost: bench\r\nAuthorization: Basic %b\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (secret, len(line), line)
        )
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head)
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        waits.append(time.perf_counter() - begin)
    writer.close()


async def _post(lines: list[bytes]) -> tuple[float, list[float]]:
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", PORT)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            break
    await _client(lines[:1], [])  # argon2 verifies the password once
    waits: list[float] = []
    begin = time.perf_counter()
    await asyncio.gather(*(_client(lines[1 + n :: CLIENTS], waits) for n in range(CLIENTS)))
    return time.perf_counter() - begin, sorted(waits)


def post_singles(url: str, file: Path, count: int) -> tuple[float, list[float]]:
    """Return the seconds for `count` acknowledged records, and the sorted wait of each."""
    with file.open("rb") as source:
        lines = list(islice(source, count))
    environment = {**os.environ, "DATABASE_URL": url, "BILLING_CDR_PORT": str(PORT)}
    command = [sys.executable, "-m", "billing.jobs", "submission"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment) as server:  # noqa: S603 -- ourselves
        try:
            return asyncio.run(_post(lines))
        finally:
            server.terminate()
            server.wait(30)
