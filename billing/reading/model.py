"""What reading needs to know of a device, and what it gives back."""

from typing import Literal, Protocol

import msgspec

Source = Literal[
    "native", "freeswitch_json", "freeswitch_xml", "asterisk", "kamailio", "csv", "unknown"
]


class SourceProfile(msgspec.Struct, frozen=True, kw_only=True):
    """What a device's records need to be read (data, not code)."""

    zone: str = "UTC"  # IANA zone of times without offset
    format: str = "auto"  # a hint for what the body does not tell by itself
    columns: tuple[str, ...] = ()  # of a CSV that has no header and is no known layout
    fallback_encoding: str = "cp1252"  # of bytes that are not UTF-8


class Unacceptable(Exception):  # noqa: N818 -- an answer to the sender, not a fault
    """The whole body is refused; `status` is that of the HTTP answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Registration(Protocol):
    """The part of a device's registration that reading depends on."""

    @property
    def time_zone(self) -> str: ...
    @property
    def format(self) -> str: ...
    @property
    def columns(self) -> tuple[str, ...]: ...
    @property
    def fallback_encoding(self) -> str: ...


def profile_of(registration: Registration) -> SourceProfile:
    """How the records of a registered device are to be read."""
    return SourceProfile(
        zone=registration.time_zone,
        format=registration.format,
        columns=registration.columns,
        fallback_encoding=registration.fallback_encoding,
    )
