"""Number attribution: which area and type a number belongs to."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from billing.rating.prefixes import PrefixTable

ORDINARY = ("landline", "mobile")
FREE = ("emergency", "toll_free")
SHORT_CODE_DIGITS = 6  # what is no longer than this is dialled as it stands, without an area


class PlanEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A prefix in E.164 digits, or a short code as dialled (max_len says it is one)."""

    prefix: str
    area: str
    type: str  # landline, mobile, toll_free, shared_cost, premium, special, emergency, satellite
    country: str = ""  # ISO 3166
    min_len: int = 0
    max_len: int = 0  # 0: no limit
    effective_from: datetime | None = None  # None: from the beginning

    @property
    def short_code(self) -> bool:
        """Whether it is dialled as it stands: an emergency or service number."""
        return 0 < self.max_len <= SHORT_CODE_DIGITS

    def covers(self, number: str, at: datetime) -> bool:
        """Whether it speaks of a number of this length at that moment."""
        return (
            len(number) >= self.min_len
            and (not self.max_len or len(number) <= self.max_len)
            and (self.effective_from is None or self.effective_from <= at)
        )


Table = PrefixTable[tuple[PlanEntry, ...]]


def build_layer(entries: Iterable[PlanEntry]) -> Table:
    """A layer of the plan: the entries of a prefix, the newest first."""
    by_prefix: dict[str, list[PlanEntry]] = {}
    for entry in entries:
        by_prefix.setdefault(entry.prefix, []).append(entry)
    return PrefixTable({prefix: newest_first(found) for prefix, found in by_prefix.items()})


def newest_first(entries: list[PlanEntry]) -> tuple[PlanEntry, ...]:
    """Versions by the moment they come into force, the latest first; equals by later import."""
    undated = [entry for entry in reversed(entries) if entry.effective_from is None]
    dated = [entry for entry in reversed(entries) if entry.effective_from is not None]
    dated.sort(key=lambda entry: entry.effective_from or datetime.min, reverse=True)
    return (*dated, *undated)


class NumberPlan:
    """Company overrides, then the imported plan, then the seed; in a layer the longest prefix."""

    def __init__(
        self,
        layers: Iterable[Iterable[PlanEntry]] = (),
        overrides: Mapping[str, Iterable[PlanEntry]] | None = None,
    ) -> None:
        kept = [tuple(layer) for layer in layers]
        own = {company: tuple(entries) for company, entries in (overrides or {}).items()}
        self._layers = [build_layer(_numbers(layer)) for layer in kept]
        self._overrides = {
            company: build_layer(_numbers(entries)) for company, entries in own.items()
        }
        self._short_codes: dict[tuple[str, str], PlanEntry] = {}
        for layer in reversed([*own.values(), *kept]):
            for entry in layer:
                if entry.short_code:
                    self._short_codes[entry.country, entry.prefix] = entry

    def short_code(self, dialled: str, country: str) -> PlanEntry | None:
        """The emergency or service number that was dialled as it stands in a country."""
        return self._short_codes.get((country, dialled))

    def attribute(self, number: str, at: datetime, company_id: str = "") -> PlanEntry | None:
        """The entry of a number in E.164 digits without +; None if no layer knows it."""
        override = self._overrides.get(company_id)
        for layer in (override, *self._layers) if override else self._layers:
            versions = layer.find(number)
            if versions is None:
                continue
            if versions[0].covers(number, at):
                return versions[0]
            for older in layer.find_all(number):
                for entry in older:
                    if entry.covers(number, at):
                        return entry
        return None


def _numbers(entries: Iterable[PlanEntry]) -> Iterable[PlanEntry]:
    return (entry for entry in entries if not entry.short_code)
