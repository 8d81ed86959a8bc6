"""Commands on administrators, and on their credentials."""

import msgspec
import psycopg

from billing.aggregates import administrator
from billing.aggregates.event import Envelope, Event
from billing.commands.api_tokens import revoke
from billing.commands.deciding import decide, decide_new, fold
from billing.commands.sessions import end_sessions
from billing.credentials.passwords import generate_password, hash_password
from billing.log.store import Store
from billing.values import Refused

LOCK = 0x61646D6E  # advisory lock: two administrators can't remove each other at the same time
IDS = "select administrator_id from administrator_credentials"
CHANGE = """
update administrator_credentials set password_hash = %s, must_change = false
where administrator_id = %s"""
AS_OF = """
update administrator_credentials set as_of = greatest(as_of, %s) where administrator_id = %s"""
RESET = """
update administrator_credentials set password_hash = %s, must_change = true
where administrator_id = %s"""


class AddAdministrator(msgspec.Struct, frozen=True, kw_only=True):
    administrator_id: str
    sign_in_name: str
    name: str = ""
    role: str = "administrator"
    language: str = "es"
    companies: tuple[str, ...] = ()  # companies that they are limited to; () means no limit


class ChangeAdministrator(msgspec.Struct, frozen=True, kw_only=True):
    administrator_id: str
    name: str
    role: str
    language: str
    companies: tuple[str, ...] = ()


class EnableAdministrator(msgspec.Struct, frozen=True, kw_only=True):
    """Enable an administrator, or disable them (`enabled` is False)."""

    administrator_id: str
    enabled: bool


class ResetPassword(msgspec.Struct, frozen=True, kw_only=True):
    administrator_id: str


class ChangePassword(msgspec.Struct, frozen=True, kw_only=True):
    """Change the own password; the caller has checked the old one."""

    administrator_id: str
    password_hash: str
    kept_session: bytes  # hash of the token of the current session, which stays open


class Made(msgspec.Struct, frozen=True):
    """A new password, to be shown once, and the position of its event."""

    password: str
    position: int


def add_administrator(
    store: Store, connection: psycopg.Connection, command: AddAdministrator, envelope: Envelope
) -> Made:
    """Add an administrator with a generated password, to be shown once and changed at first use."""
    password = generate_password()
    _refuse_unknown(store, command.companies)
    with connection.transaction():
        try:
            connection.execute(
                "insert into administrator_credentials"
                " (administrator_id, sign_in_name, password_hash, must_change)"
                " values (%s, %s, %s, true)",
                (command.administrator_id, command.sign_in_name, hash_password(password)),
            )
        except psycopg.errors.UniqueViolation as error:
            raise Refused("The name %(name)s is taken.", name=command.sign_in_name) from error
        position = decide_new(
            store,
            f"administrator:{command.administrator_id}",
            administrator.evolve,
            lambda state: administrator.add_administrator(
                state,
                sign_in_name=command.sign_in_name,
                name=command.name,
                role=command.role,
                language=command.language,
                companies=command.companies,
            ),
            envelope,
        )
        _hold_back(connection, command, position)
    return Made(password, position)


def change_administrator(
    store: Store, connection: psycopg.Connection, command: ChangeAdministrator, envelope: Envelope
) -> int:
    """Change name, role, language and companies; return the position of the last event."""
    own_id = command.administrator_id
    _refuse_unknown(store, command.companies)

    def decision(state: administrator.Administrator) -> list[Event]:
        return [
            *administrator.change_administrator(
                state, name=command.name, role=command.role, language=command.language, last=last
            ),
            *administrator.limit_administrator(state, companies=command.companies, last=last),
        ]

    with connection.transaction():
        last = _is_last(store, connection, own_id)
        stream = f"administrator:{own_id}"
        position = decide(store, stream, administrator.evolve, decision, envelope)
        _hold_back(connection, command, position)
    return position


def enable_administrator(
    store: Store, connection: psycopg.Connection, command: EnableAdministrator, envelope: Envelope
) -> int:
    """Enable or disable an administrator.

    Disabling ends all their sessions and revokes their tokens.
    """
    own_id = command.administrator_id

    def decision(state: administrator.Administrator) -> list[Event]:
        if command.enabled:
            return administrator.enable_administrator(state)
        return administrator.disable_administrator(state, last=last)

    with connection.transaction():
        last = _is_last(store, connection, own_id)
        stream = f"administrator:{own_id}"
        position = decide(store, stream, administrator.evolve, decision, envelope)
        if not command.enabled:
            connection.execute(AS_OF, (position, own_id))
            now = envelope.recorded_at
            end_sessions(connection, own_id, "disabled", envelope.actor, now)
            revoke(connection, own_id, now)
    return position


def reset_password(
    store: Store, connection: psycopg.Connection, command: ResetPassword, envelope: Envelope
) -> Made:
    """Generate a new password, to be changed at the next sign-in. Ends all sessions."""
    password, own_id = generate_password(), command.administrator_id
    with connection.transaction():
        connection.execute(RESET, (hash_password(password), own_id))
        end_sessions(connection, own_id, "new_password", envelope.actor, envelope.recorded_at)
        stream = f"administrator:{own_id}"
        position = decide(
            store, stream, administrator.evolve, administrator.reset_password, envelope
        )
    return Made(password, position)


def _hold_back(
    connection: psycopg.Connection,
    command: AddAdministrator | ChangeAdministrator,
    position: int,
) -> None:
    """Let a limited administrator in only after the read model has caught up with `position`."""
    if command.companies or command.role != "administrator":
        connection.execute(AS_OF, (position, command.administrator_id))


def _refuse_unknown(store: Store, companies: tuple[str, ...]) -> None:
    known = store.load_many([f"company:{each}" for each in companies])
    for each in companies:
        if f"company:{each}" not in known:
            raise Refused("There is no company “%(name)s”.", name=each)


def change_password(
    store: Store, connection: psycopg.Connection, command: ChangePassword, envelope: Envelope
) -> int:
    """Store a new password. Ends all other sessions of this administrator."""
    own_id, now = command.administrator_id, envelope.recorded_at
    with connection.transaction():
        connection.execute(CHANGE, (command.password_hash, own_id))
        kept = command.kept_session
        end_sessions(connection, own_id, "new_password", envelope.actor, now, kept=kept)
        stream = f"administrator:{own_id}"
        return decide(store, stream, administrator.evolve, administrator.change_password, envelope)


def _is_last(store: Store, connection: psycopg.Connection, administrator_id: str) -> bool:
    """Whether nobody else can manage administrators, according to the log.

    The lock keeps this true until the transaction ends.
    """
    connection.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
    ids = [row[0] for row in connection.execute(IDS) if row[0] != administrator_id]
    others = store.load_many([f"administrator:{each}" for each in ids])
    states = (fold(administrator.evolve, events) for events in others.values())
    return not any(state and state.governs for state in states)


def connect(store: Store) -> psycopg.Connection:
    """Open a connection for the credentials, separate from the store's own."""
    return psycopg.connect(store.url, autocommit=True)
