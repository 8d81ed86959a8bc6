"""Asks the process: one at a time, as each needs a few hundred megabytes."""

import asyncio
import sys
from asyncio.subprocess import PIPE

import msgspec

from billing.offload.tasks import Answer, Apply, Copy, Preview, Seed, Task, Undo
from billing.values import Refused


class Offload:
    """What the pages of one database ask for; who comes second waits."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._one = asyncio.Semaphore(1)

    async def ask(self, asked: Preview | Apply | Undo | Copy | Seed) -> Answer:
        """Have it done. Raises what it is refused with."""
        async with self._one:
            told = await _run(msgspec.json.encode(Task(self._url, asked)))
        answer = msgspec.json.decode(told, type=Answer)
        if answer.refused:
            message, values = answer.refused
            raise Refused(message, **values)
        return answer


async def _run(task: bytes) -> bytes:
    command = (sys.executable, "-m", "billing.offload")
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    try:
        told, _ = await process.communicate(task)
    finally:
        if process.returncode is None:  # who asked has gone
            process.kill()
            await process.wait()
    if process.returncode:
        raise RuntimeError(f"The work on a deck ended with {process.returncode}.")
    return told
