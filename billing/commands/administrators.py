"""Commands on administrators, and the credentials they sign in with."""

import msgspec
import psycopg

from billing.aggregates import administrator
from billing.aggregates.event import Envelope
from billing.commands.deciding import decide_new
from billing.passwords import generate_password, hash_password
from billing.store import Store
from billing.values import Refused


class AddAdministrator(msgspec.Struct, frozen=True, kw_only=True):
    administrator_id: str
    sign_in_name: str
    name: str = ""
    role: str = "administrator"
    language: str = "es"


def add_administrator(
    store: Store, connection: psycopg.Connection, command: AddAdministrator, envelope: Envelope
) -> str:
    """Add an administrator with a generated password, to be shown once and changed at first use."""
    password = generate_password()
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
        decide_new(
            store,
            f"administrator:{command.administrator_id}",
            administrator.evolve,
            lambda state: administrator.add_administrator(
                state,
                sign_in_name=command.sign_in_name,
                name=command.name,
                role=command.role,
                language=command.language,
            ),
            envelope,
        )
    return password
