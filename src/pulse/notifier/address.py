"""The address check: pulse connects to no address inside a network unless it is told to.

A webhook's URL can name, or its name can be made to resolve to, a machine that only pulse reaches
(a cloud's metadata, a database). So the check stands where it cannot be got round: on every address
a socket is about to be opened to, after the name was resolved, and on the same address.
"""

import socket
import ssl
import unicodedata
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import TCPConnector
from yarl import URL

_REFUSED_V4: Final[Mapping[IPv4Network, str]] = {
    IPv4Network(network): name
    for network, name in (
        ("0.0.0.0/8", "this network"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "protocol assignments"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
}

_GLOBAL_V6: Final = IPv6Network("2000::/3")
"""All that is routed on the internet; whatever lies outside is refused, known by name or not."""

_REFUSED_V6: Final[Mapping[IPv6Network, str]] = {
    IPv6Network(network): name
    for network, name in (
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("::ffff:0:0/96", "IPv4-mapped"),
        ("::ffff:0:0:0/96", "IPv4-translated"),
        ("::/96", "IPv4-compatible"),
        ("64:ff9b::/96", "NAT64"),
        ("64:ff9b:1::/48", "NAT64"),
        ("100::/64", "discard-only"),
        ("2001:db8::/32", "documentation"),
        ("2001::/32", "Teredo"),
        ("2001::/23", "protocol assignments"),
        ("2002::/16", "6to4"),
        ("3fff::/20", "documentation"),
        ("fc00::/7", "unique local"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
    )
}

_DOTS: Final = str.maketrans(dict.fromkeys("\u3002\uff0e\uff61", "."))
"""What internationalised names may have for a dot."""


class AddressRefused(OSError):
    """pulse does not connect there; the message says to which address and why."""


def refusal(address: str) -> str | None:
    """Why an IP address is refused, or None where it is one of the internet.

    `address` is as the system writes it: not a name, no port; an IPv6 zone is ignored.

    >>> refusal("10.1.2.3"), refusal("::ffff:8.8.8.8"), refusal("93.184.216.34")
    ('private', 'IPv4-mapped', None)
    """
    parsed = ip_address(address.split("%", 1)[0])
    if isinstance(parsed, IPv4Address):
        return next((name for net, name in _REFUSED_V4.items() if parsed in net), None)
    named = next((name for net, name in _REFUSED_V6.items() if parsed in net), None)
    return named or (None if parsed in _GLOBAL_V6 else "not a global address")


def literal_address(host: str) -> IPv4Address | IPv6Address | None:
    """The IP address that a URL's host spells, or None where it is a name.

    Knows the spellings the C library accepts: one to four parts, each decimal, octal or
    hexadecimal; full-width digits and dots; brackets, a zone, a dot at the end.

    >>> literal_address("0x7f.1"), literal_address("2130706433"), literal_address("example.com")
    (IPv4Address('127.0.0.1'), IPv4Address('127.0.0.1'), None)
    """
    text = unicodedata.normalize("NFKC", host).translate(_DOTS)
    text = text.strip("[]").split("%", 1)[0].rstrip(".")
    if ":" in text:
        try:
            return IPv6Address(text)
        except ValueError:
            return None
    parts = text.split(".")
    if not 1 <= len(parts) <= 4:
        return None
    try:
        numbers = [_c_number(part) for part in parts]
    except ValueError:
        return None
    *heads, tail = numbers
    if any(head > 255 for head in heads) or tail >= 256 ** (5 - len(numbers)):
        return None
    value = tail
    for place, head in enumerate(heads):
        value += head << (8 * (3 - place))
    return IPv4Address(value)


def _c_number(text: str) -> int:
    if not (text.isascii() and text.isalnum()):
        raise ValueError(text)
    if text[:2].lower() == "0x":
        return int(text[2:] or "0", 16)
    return int(text, 8 if text[0] == "0" and len(text) > 1 else 10)


def check_url(url: str, *, allow_private: bool) -> None:
    """Raise `ValueError` where a receiver's URL can be refused without resolving a name.

    Called when the configuration is read; a name is checked when it is connected to. The message
    names the host, never the whole URL: its path may be a secret.
    """
    try:
        parsed = URL(url)
    except ValueError:
        raise ValueError("is not a URL") from None
    if parsed.scheme not in ("http", "https"):
        raise ValueError("must begin with http:// or https://")
    host = parsed.raw_host
    if not host:
        raise ValueError("has no host")
    address = literal_address(host)
    if address is not None and not _is_canonical(host, address):
        raise ValueError(f"host {host}: write the address as {address}")
    if allow_private:
        return
    why = refusal(str(address)) if address is not None else None
    if host.rstrip(".").lower().endswith("localhost"):
        why = "loopback"
    if why:
        raise ValueError(
            f"host {host} is not on the internet ({why}); "
            "`allow_private: true` on this receiver permits it"
        )


def _is_canonical(host: str, address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return host == str(address)
    return True


class CheckedResolver(AbstractResolver):
    """Resolves names to addresses of the internet only; `AddressRefused` where none is one."""

    def __init__(self, resolver: AbstractResolver | None = None) -> None:
        self._resolver = resolver or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        reasons = {result["host"]: refusal(result["host"]) for result in found}
        checked = [result for result in found if reasons[result["host"]] is None]
        if found and not checked:
            refused = ", ".join(f"{address} ({why})" for address, why in reasons.items())
            raise AddressRefused(f"{host} resolves to {refused}")
        return checked

    async def close(self) -> None:
        await self._resolver.close()


def checked_socket(info: tuple[Any, ...]) -> socket.socket:
    """A socket for an address that passes the check; aiohttp connects it to this very address.

    `info` is as `getaddrinfo` gives it: family, type, protocol, name, (address, port, …).
    """
    family, kind, protocol, _, where = info
    why = refusal(where[0])
    if why:
        raise AddressRefused(f"{where[0]} ({why})")
    return socket.socket(family, kind, protocol)


def connector(
    *,
    allow_private: bool,
    limit: int,
    tls: ssl.SSLContext,
    resolver: AbstractResolver | None = None,
) -> TCPConnector:
    """The connections of one receiver, checked unless its private address is allowed.

    Names are resolved anew for every connection. `resolver` replaces the system's in tests.
    """
    system = resolver or ThreadedResolver()
    return TCPConnector(
        limit=limit,
        ssl=tls,
        resolver=system if allow_private else CheckedResolver(system),
        socket_factory=None if allow_private else checked_socket,
        use_dns_cache=False,
        # Most servers close an idle connection after 5 s or more: let go before they do, or a
        # request meets a connection that is just being closed.
        keepalive_timeout=4.0,
    )


def refused_in(error: BaseException) -> AddressRefused | None:
    """The refusal behind an error of aiohttp's, if that is its cause."""
    seen: Sequence[BaseException | None] = (error, error.__cause__, error.__context__)
    for cause in (*seen, getattr(error, "os_error", None)):
        if isinstance(cause, AddressRefused):
            return cause
    return None
