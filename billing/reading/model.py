"""Types of the parser's input and output."""

from typing import Literal, Protocol

import msgspec

Source = Literal[
    "native", "freeswitch_json", "freeswitch_xml", "asterisk", "kamailio", "csv", "unknown"
]


class SourceProfile(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that a device's records are parsed with (data, not code)."""

    zone: str = "UTC"  # IANA zone of times without offset
    format: str = "auto"  # a hint for bodies whose format can't be detected
    columns: tuple[str, ...] = ()  # of a CSV without a header or a known layout
    fallback_encoding: str = "cp1252"  # of bytes that are not UTF-8


class Unacceptable(Exception):  # noqa: N818 -- a response to the sender, not an error of ours
    """The whole body is refused; `status` is the HTTP status of the response."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Registration(Protocol):
    """The settings of a device that parsing depends on."""

    @property
    def time_zone(self) -> str: ...
    @property
    def format(self) -> str: ...
    @property
    def columns(self) -> tuple[str, ...]: ...
    @property
    def fallback_encoding(self) -> str: ...


def profile_of(registration: Registration) -> SourceProfile:
    """Return the parsing profile of a registered device."""
    return SourceProfile(
        zone=registration.time_zone,
        format=registration.format,
        columns=registration.columns,
        fallback_encoding=registration.fallback_encoding,
    )
