"""given(events).when(decision, ...).then(events): how every aggregate is tested."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from billing.aggregates.event import Event
from billing.values import Refused


class Given:
    """The past of a stream, to decide on."""

    def __init__(self, aggregate: ModuleType, past: tuple[Event, ...]) -> None:
        self.state: Any = None
        for event in past:
            self.state = aggregate.evolve(self.state, event)
        self._decide: Callable[[], list[Event]] = list

    def when(self, decision: Callable[..., list[Event]], *args: Any, **kwargs: Any) -> "Given":
        """Decide on that past."""
        self._decide = lambda: decision(self.state, *args, **kwargs)
        return self

    def then(self, *expected: Event) -> None:
        """Check that exactly these events were decided."""
        assert self._decide() == list(expected)

    def then_refused(self, message: str) -> None:
        """Check that it refused with this message."""
        with pytest.raises(Refused, match=message):
            self._decide()


def given(aggregate: ModuleType, *past: Event) -> Given:
    """Return the past of a stream of this aggregate."""
    return Given(aggregate, past)
