"""What rating knows, kept up to date for the pages that try it out."""

import threading

from billing.commands.catalogue import Catalogue
from billing.rating.cdr import Cdr
from billing.rating.chain import rate_cdr
from billing.rating.context import Rating
from billing.rating.plan import NumberPlan
from billing.store import Store


class Knowledge:
    """One catalogue for all requests; each use reads first what was recorded since. Blocks."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._catalogue = Catalogue()
        self._lock = threading.Lock()

    def rate(self, cdr: Cdr, device_id: str) -> Rating:
        """What a record would mean and cost now. Refused if there is no such device."""
        with self._lock:
            self._catalogue.refresh(self._store)
            return rate_cdr(cdr, self._catalogue.device(device_id), self._catalogue.context)

    def plan(self) -> NumberPlan:
        """The number plan as it stands."""
        with self._lock:
            self._catalogue.refresh(self._store)
            return self._catalogue.context.plan
