"""Number attribution: the area and type of a number."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import msgspec

from billing.rating.prefixes import PrefixTable

ORDINARY = ("landline", "mobile")
FREE = ("emergency", "toll_free")
BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
SHORT_CODE_DIGITS = 6  # numbers up to this length are dialled without an area code


class PlanEntry(msgspec.Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True):
    """A prefix in E.164 digits, or a short code as dialled (recognised by `max_len`)."""

    prefix: str
    area: str
    type: str  # landline, mobile, toll_free, shared_cost, premium, special, emergency, satellite
    country: str = ""  # ISO 3166
    min_len: int = 0
    max_len: int = 0  # 0: no limit
    effective_from: datetime | None = None  # None: from the beginning

    @property
    def short_code(self) -> bool:
        """Whether it is dialled without any prefix: an emergency or service number."""
        return 0 < self.max_len <= SHORT_CODE_DIGITS

    def covers(self, number: str, at: datetime) -> bool:
        """Whether it applies to a number of this length at this time."""
        return (
            len(number) >= self.min_len
            and (not self.max_len or len(number) <= self.max_len)
            and (self.effective_from is None or self.effective_from <= at)
        )


Table = PrefixTable[tuple[PlanEntry, ...]]


def build_layer(entries: Iterable[PlanEntry]) -> Table:
    """Build a layer of the plan: prefix -> versions, newest first."""
    by_prefix: dict[str, list[PlanEntry]] = {}
    for entry in entries:
        by_prefix.setdefault(entry.prefix, []).append(entry)
    return PrefixTable({prefix: newest_first(found) for prefix, found in by_prefix.items()})


def newest_first(entries: list[PlanEntry]) -> tuple[PlanEntry, ...]:
    """Sort versions by effective_from, latest first; of equal times, later imports first."""
    if len(entries) == 1:
        return (entries[0],)
    later_first = entries[::-1]
    later_first.sort(key=lambda entry: entry.effective_from or BEGINNING, reverse=True)
    return tuple(later_first)


class NumberPlan:
    """Layers are searched in order: company overrides, imported plan, seed."""

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
        # By company ("" for all) and country ("" for any), in the order of lookup.
        short: dict[tuple[str, str], list[Table]] = {}
        for company, layer in [*own.items(), *(("", layer) for layer in kept)]:
            codes: dict[str, list[PlanEntry]] = {}
            for entry in layer:
                if entry.short_code:
                    codes.setdefault(entry.country, []).append(entry)
            for country, entries in codes.items():
                short.setdefault((company, country), []).append(build_layer(entries))
        self._short_codes = short

    def short_code(
        self, dialled: str, country: str, at: datetime, company_id: str = ""
    ) -> PlanEntry | None:
        """Return the entry of a short code (emergency, service) dialled in a country, or None."""
        if len(dialled) > SHORT_CODE_DIGITS:
            return None
        for company in (company_id, "") if company_id else ("",):
            for where in (country, "") if country else ("",):
                for layer in self._short_codes.get((company, where), ()):
                    entry = _newest(layer, dialled, at)
                    if entry:
                        return entry
        return None

    def attribute(self, number: str, at: datetime, company_id: str = "") -> PlanEntry | None:
        """Return the entry of a number in E.164 digits without +; None if no layer has one."""
        override = self._overrides.get(company_id)
        for layer in (override, *self._layers) if override else self._layers:
            versions = layer.find(number)
            if versions is None:
                continue
            if versions[0].covers(number, at):
                return versions[0]
            entry = _newest(layer, number, at)
            if entry:
                return entry
        return None


def _newest(layer: Table, number: str, at: datetime) -> PlanEntry | None:
    """Return the newest version that covers the number, of the longest prefix that has one."""
    for versions in layer.find_all(number):
        for entry in versions:
            if entry.covers(number, at):
                return entry
    return None


def _numbers(entries: Iterable[PlanEntry]) -> Iterable[PlanEntry]:
    return (entry for entry in entries if not entry.short_code)
