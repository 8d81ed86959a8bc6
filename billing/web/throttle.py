"""Slows down guessing: a bucket of attempts for each account and each address."""

from math import ceil

MOST_BUCKETS = 20_000  # a bound on memory; the oldest are forgotten first


class Throttle:
    """Token buckets in memory: `burst` attempts at once, then one every `every_seconds`."""

    def __init__(self, burst: int, every_seconds: float) -> None:
        self._burst = burst
        self._every = every_seconds
        self._buckets: dict[str, tuple[float, float]] = {}  # key -> attempts left, as of when

    def wait_seconds(self, key: str, now: float) -> int:
        """0 when an attempt is admitted (and counted), else how long to wait."""
        left, since = self._buckets.pop(key, (float(self._burst), now))
        left = min(self._burst, left + (now - since) / self._every)
        admitted = left >= 1
        self._buckets[key] = (left - 1 if admitted else left, now)
        if len(self._buckets) > MOST_BUCKETS:
            del self._buckets[next(iter(self._buckets))]
        return 0 if admitted else ceil((1 - left) * self._every)

    def forget(self, key: str) -> None:
        """Start afresh, after a success."""
        self._buckets.pop(key, None)
