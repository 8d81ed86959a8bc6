"""The catalogue of rating, kept up to date for the pages that test calls and numbers."""

import threading
from datetime import datetime

from billing.commands.catalogue import Catalogue
from billing.log.store import Store
from billing.rating.cdr import Cdr
from billing.rating.chain import rate_cdr
from billing.rating.context import Rating
from billing.rating.dialled import try_prefixes
from billing.rating.number_plan import NumberPlan
from billing.rating.numbers import RoutePrefix


class Knowledge:
    """One catalogue for all requests; every use first reads new events. Blocks."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._catalogue = Catalogue()
        self._lock = threading.Lock()

    def rate(self, cdr: Cdr, device_id: str) -> Rating:
        """Return what a record would mean and cost now. Refused for an unknown device."""
        with self._lock:
            self._catalogue.refresh(self._store)
            return rate_cdr(cdr, self._catalogue.device(device_id), self._catalogue.context)

    def plan(self) -> NumberPlan:
        """Return the present number plan."""
        with self._lock:
            self._catalogue.refresh(self._store)
            return self._catalogue.context.plan

    def route_prefixes(self, device_id: str) -> tuple[RoutePrefix, ...]:
        """Return the route prefixes of a device, in order; "" stands for those of all devices."""
        with self._lock:
            self._catalogue.refresh(self._store)
            return self._catalogue.devices.route_prefixes(device_id)

    def try_prefixes(
        self, dialled: str, device_id: str, at: datetime
    ) -> list[tuple[RoutePrefix, str]]:
        """Return each route prefix with its outcome for a number dialled at a device."""
        with self._lock:
            self._catalogue.refresh(self._store)
            device = self._catalogue.device(device_id)
            return try_prefixes(dialled, device, self._catalogue.context.plan, at)
