"""Which addresses of the web work may be sent to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import httpx

Origin = tuple[str, str, int]
"""Scheme, host and port."""
Address = IPv4Address | IPv6Address

_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_NAT64 = IPv6Network("64:ff9b::/96")
_UNICAST = IPv6Network("2000::/3")
"""All that is handed out for use in public; what lies outside is reserved, though not always called private."""
_LONGEST = 2_000


@dataclass(frozen=True)
class Allowed:
    """What an operator listed: origins (scheme, host and port), host names, and networks.

    An address that is not public (private, loopback, link-local ...) is reached only when its network is listed, by
    whatever name it is called; `localhost`, where it is listed, may also mean loopback.

    Examples
    --------
    >>> allowed = Allowed.of(["https://hooks.example.com", "10.1.0.0/16"])
    >>> allowed.origin_of("https://hooks.example.com/send")
    ('https', 'hooks.example.com', 443)
    >>> allowed.reaches("10.1.2.3", "hooks.example.com"), allowed.reaches("10.2.0.1", "hooks.example.com")
    (True, False)
    """

    entries: tuple[str, ...] = ()
    origins: frozenset[Origin] = frozenset()
    hosts: frozenset[str] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def of(cls, entries: Iterable[str]) -> Allowed:
        """Read a list of origins, host names, addresses and networks.

        Raises
        ------
        ValueError
            Naming the entry that is none of these.
        """
        allowed = cls()
        for entry in entries:
            allowed = allowed._with(entry)
        return allowed

    def with_url(self, url: str) -> Allowed:
        """The same, with the origin of a URL.

        Raises
        ------
        ValueError
            Saying why it is no URL.
        """
        scheme, host, port = _origin(_read(url))
        return self._with(f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}")

    def origin_of(self, url: str) -> Origin:
        """The origin of a URL that work may be sent to, as far as the URL tells.

        Raises
        ------
        ValueError
            Saying what is allowed in its place.
        """
        origin = _origin(_read(url))
        literal = _literal(origin[1])
        if not (origin in self.origins or origin[1] in self.hosts or (literal is not None and self._lists(literal))):
            raise ValueError(f"must lead to what http_allow lists: {', '.join(self.entries) or 'nothing'}")
        return origin

    def reaches(self, address: str, host: str) -> bool:
        """Whether the address that a host name stands for may be connected to."""
        literal = ip_address(address)
        meant = _meant(literal)
        if self._lists(literal) or self._lists(meant):
            return True
        if self._names(host) and (_literal(host) == literal or (host == "localhost" and meant.is_loopback)):
            return True
        return _is_public(meant)

    def _names(self, host: str) -> bool:
        return host in self.hosts or any(host == named for _, named, _ in self.origins)

    def _lists(self, address: Address) -> bool:
        return any(address in network for network in self.networks)

    def _with(self, entry: str) -> Allowed:
        more = replace(self, entries=(*self.entries, entry))
        if "://" in entry:
            try:
                url = _read(entry)
                origin = _origin(url)
            except ValueError as error:
                raise ValueError(f"{entry!r} {error}") from error
            if url.raw_path != b"/" or url.fragment:
                raise ValueError(f"{entry!r} must end with the host or port: a path is not looked at")
            return replace(more, origins=self.origins | {origin})
        try:
            return replace(more, networks=(*self.networks, ip_network(entry)))
        except ValueError:
            if not _HOST.fullmatch(entry.lower()):
                allowed = "an origin (https://hooks.example.com), a host name, an address or a network (10.1.0.0/16)"
                raise ValueError(f"{entry!r} must be {allowed}") from None
        return replace(more, hosts=self.hosts | {entry.lower()})


NOTHING = Allowed()


def _read(url: str) -> httpx.URL:
    if len(url) > _LONGEST:
        raise ValueError(f"must be at most {_LONGEST} characters long")
    try:
        read = httpx.URL(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise ValueError(f"must be a URL ({error})") from error
    if read.scheme not in _PORTS or not read.raw_host:
        raise ValueError("must be a URL that begins with https://HOST or http://HOST")
    if read.userinfo:
        raise ValueError("must be a URL without a user's name or password")
    return read


def _origin(url: httpx.URL) -> Origin:
    port = _PORTS[url.scheme] if url.port is None else url.port
    if not 1 <= port <= 65_535:
        raise ValueError(f"must be a URL with a port from 1 to 65535, not {port}")
    host = url.raw_host.decode("ascii").lower().rstrip(".")
    literal = _literal(host)
    return url.scheme, host if literal is None else str(literal), port


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _UNICAST:
        return False
    return address.is_global and not address.is_multicast


def _meant(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, where it does."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address
