"""What one port has let in at the moment: its connections, and the bytes of unread bodies."""

from collections import Counter
from typing import Any, Protocol

from sanic import Request
from sanic.exceptions import ServiceUnavailable

from billing.doors.limits import Limits


class Visitor(Protocol):
    """A connection, as the door sees it."""

    network: str

    def waits_since(self) -> float | None:
        """Return when it began to wait for its client; None while we work for it."""

    def end(self) -> None:
        """Cut it at once."""


class Budget:
    """Bytes that all requests together may hold."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.used = 0

    def take(self, count: int) -> None:
        """Hold `count` more bytes. Raises ServiceUnavailable if they are not to be had."""
        if self.used + count > self.most_bytes:
            raise ServiceUnavailable("Too much arrives at once.", headers={"retry-after": "2"})
        self.used += count

    def give_back(self, count: int) -> None:
        """Hold `count` bytes no longer."""
        self.used -= count


class Door:
    """The connections of a port and its budgets."""

    def __init__(self, limits: Limits, *, proxies: int) -> None:
        self.limits = limits
        self.memory = Budget(limits.memory_bytes)
        self.disk = Budget(limits.disk_bytes)
        self._by_network = not proxies  # all connections come from the proxy's IP address
        self._open: set[Visitor] = set()
        self._networks: Counter[str] = Counter()

    def admit(self, visitor: Visitor) -> bool:
        """Count a connection; False if there are too many.

        Where there are too many, the one that has waited longest for its client makes room.
        """
        if self._by_network and self._networks[visitor.network] >= (
            self.limits.connections_of_network
        ):
            peers = [each for each in self._open if each.network == visitor.network]
            if not self._make_room(peers):
                return False
        if len(self._open) >= self.limits.connections and not self._make_room(list(self._open)):
            return False
        self._open.add(visitor)
        self._networks[visitor.network] += 1
        return True

    def leave(self, visitor: Visitor) -> None:
        """Count a connection no longer."""
        if visitor not in self._open:
            return
        self._open.remove(visitor)
        self._networks[visitor.network] -= 1
        if not self._networks[visitor.network]:
            del self._networks[visitor.network]

    def _make_room(self, among: list[Visitor]) -> bool:
        waiting = [(since, each) for each in among if (since := each.waits_since()) is not None]
        if not waiting:
            return False
        _, longest = min(waiting, key=lambda pair: pair[0])
        self.leave(longest)
        longest.end()
        return True


def door_of(request: Request[Any, Any]) -> Door:
    """Return the door that a request came through."""
    door: Door = request.app.ctx.door
    return door
