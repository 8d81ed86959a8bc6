"""Keeping: how long calls stay in the database, which months are archived, which backups exist."""

from datetime import date

import msgspec

from billing.aggregates.event import Event
from billing.values import Money, Refused

STREAM = "keeping:all"
MOST_MONTHS = 120
MOST_BACKUP_DAYS = 31
MOST_BACKUPS = 365


class KeepingSet(Event, frozen=True, kw_only=True):
    months: int
    backup_days: int  # days between full backups; 0: none
    backups_kept: int


class ShorteningSet(Event, frozen=True, kw_only=True):
    """Called numbers lose their last digits this many months after the month of the call."""

    months: int  # 0: never


class NumbersShortened(Event, frozen=True, kw_only=True):
    """Numbers in a range of one month's events lost their last digits.

    The sealed bytes changed: `before` is the digest of this month's events as sealed (or as left by
    the previous shortening), `after` the digest of the events now.
    """

    month: str
    first_position: int
    last_position: int
    events: int  # of the month in this range
    calls: int  # whose numbers were shortened
    before: str
    after: str


class MonthArchived(Event, frozen=True, kw_only=True):
    """Events of one month are in an archive file. Late calls give a month several parts."""

    month: str
    part: int
    file: str
    sha256: str
    size_bytes: int
    events: int
    calls: int
    amounts: tuple[Money, ...]  # total price of the calls of this part, one per currency
    first_position: int
    last_position: int


class MonthAttached(Event, frozen=True, kw_only=True):
    month: str


class MonthDetached(Event, frozen=True, kw_only=True):
    month: str


class BackupMade(Event, frozen=True, kw_only=True):
    kind: str  # full, calls
    file: str
    sha256: str
    size_bytes: int
    events: int
    first: date | None = None  # of a backup of calls: its range
    last: date | None = None


class BackupRemoved(Event, frozen=True, kw_only=True):
    """A backup file was deleted by the rotation, because newer ones exist."""

    file: str


class CallsRestored(Event, frozen=True, kw_only=True):
    """Calls of a backup that the log lacked were restored."""

    file: str
    events: int  # read from the backup
    missing: int  # of these, how many the log lacked


class Keeping(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of keeping, and the archived months."""

    months: int = 6
    backup_days: int = 1
    backups_kept: int = 7
    shorten_months: int = 0  # 0: called numbers are never shortened
    parts: tuple[MonthArchived, ...] = ()
    attached: frozenset[str] = frozenset()

    def parts_of(self, month: str) -> tuple[MonthArchived, ...]:
        """Return the archive files of a month."""
        return tuple(part for part in self.parts if part.month == month)


def evolve(keeping: Keeping | None, event: Event) -> Keeping:
    """Return the state after `event`; without any event it has its defaults."""
    state = keeping or Keeping()
    match event:
        case KeepingSet():
            return msgspec.structs.replace(
                state,
                months=event.months,
                backup_days=event.backup_days,
                backups_kept=event.backups_kept,
            )
        case ShorteningSet(months=months):
            return msgspec.structs.replace(state, shorten_months=months)
        case MonthArchived():
            return msgspec.structs.replace(state, parts=(*state.parts, event))
        case MonthAttached(month=month):
            return msgspec.structs.replace(state, attached=state.attached | {month})
        case MonthDetached(month=month):
            return msgspec.structs.replace(state, attached=state.attached - {month})
        case _:
            return state


def set_keeping(
    keeping: Keeping | None,
    *,
    months: int,
    backup_days: int,
    backups_kept: int,
    shorten_months: int,
) -> list[Event]:
    """Set how long calls and called numbers are kept, and how often everything is backed up."""
    state = keeping or Keeping()
    if not 1 <= months <= MOST_MONTHS:
        raise Refused("Calls are kept for 1 to %(most)s months.", most=MOST_MONTHS)
    if not 0 <= backup_days <= MOST_BACKUP_DAYS:
        raise Refused("A backup is made every 0 to %(most)s days.", most=MOST_BACKUP_DAYS)
    if not 1 <= backups_kept <= MOST_BACKUPS:
        raise Refused("1 to %(most)s backups are kept.", most=MOST_BACKUPS)
    if not 0 <= shorten_months <= months:
        raise Refused(
            "Numbers are shortened while their calls are kept: after at most %(months)s months.",
            months=months,
        )
    decided = list[Event]()
    if (months, backup_days, backups_kept) != (
        state.months,
        state.backup_days,
        state.backups_kept,
    ):
        decided.append(
            KeepingSet(months=months, backup_days=backup_days, backups_kept=backups_kept)
        )
    if shorten_months != state.shorten_months:
        decided.append(ShorteningSet(months=shorten_months))
    return decided


def archive_month(keeping: Keeping | None, part: MonthArchived) -> list[Event]:
    """Record an archive file of a month. Refused if another process archived the same events."""
    known = (keeping or Keeping()).parts_of(part.month)
    if part.part != len(known) + 1 or any(part.first_position <= k.last_position for k in known):
        raise Refused("The month %(month)s was archived by somebody else.", month=part.month)
    return [part]


def attach_month(keeping: Keeping | None, month: str) -> list[Event]:
    """Record that an archived month was put back into the database to be searched."""
    state = keeping or Keeping()
    if not state.parts_of(month):
        raise Refused("The month %(month)s is not archived.", month=month)
    if month in state.attached:
        raise Refused("The month %(month)s is already attached.", month=month)
    return [MonthAttached(month=month)]


def detach_month(keeping: Keeping | None, month: str) -> list[Event]:
    """Record that an attached month was removed from the database again."""
    if month not in (keeping or Keeping()).attached:
        raise Refused("The month %(month)s is not attached.", month=month)
    return [MonthDetached(month=month)]
