"""Commands on the second step of signing in; its secrets are in tables, not in events."""

from datetime import datetime

import msgspec
import psycopg

from billing.aggregates import second_factor
from billing.aggregates.event import Envelope
from billing.commands.deciding import decide
from billing.commands.sessions import end_sessions
from billing.credentials.one_time_codes import (
    hash_recovery_code,
    new_recovery_codes,
    new_secret,
    step_of,
)
from billing.log.store import Store
from billing.values import Refused

BEGIN = """
insert into second_factors (administrator_id, secret) values (%s, %s)
on conflict (administrator_id) do update set secret = excluded.secret
where second_factors.confirmed_at is null"""
PENDING = """
select secret from second_factors where administrator_id = %s and confirmed_at is null for update"""
CONFIRM = """
update second_factors set confirmed_at = %s, last_step = %s where administrator_id = %s"""
KNOWN = """
select secret from second_factors where administrator_id = %s and confirmed_at is not null"""
USE_STEP = """
update second_factors set last_step = %(step)s
where administrator_id = %(who)s and last_step < %(step)s"""
USE_CODE = """
update recovery_codes set used_at = %s
where administrator_id = %s and code_hash = %s and used_at is null"""
LEFT = "select count(*) from recovery_codes where administrator_id = %s and used_at is null"
FORGET_CODES = "delete from recovery_codes where administrator_id = %s"
FORGET = "delete from second_factors where administrator_id = %s"
ADD_CODE = "insert into recovery_codes (administrator_id, code_hash) values (%s, %s)"
# Reason in the login log -> message for the person.
REASONS = {
    "code": Refused("This is not the current code. Is the clock of your phone right?"),
    "used_code": Refused("This code was used already. Wait for the next one."),
    "recovery_code": Refused("This is not one of your unused recovery codes."),
}


class Confirm(msgspec.Struct, frozen=True, kw_only=True):
    administrator_id: str
    code: str


class Proven(msgspec.Struct, frozen=True, kw_only=True):
    """A request that needs the second factor; `code` is from the app or a recovery code."""

    administrator_id: str
    code: str


class Reset(msgspec.Struct, frozen=True, kw_only=True):
    administrator_id: str


class Demand(msgspec.Struct, frozen=True, kw_only=True):
    administrator_id: str
    demanded: bool


class WrongCode(Refused):
    """A code was refused; `reason` is for the login log."""

    def __init__(self, reason: str) -> None:
        super().__init__(REASONS[reason].message)
        self.reason = reason


def begin(connection: psycopg.Connection, administrator_id: str) -> None:
    """Create a secret to be shown; it takes effect when a code confirms it."""
    if not connection.execute(BEGIN, (administrator_id, new_secret())).rowcount:
        raise Refused("Two-factor is already on.")


def confirm(
    store: Store, connection: psycopg.Connection, command: Confirm, envelope: Envelope
) -> list[str]:
    """Enable two-factor if a code of the new secret is right.

    Returns the recovery codes, to be shown once. Raises WrongCode.
    """
    own_id, now = command.administrator_id, envelope.recorded_at
    with connection.transaction():
        row = connection.execute(PENDING, (own_id,)).fetchone()
        if not row:
            raise Refused("Start again: there is nothing to confirm.")
        step = step_of(row[0], command.code, now)
        if step is None:
            raise WrongCode("code")
        connection.execute(CONFIRM, (now, step, own_id))
        codes = _replace_codes(connection, own_id)
        stream = f"administrator:{own_id}"
        decide(store, stream, second_factor.evolve, second_factor.enable, envelope)
    return codes


def prove(store: Store, connection: psycopg.Connection, command: Proven, envelope: Envelope) -> str:
    """Use up a code of the app or a recovery code; return which of these it was.

    Raises WrongCode.
    """
    bare = "".join(command.code.split())
    if bare.isdigit():
        _take_code(connection, command.administrator_id, bare, envelope.recorded_at)
        return "code"
    _take_recovery_code(store, connection, command, envelope)
    return "recovery_code"


def _take_code(connection: psycopg.Connection, own_id: str, code: str, now: datetime) -> None:
    row = connection.execute(KNOWN, (own_id,)).fetchone()
    step = step_of(row[0], code, now) if row else None
    if step is None:
        raise WrongCode("code")
    if not connection.execute(USE_STEP, {"who": own_id, "step": step}).rowcount:
        raise WrongCode("used_code")


def _take_recovery_code(
    store: Store, connection: psycopg.Connection, command: Proven, envelope: Envelope
) -> None:
    own_id, hashed = command.administrator_id, hash_recovery_code(command.code)
    with connection.transaction():
        used = connection.execute(USE_CODE, (envelope.recorded_at, own_id, hashed))
        if not used.rowcount:
            raise WrongCode("recovery_code")
        left = int((connection.execute(LEFT, (own_id,)).fetchone() or (0,))[0])
        decide(
            store,
            f"administrator:{own_id}",
            second_factor.evolve,
            lambda state: second_factor.use_code(state, left=left),
            envelope,
        )


def renew_codes(
    store: Store, connection: psycopg.Connection, command: Proven, envelope: Envelope
) -> list[str]:
    """Replace the recovery codes; return the new ones, to be shown once. Raises WrongCode."""
    prove(store, connection, command, envelope)
    with connection.transaction():
        stream = f"administrator:{command.administrator_id}"
        decide(store, stream, second_factor.evolve, second_factor.renew_codes, envelope)
        return _replace_codes(connection, command.administrator_id)


def disable(
    store: Store, connection: psycopg.Connection, command: Proven, envelope: Envelope
) -> int:
    """Disable the own two-factor. Raises WrongCode."""
    prove(store, connection, command, envelope)
    with connection.transaction():
        _forget(connection, command.administrator_id)
        stream = f"administrator:{command.administrator_id}"
        return decide(store, stream, second_factor.evolve, second_factor.disable, envelope)


def reset(store: Store, connection: psycopg.Connection, command: Reset, envelope: Envelope) -> int:
    """Remove the second factor of an administrator who lost phone and codes. Ends all sessions."""
    own_id = command.administrator_id
    with connection.transaction():
        _forget(connection, own_id)
        end_sessions(connection, own_id, "reset", envelope.actor, envelope.recorded_at)
        stream = f"administrator:{own_id}"
        return decide(store, stream, second_factor.evolve, second_factor.reset, envelope)


def demand(store: Store, command: Demand, envelope: Envelope) -> int:
    """Make two-factor mandatory or optional for an administrator."""
    return decide(
        store,
        f"administrator:{command.administrator_id}",
        second_factor.evolve,
        lambda state: second_factor.demand(state, demanded=command.demanded),
        envelope,
    )


def _replace_codes(connection: psycopg.Connection, own_id: str) -> list[str]:
    codes = new_recovery_codes()
    connection.execute(FORGET_CODES, (own_id,))
    with connection.cursor() as cursor:
        cursor.executemany(ADD_CODE, [(own_id, hash_recovery_code(code)) for code in codes])
    return codes


def _forget(connection: psycopg.Connection, own_id: str) -> None:
    connection.execute(FORGET, (own_id,))
    connection.execute(FORGET_CODES, (own_id,))
