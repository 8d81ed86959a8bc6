"""How much a port lets in: connections, times, bytes. docs/limits.md tells operators of each."""

import msgspec

MEGABYTE = 1_000_000


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one port; times in seconds."""

    connections: int = 1_000
    connections_of_network: int = 200  # an IPv4 address, or the /64 of an IPv6 one
    head_seconds: float = 10.0  # for the first line and the headers together
    body_seconds: float = 20.0  # for a body, and more for what arrives:
    bytes_per_second: int = 1_024  # the slowest sender and the slowest reader
    longest_body_seconds: float = 300.0  # however much arrives
    reader_seconds: float = 30.0  # for an answer that nobody reads
    idle_seconds: float = 120.0  # between two requests; libcurl sends again after a shorter one
    handler_seconds: float = 60.0  # for our own work
    linger_seconds: float = 2.0  # for a refused body, so that its sender reads the answer
    memory_bytes: int = 64 * MEGABYTE  # of all bodies that wait in memory
    disk_bytes: int = 250 * MEGABYTE  # of all uploads on disk
    look_seconds: float = 1.0  # between two checks of a connection
