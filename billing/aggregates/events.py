"""Every event ever published, by its topic. A published topic is never edited and never removed.

An event that is no longer written has its topic in `UPCASTS` instead of `TOPICS`: it is decoded
as it was and changed into its successor, so that nothing else knows the old one.
"""

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
    CallParted,
    CallRated,
    CallReinstated,
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
    PairParted,
    TenantNamed,
    TrunkAssigned,
)
from billing.aggregates.event import Event
from billing.aggregates.extension import (
    ExtensionAssigned,
    ExtensionsAssigned,
    ExtensionsRemoved,
    upcast_extension_assigned,
)
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
from billing.aggregates.rerating import (
    CorrectionApplied,
    CorrectionEnded,
    CorrectionRequested,
    CorrectionResumed,
    CorrectionStopped,
)
from billing.aggregates.route_prefix import RoutePrefixesSet
from billing.aggregates.second_factor import (
    RecoveryCodesMade,
    RecoveryCodeUsed,
    TwoFactorDemanded,
    TwoFactorDisabled,
    TwoFactorEnabled,
    TwoFactorReset,
)
from billing.aggregates.statement import (
    MonthClosed,
    OldStatementClosed,
    StatementClosed,
    StatementRounded,
    StatementsCompleted,
    upcast_statement_closed,
)
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
    "CallParted.1": CallParted,
    "CallRated.1": CallRated,
    "CallReinstated.1": CallReinstated,
    "CallRerated.1": CallRerated,
    "CallsRestored.1": CallsRestored,
    "CallSuspended.1": CallSuspended,
    "CallVoided.1": CallVoided,
    "CascadeSet.1": CascadeSet,
    "CompanyChanged.1": CompanyChanged,
    "CompanyOpened.1": CompanyOpened,
    "ConflictKept.1": ConflictKept,
    "CorrectionApplied.1": CorrectionApplied,
    "CorrectionEnded.1": CorrectionEnded,
    "CorrectionRequested.1": CorrectionRequested,
    "CorrectionResumed.1": CorrectionResumed,
    "CorrectionStopped.1": CorrectionStopped,
    "DeckImported.1": DeckImported,
    "DeckImportUndone.1": DeckImportUndone,
    "DeviceChanged.1": DeviceChanged,
    "DeviceDisabled.1": DeviceDisabled,
    "DeviceEnabled.1": DeviceEnabled,
    "DeviceRegistered.1": DeviceRegistered,
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
    "PairParted.1": PairParted,
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
    "StatementClosed.2": StatementClosed,
    "StatementRounded.1": StatementRounded,
    "StatementsCompleted.1": StatementsCompleted,
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


class Upcast(msgspec.Struct, frozen=True):
    """How an event that is no longer written becomes the event of the next topic."""

    old: type[Event]
    next_topic: str
    change: Callable[[Any], Event]  # a pure function of the old event


UPCASTS: dict[str, Upcast] = {
    "ExtensionAssigned.1": Upcast(
        ExtensionAssigned, "ExtensionsAssigned.1", upcast_extension_assigned
    ),
    "StatementClosed.1": Upcast(OldStatementClosed, "StatementClosed.2", upcast_statement_closed),
}

E = TypeVar("E")


class Stored(msgspec.Struct, Generic[E], frozen=True):
    """The JSON of an event in the log: the event itself, and the envelope of its batch."""

    event: E
    envelope: msgspec.Raw


def _decoder(event: type[Event]) -> Callable[[bytes], Stored[Any]]:
    return msgspec.json.Decoder(Stored[event]).decode  # type: ignore[valid-type] # of each kind


def _upcaster(upcast: Upcast) -> Callable[[bytes], Stored[Any]]:
    """Decode an old event, then change it from topic to topic until it is one of today."""
    decode_old = _decoder(upcast.old)
    changes = [upcast.change]
    while upcast.next_topic in UPCASTS:
        upcast = UPCASTS[upcast.next_topic]
        changes.append(upcast.change)

    def decode(state: bytes) -> Stored[Any]:
        stored = decode_old(state)
        event = stored.event
        for change in changes:
            event = change(event)
        return Stored(event, stored.envelope)

    return decode


_decode: dict[str, Callable[[bytes], Stored[Any]]] = {
    topic: _decoder(event) for topic, event in TOPICS.items()
} | {topic: _upcaster(upcast) for topic, upcast in UPCASTS.items()}


def current_topic(topic: str) -> str:
    """The topic under which an event of `topic` would be written today."""
    while topic in UPCASTS:
        topic = UPCASTS[topic].next_topic
    return topic


def topics_of(kinds: Collection[type[Event]]) -> list[str]:
    """The topics that decode into some kinds of events; those of older versions are among them."""
    current = {topic for topic, kind in TOPICS.items() if issubclass(kind, tuple(kinds))}
    return [topic for topic in (*TOPICS, *UPCASTS) if current_topic(topic) in current]


def decode_stored(topic: str, state: bytes) -> Stored[Event]:
    """Decode an event. An unknown topic raises KeyError: a newer program wrote the log."""
    return _decode[topic](state)
