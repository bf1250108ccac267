"""Where a webhook may be sent: public addresses over https, looked up once and then connected to as they were found.

A name could point at a public address when it is checked and at this machine's own network when it is used, so nothing
here connects by name.
"""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address

URL_LENGTH_MAX = 2_000
_NAT64 = ip_network("64:ff9b::/96")


class UrlRefused(ValueError):
    """No webhook is sent there; the message says why."""


class Target(NamedTuple):
    """A checked URL: how to connect, and the name that the certificate and the Host header are for."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The Host header."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == _PORTS[self.scheme] else f"{name}:{self.port}"

    def at(self, address: Address) -> str:
        """The URL with an address in the name's place."""
        name = f"[{address}]" if address.version == 6 else str(address)
        return f"{self.scheme}://{name}:{self.port}{self.path}"


_PORTS = {"https": 443, "http": 80}


def parse(url: str, *, loopback: bool) -> Target:
    """The parts of a URL; `loopback` allows plain http (to this machine, which `public_address` checks).

    Raises UrlRefused for another scheme, user names, fragments, no host, or characters that no URL has.
    """
    if len(url) > URL_LENGTH_MAX or not url.isascii() or any(ord(sign) <= 32 or sign in '\\"<>^`{|}' for sign in url):
        raise UrlRefused("not a URL, or too long")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UrlRefused(f"not a URL: {error}") from None
    if parts.scheme != "https" and not (loopback and parts.scheme == "http"):
        raise UrlRefused("webhooks are sent over https only")
    if not host or parts.username is not None or parts.password is not None or parts.fragment or "%" in host:
        raise UrlRefused("a host is needed; user names and fragments are not allowed")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, _PORTS[parts.scheme] if port is None else port, path)


def is_public(address: Address) -> bool:
    """True for an address of the open internet, also looking into addresses that carry an IPv4 address inside."""
    inner = _carried(address)
    if inner is not None:
        return is_public(inner)
    special = address.is_multicast or address.is_reserved or address.is_unspecified or address.is_link_local
    return address.is_global and not special


def _carried(address: Address) -> IPv4Address | None:
    if not isinstance(address, IPv6Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)


def check(target: Target, found: list[Address], *, loopback: bool) -> Address:
    """The address to connect to. UrlRefused unless all that were found may be connected to."""
    if not found:
        raise UrlRefused(f"{target.host} has no address")
    if loopback and all(address.is_loopback for address in found):
        return found[0]
    if target.scheme != "https":
        raise UrlRefused("plain http is for this machine only")
    refused = next((address for address in found if not is_public(address)), None)
    if refused is not None:
        raise UrlRefused(f"{target.host} is at {refused}, which is no public address")
    return found[0]


def literal(host: str) -> Address | None:
    """The address that a host is written as; None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


async def look_up(target: Target) -> list[Address]:
    """All addresses of the host now. UrlRefused where there are none."""
    address = literal(target.host)
    if address is not None:
        return [address]
    try:
        rows = await asyncio.get_running_loop().getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UrlRefused(f"{target.host} was not found: {error}") from None
    return [ip_address(str(row[4][0]).partition("%")[0]) for row in rows]
