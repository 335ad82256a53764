"""Which addresses a receiver's URL may name, as far as that can be said without resolving a name.

The other half of the check, at the moment of connecting, is `pulse.notifier.receivers.address`.
"""

import unicodedata
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

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


def address_mistake(url: str, *, allow_private: bool) -> tuple[str, str | None] | None:
    """What is wrong with where a URL points to, and what to do instead; None if nothing.

    Names are not resolved: that is done when they are connected to. The words name the host, never
    the whole URL: its path may be a secret.

    >>> address_mistake("http://169.254.169.254/", allow_private=False)
    ('169.254.169.254 is not on the internet (link-local)', 'allow_private: true permits it')
    """
    try:
        parsed = URL(url)
    except ValueError:
        return "is not an address that can be understood", None
    if parsed.scheme not in ("http", "https"):
        return "must begin with https:// or http://", None
    host = parsed.raw_host
    if not host:
        return "has no host", None
    return host_mistake(host, allow_private=allow_private)


def host_mistake(host: str, *, allow_private: bool) -> tuple[str, str | None] | None:
    """What is wrong with the host of an address, and what to do instead; None if nothing.

    >>> host_mistake("127.1", allow_private=True)
    ('127.1 is a strange way to write an address', 'write 127.0.0.1')
    """
    address = literal_address(host)
    if isinstance(address, IPv4Address) and host != str(address):
        return f"{host} is a strange way to write an address", f"write {address}"
    if allow_private:
        return None
    why = refusal(str(address)) if address is not None else None
    if host.rstrip(".").lower().endswith("localhost"):
        why = "loopback"
    if why is None:
        return None
    return f"{host} is not on the internet ({why})", "allow_private: true permits it"
