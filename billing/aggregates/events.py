"""All events ever published, by topic. A published topic is never edited and never removed."""

from collections.abc import Callable, Collection
from typing import Any, Generic, TypeVar

import msgspec

from billing.aggregates.account import (
    AccountAdjusted,
    AccountClosed,
    AccountFrozen,
    AccountFrozenByPolicy,
    AccountRecharged,
    AccountUnfrozen,
    AccountUnfrozenByPolicy,
    LimitsSet,
    LowBalanceOver,
    LowBalanceWarned,
    RechargeReversed,
)
from billing.aggregates.administrator import (
    AdministratorAdded,
    AdministratorChanged,
    AdministratorDisabled,
    AdministratorEnabled,
    AdministratorLimited,
    AdministratorPasswordChanged,
    AdministratorPasswordReset,
)
from billing.aggregates.api_token import ApiTokenMade, ApiTokenRevoked
from billing.aggregates.call import (
    CallLinked,
    CallRated,
    CallRerated,
    CallSuspended,
    CallVoided,
    ConflictKept,
)
from billing.aggregates.company import CompanyChanged, CompanyOpened, PinGiven, RateGroupBound
from billing.aggregates.device import (
    CascadeSet,
    DeviceChanged,
    DeviceDisabled,
    DeviceEnabled,
    DeviceRegistered,
    TenantNamed,
    TrunkAssigned,
)
from billing.aggregates.event import Event
from billing.aggregates.extension import ExtensionAssigned, ExtensionsAssigned, ExtensionsRemoved
from billing.aggregates.keeping import (
    BackupMade,
    BackupRemoved,
    CallsRestored,
    KeepingSet,
    MonthArchived,
    MonthAttached,
    MonthDetached,
    NumbersShortened,
    ShorteningSet,
)
from billing.aggregates.number_plan import NumberPlanChanged, NumberPlanReplaced
from billing.aggregates.rate_group import (
    DeckImported,
    DeckImportUndone,
    RateGroupCreated,
    RateGroupDeleted,
    RateGroupRenamed,
    RatesChanged,
    RatesWithdrawn,
)
from billing.aggregates.rerating import CorrectionEnded
from billing.aggregates.route_prefix import RoutePrefixesSet
from billing.aggregates.second_factor import (
    RecoveryCodesMade,
    RecoveryCodeUsed,
    TwoFactorDemanded,
    TwoFactorDisabled,
    TwoFactorEnabled,
    TwoFactorReset,
)
from billing.aggregates.statement import MonthClosed, StatementClosed
from billing.aggregates.sub_account import (
    GatewayAccountOpened,
    SubAccountRenamed,
    UserAccountOpened,
)

TOPICS: dict[str, type[Event]] = {
    "AccountAdjusted.1": AccountAdjusted,
    "AccountClosed.1": AccountClosed,
    "AccountFrozen.1": AccountFrozen,
    "AccountFrozenByPolicy.1": AccountFrozenByPolicy,
    "AccountRecharged.1": AccountRecharged,
    "AccountUnfrozen.1": AccountUnfrozen,
    "AccountUnfrozenByPolicy.1": AccountUnfrozenByPolicy,
    "AdministratorAdded.1": AdministratorAdded,
    "AdministratorChanged.1": AdministratorChanged,
    "AdministratorDisabled.1": AdministratorDisabled,
    "AdministratorEnabled.1": AdministratorEnabled,
    "AdministratorLimited.1": AdministratorLimited,
    "AdministratorPasswordChanged.1": AdministratorPasswordChanged,
    "AdministratorPasswordReset.1": AdministratorPasswordReset,
    "ApiTokenMade.1": ApiTokenMade,
    "ApiTokenRevoked.1": ApiTokenRevoked,
    "BackupMade.1": BackupMade,
    "BackupRemoved.1": BackupRemoved,
    "CallLinked.1": CallLinked,
    "CallRated.1": CallRated,
    "CallRerated.1": CallRerated,
    "CallsRestored.1": CallsRestored,
    "CallSuspended.1": CallSuspended,
    "CallVoided.1": CallVoided,
    "CascadeSet.1": CascadeSet,
    "CompanyChanged.1": CompanyChanged,
    "CompanyOpened.1": CompanyOpened,
    "ConflictKept.1": ConflictKept,
    "CorrectionEnded.1": CorrectionEnded,
    "DeckImported.1": DeckImported,
    "DeckImportUndone.1": DeckImportUndone,
    "DeviceChanged.1": DeviceChanged,
    "DeviceDisabled.1": DeviceDisabled,
    "DeviceEnabled.1": DeviceEnabled,
    "DeviceRegistered.1": DeviceRegistered,
    "ExtensionAssigned.1": ExtensionAssigned,
    "ExtensionsAssigned.1": ExtensionsAssigned,
    "ExtensionsRemoved.1": ExtensionsRemoved,
    "GatewayAccountOpened.1": GatewayAccountOpened,
    "KeepingSet.1": KeepingSet,
    "LimitsSet.1": LimitsSet,
    "LowBalanceOver.1": LowBalanceOver,
    "LowBalanceWarned.1": LowBalanceWarned,
    "MonthArchived.1": MonthArchived,
    "MonthAttached.1": MonthAttached,
    "MonthClosed.1": MonthClosed,
    "NumberPlanChanged.1": NumberPlanChanged,
    "MonthDetached.1": MonthDetached,
    "NumbersShortened.1": NumbersShortened,
    "NumberPlanReplaced.1": NumberPlanReplaced,
    "PinGiven.1": PinGiven,
    "RateGroupBound.1": RateGroupBound,
    "RateGroupCreated.1": RateGroupCreated,
    "RateGroupDeleted.1": RateGroupDeleted,
    "RateGroupRenamed.1": RateGroupRenamed,
    "RatesChanged.1": RatesChanged,
    "RatesWithdrawn.1": RatesWithdrawn,
    "RechargeReversed.1": RechargeReversed,
    "RecoveryCodeUsed.1": RecoveryCodeUsed,
    "RecoveryCodesMade.1": RecoveryCodesMade,
    "RoutePrefixesSet.1": RoutePrefixesSet,
    "ShorteningSet.1": ShorteningSet,
    "StatementClosed.1": StatementClosed,
    "SubAccountRenamed.1": SubAccountRenamed,
    "TenantNamed.1": TenantNamed,
    "TrunkAssigned.1": TrunkAssigned,
    "TwoFactorDemanded.1": TwoFactorDemanded,
    "TwoFactorDisabled.1": TwoFactorDisabled,
    "TwoFactorEnabled.1": TwoFactorEnabled,
    "TwoFactorReset.1": TwoFactorReset,
    "UserAccountOpened.1": UserAccountOpened,
}

TOPIC_OF: dict[type[Event], str] = {event: topic for topic, event in TOPICS.items()}

E = TypeVar("E")


class Stored(msgspec.Struct, Generic[E], frozen=True):
    """The JSON of an event in the log: the event itself, and the envelope of its batch."""

    event: E
    envelope: msgspec.Raw


_decode: dict[str, Callable[[bytes], Stored[Any]]] = {
    topic: msgspec.json.Decoder(Stored[event]).decode  # type: ignore[valid-type] # of each kind
    for topic, event in TOPICS.items()
}


def topics_of(kinds: Collection[type[Event]]) -> list[str]:
    """Return the topics of these kinds of events, including older versions."""
    return [topic for topic, kind in TOPICS.items() if issubclass(kind, tuple(kinds))]


def decode_stored(topic: str, state: bytes) -> Stored[Event]:
    """Decode an event. An unknown topic raises KeyError: a newer program wrote the log."""
    return _decode[topic](state)
