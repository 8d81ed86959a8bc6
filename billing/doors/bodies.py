"""The body of a request, within bounds: what a route needs, and what there is room for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sanic import Request
from sanic.exceptions import PayloadTooLarge

from billing.doors.door import Budget, door_of


@asynccontextmanager
async def in_memory(request: Request[Any, Any], most_bytes: int) -> AsyncIterator[None]:
    """Have the whole body as `request.body` while this lasts.

    Raises PayloadTooLarge, before anything is read where the length is announced, and
    ServiceUnavailable where the bodies of all requests have no room for it.
    """
    budget, parts = door_of(request).memory, list[bytes]()
    held = 0
    try:
        async for part in arriving(request, most_bytes, budget):
            held += len(part)
            parts.append(part)
        request.body = b"".join(parts)
        parts.clear()
        yield
    finally:
        budget.give_back(held)


async def arriving(
    request: Request[Any, Any], most_bytes: int, budget: Budget
) -> AsyncIterator[bytes]:
    """Yield the body as it arrives. Each part was taken from the budget: give it back.

    Raises PayloadTooLarge and ServiceUnavailable.
    """
    stream: Any = request.stream
    if not stream.request_body:
        return
    if stream.request_bytes > most_bytes:
        raise PayloadTooLarge("The body is too large.")
    stream.request_max_size = most_bytes
    async for part in stream:
        budget.take(len(part))
        yield part
