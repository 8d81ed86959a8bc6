"""The data that rating needs, folded from the log: accounts, devices, prices, number plans.

Each process that rates calls keeps it in memory and refreshes it before each batch by one query
that reads only events that are not of calls. An event that can't be folded is set aside: the
catalogue stays as it was before it, and calls are rated by that (docs/decisions/0150).
"""

from collections.abc import Callable, Collection
from typing import Any
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from billing.aggregates.account import (
    AccountClosed,
    AccountFrozen,
    AccountFrozenByPolicy,
    AccountUnfrozen,
    AccountUnfrozenByPolicy,
)
from billing.aggregates.company import CompanyChanged, CompanyOpened, PinGiven, RateGroupBound
from billing.aggregates.event import Event, Unreadable
from billing.aggregates.number_plan import (
    IMPORTED,
    SEED,
    NumberPlanChanged,
    NumberPlanReplaced,
)
from billing.aggregates.number_plan import NumberPlan as PlanLayer
from billing.aggregates.number_plan import evolve as evolve_plan
from billing.aggregates.rate_group import (
    DeckImported,
    DeckImportUndone,
    Prices,
    RateGroupCreated,
    RateGroupRenamed,
    RatesChanged,
    RatesWithdrawn,
    changes_of,
)
from billing.aggregates.sub_account import GatewayAccountOpened, UserAccountOpened
from billing.commands.device_book import DeviceBook, Registration
from billing.log.store import Recorded, Store
from billing.rating.context import (
    AccountProfile,
    Assignment,
    CompanyProfile,
    DeviceProfile,
    RatingContext,
)
from billing.rating.number_plan import NumberPlan
from billing.rating.rates import RateGroup

NAME = "catalogue"  # under which it notes the events that it lacks
CHUNK = 5_000


class Catalogue:
    """The rating context as of a log position. Not thread-safe: one owner refreshes and reads."""

    def __init__(self, excluding: Collection[type[Event]] = ()) -> None:
        """Fold all events, except those of the kinds in `excluding`."""
        self._excluding = excluding
        self.position = 0
        self.changed_at = 0  # position of the last event that can change the price of a call
        self.pin_key = b""
        self.context = RatingContext()
        self.devices = DeviceBook()
        self._plans: dict[str, PlanLayer | None] = {}
        self._handlers: dict[type, Callable[[str, str, Any], None]] = {
            CompanyOpened: self._open_company,
            RateGroupBound: self._bind_rate_group,
            UserAccountOpened: self._open_sub_account,
            GatewayAccountOpened: self._open_sub_account,
            CompanyChanged: self._change_company,
            PinGiven: self._give_pin,
            AccountFrozen: self._hold,
            AccountFrozenByPolicy: self._hold,
            AccountClosed: self._hold,
            AccountUnfrozen: self._release,
            AccountUnfrozenByPolicy: self._release,
            **self.devices.handlers(),
            RateGroupCreated: self._create_rate_group,
            RateGroupRenamed: self._rename_rate_group,
            RatesChanged: self._change_rates,
            RatesWithdrawn: self._change_rates,
            DeckImported: self._change_rates,
            DeckImportUndone: self._change_rates,
            NumberPlanReplaced: self._change_plan,
            NumberPlanChanged: self._change_plan,
        }

    def device(self, device_id: str) -> DeviceProfile:
        """Return the profile of a device. Refused if there is none."""
        return self.devices.profile(device_id)

    def registration(self, device_id: str) -> Registration:
        """Return the settings to parse a device's records. Refused if there is no such device."""
        return self.devices.registration(device_id)

    def refresh(self, store: Store, through: int | None = None) -> None:
        """Apply the events appended since the last refresh; with `through` none after it."""
        self.pin_key = self.pin_key or store.key("pins")
        is_first = not self.position
        refused: list[tuple[Recorded, Exception]] = []
        while events := self._next(store, through):
            for recorded in events:
                try:
                    self._fold(recorded)
                except Exception as error:  # noqa: BLE001 -- one event must not end all ratings
                    refused.append((recorded, error))
                self.position = recorded.position
        if refused or (is_first and not self._excluding):
            store.set_aside(NAME, refused, replace=is_first and not self._excluding)

    def _next(self, store: Store, through: int | None) -> list[Recorded]:
        found = store.after_without_calls(self.position, CHUNK, self._excluding)
        return [each for each in found if through is None or each.position <= through]

    def _fold(self, recorded: Recorded) -> None:
        handle = self._handlers.get(type(recorded.event))
        if handle:
            handle(recorded.stream.partition(":")[2], recorded.stream, recorded.event)
            if handle not in (self._hold, self._release):  # these flag calls on arrival
                self.changed_at = recorded.position
        elif isinstance(recorded.event, Unreadable):
            raise ValueError(recorded.event.error)

    def _open_company(self, own_id: str, _: str, event: CompanyOpened) -> None:
        self.context.companies[own_id] = CompanyProfile(
            company_id=own_id, currency=event.currency, zone=ZoneInfo(event.time_zone)
        )

    def _change_company(self, own_id: str, _: str, event: CompanyChanged) -> None:
        company = self.context.companies[own_id]
        self.context.companies[own_id] = replace(company, zone=ZoneInfo(event.time_zone))

    def _give_pin(self, own_id: str, _: str, event: PinGiven) -> None:
        pins, key = self.context.pins, (own_id, event.digest)
        pins[key] = (*pins.get(key, ()), Assignment(event.account, event.valid_from))

    def _hold(self, _: str, stream: str, event: Event) -> None:
        closed = isinstance(event, AccountClosed)
        self.context.holds[stream] = "closed_account" if closed else "frozen_account"

    def _release(self, _: str, stream: str, __: Event) -> None:
        self.context.holds.pop(stream, None)

    def _bind_rate_group(self, own_id: str, _: str, event: RateGroupBound) -> None:
        company = self.context.companies[own_id]
        bound = (*company.rate_groups, (event.valid_from, event.group_id))
        self.context.companies[own_id] = replace(company, rate_groups=bound)

    def _open_sub_account(
        self, _: str, stream: str, event: UserAccountOpened | GatewayAccountOpened
    ) -> None:
        self.context.accounts[stream] = AccountProfile(own_wallet=event.own_wallet)

    def _create_rate_group(self, own_id: str, _: str, event: RateGroupCreated) -> None:
        self.context.groups[own_id] = RateGroup(own_id, event.name, event.currency)

    def _rename_rate_group(self, own_id: str, _: str, event: RateGroupRenamed) -> None:
        self.context.groups[own_id] = self.context.groups[own_id].renamed(event.name)

    def _change_rates(self, own_id: str, _: str, event: Prices) -> None:
        changes, removed = changes_of(event)
        group = self.context.groups[own_id]
        self.context.groups[own_id] = group.with_changes(changes, removed)

    def _change_plan(
        self, _: str, stream: str, event: NumberPlanReplaced | NumberPlanChanged
    ) -> None:
        plans = self._plans | {stream: evolve_plan(self._plans.get(stream), event)}
        entries = {
            layer: plan.entries.values() for layer, plan in plans.items() if plan is not None
        }
        layers = [entries.pop(layer, ()) for layer in (IMPORTED, SEED)]
        overrides = {layer.partition(":")[2]: own for layer, own in entries.items()}
        self.context.plan = NumberPlan(layers, overrides)
        self._plans = plans
