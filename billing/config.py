"""The settings, read once from the environment into one frozen struct."""

from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec

from billing.values import Refused


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator can set; docs/settings.md explains each."""

    database_url: str = ""  # "" = the embedded PostgreSQL in data_dir
    data_dir: Path = Path("data")
    bind_address: str = "127.0.0.1"
    web_port: int = 8080
    cdr_port: int = 8081
    proxies: int = 0  # in front of both ports, each adding to X-Forwarded-For
    time_zone: str = "Europe/Madrid"  # the days of statistics and of every page
    cookie_secure: bool = False  # on behind HTTPS
    public_url: str = ""  # under which browsers reach the pages; its certificate is watched
    metrics_token: str = ""  # that Prometheus shows; "" admits this machine only
    smtp_url: str = ""  # smtp://user:password@host:587; "" sends no mail
    mail_from: str = "contarifa@localhost"

    @property
    def archives(self) -> Path:
        """Where the files of archived months lie."""
        return self.data_dir / "archives"

    @property
    def backups(self) -> Path:
        """Where backups are made."""
        return self.data_dir / "backups"

    @property
    def exports(self) -> Path:
        """The folder of files that are made to be sent; it is empty after a stop."""
        return self.data_dir / "exports"

    @property
    def uploads(self) -> Path:
        """The folder of uploaded files; they are removed when their request is answered."""
        return self.data_dir / "uploads"


SETTINGS = {
    "database_url": "DATABASE_URL",
    "data_dir": "BILLING_DATA_DIR",
    "bind_address": "BILLING_BIND",
    "web_port": "BILLING_WEB_PORT",
    "cdr_port": "BILLING_CDR_PORT",
    "proxies": "BILLING_PROXIES",
    "time_zone": "BILLING_TIME_ZONE",
    "cookie_secure": "BILLING_COOKIE_SECURE",
    "public_url": "BILLING_PUBLIC_URL",
    "metrics_token": "BILLING_METRICS_TOKEN",
    "smtp_url": "BILLING_SMTP_URL",
    "mail_from": "BILLING_MAIL_FROM",
}


def read_config(environ: Mapping[str, str]) -> Config:
    """The settings found in `environ`. Refused naming the variable that can't be understood."""
    given = {field: environ[name] for field, name in SETTINGS.items() if environ.get(name)}
    values: dict[str, object] = {}
    for field, text in given.items():
        try:
            values[field] = _READ.get(field, str)(text)
        except (ValueError, KeyError, OSError) as error:
            raise Refused(
                "The setting %(name)s can't be %(text)s.", name=SETTINGS[field], text=repr(text)
            ) from error
    return msgspec.convert(values, Config)


def _port(text: str) -> int:
    port = int(text)
    if not 0 < port < 65536:  # noqa: PLR2004 -- the range of TCP ports
        raise ValueError(text)
    return port


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) == 1):
        raise ValueError(text)
    return int(text)


def _public_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme != "https" or not parts.hostname or parts.port == 0:
        raise ValueError(text)
    return text


def _smtp_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ValueError(text)
    return text


def _switch(text: str) -> bool:
    return {"yes": True, "no": False}[text.lower()]


_READ: dict[str, Callable[[str], object]] = {
    "data_dir": Path,
    "web_port": _port,
    "cdr_port": _port,
    "proxies": _count,
    "time_zone": lambda text: ZoneInfo(text).key,
    "cookie_secure": _switch,
    "public_url": _public_url,
    "smtp_url": _smtp_url,
}
