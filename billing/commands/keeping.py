"""Commands on keeping: retention times, archived months, backups."""

from functools import partial

import msgspec

from billing.aggregates import keeping
from billing.aggregates.event import Envelope, Event
from billing.commands.deciding import decide_new, fold
from billing.log.store import Store

BACKUPS = "keeping:backups"


class SetKeeping(msgspec.Struct, frozen=True, kw_only=True):
    months: int
    backup_days: int
    backups_kept: int
    shorten_months: int = 0  # 0: called numbers are never shortened


def load_keeping(store: Store) -> keeping.Keeping:
    """Load the settings of keeping and the list of archive files."""
    return fold(keeping.evolve, store.load(keeping.STREAM)) or keeping.Keeping()


def set_keeping(store: Store, command: SetKeeping, envelope: Envelope) -> int:
    """Set the retention times and the backups; return the position of the last event, or 0."""
    decision = partial(keeping.set_keeping, **msgspec.structs.asdict(command))
    return decide_new(store, keeping.STREAM, keeping.evolve, decision, envelope)


def archive_month(store: Store, part: keeping.MonthArchived, envelope: Envelope) -> int:
    """Record that a part of a month is in an archive file."""
    return decide_new(
        store,
        keeping.STREAM,
        keeping.evolve,
        lambda state: keeping.archive_month(state, part),
        envelope,
    )


def attach_month(store: Store, month: str, envelope: Envelope) -> int:
    """Record that an archived month is in the database again."""
    return decide_new(
        store,
        keeping.STREAM,
        keeping.evolve,
        lambda state: keeping.attach_month(state, month),
        envelope,
    )


def detach_month(store: Store, month: str, envelope: Envelope) -> int:
    """Record that an attached month was removed from the database again."""
    return decide_new(
        store,
        keeping.STREAM,
        keeping.evolve,
        lambda state: keeping.detach_month(state, month),
        envelope,
    )


def note_backup(
    store: Store,
    event: keeping.BackupMade | keeping.BackupRemoved | keeping.CallsRestored,
    envelope: Envelope,
) -> int:
    """Record that a backup was made or removed, or that calls were restored from it."""
    facts: list[Event] = [event]
    return decide_new(store, BACKUPS, keeping.evolve, lambda _: facts, envelope)
