"""The IP addresses of requests."""

from ipaddress import ip_address, ip_network
from typing import Any

from sanic import Request

HOME_BITS = 64  # of an IPv6 address: the part of one customer


def ip_address_of(request: Request[Any, Any]) -> str:
    """Return a request's IP address: the one our last proxy names, else that of the connection."""
    return str(request.client_ip).strip("[]")


def network_of(address: str) -> str:
    """Return the network to throttle as one: an IPv4 address, or the IPv6 network of a customer."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if found.version == 4:  # noqa: PLR2004 -- IPv4
        return address
    return str(ip_network((found, HOME_BITS), strict=False))
