"""Commands on the keeping of calls: its times, its archived months, its backups."""

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
    """How calls are kept, and what was archived."""
    return fold(keeping.evolve, store.load(keeping.STREAM)) or keeping.Keeping()


def set_keeping(store: Store, command: SetKeeping, envelope: Envelope) -> int:
    """Set the keeping time and the backups."""
    decision = partial(keeping.set_keeping, **msgspec.structs.asdict(command))
    return decide_new(store, keeping.STREAM, keeping.evolve, decision, envelope)


def archive_month(store: Store, part: keeping.MonthArchived, envelope: Envelope) -> int:
    """Note that a part of a month lies in a file."""
    return decide_new(
        store,
        keeping.STREAM,
        keeping.evolve,
        lambda state: keeping.archive_month(state, part),
        envelope,
    )


def attach_month(store: Store, month: str, envelope: Envelope) -> int:
    """Note that an archived month is in the database again."""
    return decide_new(
        store,
        keeping.STREAM,
        keeping.evolve,
        lambda state: keeping.attach_month(state, month),
        envelope,
    )


def detach_month(store: Store, month: str, envelope: Envelope) -> int:
    """Note that an attached month was taken out again."""
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
    """Note that a backup was made, removed, or calls were restored from it."""
    facts: list[Event] = [event]
    return decide_new(store, BACKUPS, keeping.evolve, lambda _: facts, envelope)
