"""Where requests come from."""

from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from sanic import Request

HOME_BITS = 64  # of an IPv6 address: what one customer has


def ip_address_of(request: Request[Any, Any]) -> str:
    """Return where a request comes from: what our last proxy says, or the connection."""
    return str(request.client_ip).strip("[]")


def network_of(address: str) -> str:
    """Return what is limited as one: an IPv4 address, or the /64 of an IPv6 address.

    An IPv4 address that is written as an IPv6 one is the same. Anything else is returned as it is.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        mapped = found.ipv4_mapped
        return str(mapped) if mapped else str(ip_network((int(found), HOME_BITS), strict=False))
    return str(found)
