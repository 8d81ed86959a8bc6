"""What rating must know, folded from the log: accounts, devices, prices, number plans.

Kept in memory by whoever rates calls, and brought up to date before each batch by one query
that reads only the events that are not calls.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from billing.aggregates import account, company, device, gateway_account, number_plan, rate_group
from billing.aggregates import user_account as users
from billing.aggregates.event import Event
from billing.rating.context import (
    AccountProfile,
    Assignment,
    CompanyProfile,
    DeviceProfile,
    RatingContext,
)
from billing.rating.plan import NumberPlan
from billing.rating.rates import RateGroup
from billing.store import Store
from billing.values import Refused

CHUNK = 5_000


class Catalogue:
    """The rating context as of a log position. Not thread-safe: one owner refreshes and reads."""

    def __init__(self) -> None:
        self.position = 0
        self.context = RatingContext()
        self._devices: dict[str, DeviceProfile] = {}
        self._formats: dict[str, device.DeviceRegistered] = {}

    def device(self, device_id: str) -> DeviceProfile:
        """The profile of a device. Refused if there is none."""
        if device_id not in self._devices:
            raise Refused("There is no device %(device)s.", device=device_id)
        return self._devices[device_id]

    def registration(self, device_id: str) -> device.DeviceRegistered:
        """How the records of a device are to be read. Refused if there is none."""
        if device_id not in self._formats:
            raise Refused("There is no device %(device)s.", device=device_id)
        return self._formats[device_id]

    def refresh(self, store: Store) -> None:
        """Take in what changed since the last time."""
        while events := store.after_without_calls(self.position, CHUNK):
            for recorded in events:
                handle = _HANDLERS.get(type(recorded.event))
                if handle:
                    handle(self, recorded.stream, recorded.event)
                self.position = recorded.position
