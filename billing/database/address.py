"""Connection settings that every connection has, and errors in words without secrets."""

import os
import re
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from billing.values import Refused

# The operator's own URL takes precedence. A connection that breaks without notice is detected
# within seconds, instead of the minutes or hours of the system's defaults.
STEADY = {
    "connect_timeout": "2",
    "keepalives": "1",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "3000",
    "target_session_attrs": "read-write",  # of several hosts the one that takes writes
    "application_name": "contarifa",
}
HOST = re.compile(r"[\w.:%-]*|/.*|@.*")  # a name, an IP address, or the folder of a socket
SECRETS = ("password", "sslpassword", "oauth_client_secret")


def steady(url: str) -> str:
    """Add STEADY to a URL. Refused for an invalid URL; the message does not repeat it."""
    try:
        given = conninfo_to_dict(url)
        if _is_understood(given):
            return make_conninfo(**_texts({**STEADY, **given}))
    except (psycopg.Error, ValueError):
        pass  # their messages repeat the URL
    raise Refused(
        "The setting %(name)s can't be understood. It looks like %(wanted)s, with signs such as @"
        " and / in the password written as %%40 and %%2F.",
        name="DATABASE_URL",
        wanted="postgresql://USER:PASSWORD@HOST:5432/NAME",
    )


def _is_understood(given: Mapping[str, Any]) -> bool:
    """Return whether hosts and ports are valid, and not parts of an unescaped password."""
    hosts, ports = (str(given.get(name) or "").split(",") for name in ("host", "port"))
    return all(HOST.fullmatch(host) for host in hosts) and all(
        port == "" or 0 < int(port) < 65536  # noqa: PLR2004 -- the range of TCP ports
        for port in ports
    )


def _texts(given: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in given.items() if value is not None}


def in_words(url: str, error: psycopg.Error) -> Refused:
    """Return a message for the operator about an unusable database: where, why, what to do."""
    given = conninfo_to_dict(url)
    where = str(given.get("host") or "localhost")
    if not where.startswith("/"):
        where += f":{given.get('port') or 5432}"
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    why = re.sub(r"^.*(failed|error): ", "", lines[0].strip())
    return Refused(
        "The database at %(where)s can't be used: %(why)s. Start it, or correct %(name)s.",
        where=where,
        why=why.removeprefix("FATAL:").strip().rstrip("."),
        name="DATABASE_URL",
    )


def psql_environment(url: str, of: Mapping[str, str] = os.environ) -> tuple[str, dict[str, str]]:
    """Return psql's connection string without secrets, and the environment that contains them."""
    given = _texts(conninfo_to_dict(url))
    environment = dict(of)
    if "password" in given:
        environment["PGPASSWORD"] = given["password"]
    shown = {name: value for name, value in given.items() if name not in SECRETS}
    return make_conninfo(**shown), environment
