"""Where requests come from."""

from ipaddress import ip_address, ip_network
from typing import Any

from sanic import Request

HOME_BITS = 64  # of an IPv6 address: what one customer has


def ip_address_of(request: Request[Any, Any]) -> str:
    """Where a request comes from: what the last proxy that is ours says, or the connection."""
    return str(request.client_ip).strip("[]")


def network_of(address: str) -> str:
    """What is throttled as one: an IPv4 address, or all the IPv6 addresses of a customer."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if found.version == 4:  # noqa: PLR2004 -- IPv4
        return address
    return str(ip_network((found, HOME_BITS), strict=False))
