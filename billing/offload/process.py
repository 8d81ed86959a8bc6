"""Runs tasks in the child process, one at a time: each needs a few hundred megabytes."""

import asyncio
import sys
from asyncio.subprocess import PIPE

import msgspec

from billing.offload.tasks import Answer, Apply, Copy, Preview, Seed, Task, Undo
from billing.values import Refused


class Offload:
    """Runs the tasks of one database; a second task waits for the first."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._one = asyncio.Semaphore(1)

    async def run(self, request: Preview | Apply | Undo | Copy | Seed) -> Answer:
        """Run a task and return its answer. Raises Refused if the task is refused."""
        async with self._one:
            output = await _run(msgspec.json.encode(Task(self._url, request)))
        answer = msgspec.json.decode(output, type=Answer)
        if answer.refused:
            message, values = answer.refused
            raise Refused(message, **values)
        return answer


async def _run(task: bytes) -> bytes:
    command = (sys.executable, "-m", "billing.offload")
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    try:
        output, _ = await process.communicate(task)
    finally:
        if process.returncode is None:  # the caller was cancelled
            process.kill()
            await process.wait()
    if process.returncode:
        raise RuntimeError(f"The work on a deck ended with {process.returncode}.")
    return output
