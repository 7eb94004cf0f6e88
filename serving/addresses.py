"""Addresses that services bind to, and how they are reached there."""

from __future__ import annotations

import ipaddress
from functools import lru_cache


@lru_cache(maxsize=256)  # asked twice a request, mostly about the same two
def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host.

    >>> [is_loopback(host) for host in ("127.0.0.5", "::1", "localhost", "0.0.0.0", "shop.example")]
    [True, True, True, False, False]
    """
    if host == "localhost":
        return True
    return is_address(host) and ipaddress.ip_address(host).is_loopback


def is_address(text: str) -> bool:
    """Whether this is an IP address, rather than a name."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def reached_at(host: str) -> str:
    """A host as URLs spell it; one that stands for every address of this machine is reached at loopback.

    >>> [reached_at(host) for host in ("192.0.2.7", "0.0.0.0", "::")]
    ['192.0.2.7', '127.0.0.1', '[::1]']
    """
    if is_address(host) and ipaddress.ip_address(host).is_unspecified:
        return "[::1]" if ":" in host else "127.0.0.1"
    return f"[{host}]" if ":" in host else host
