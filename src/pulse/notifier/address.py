"""The address check: pulse connects to no address inside a network unless it is told to.

A webhook's URL can name, or its name can be made to resolve to, a machine that only pulse reaches
(a cloud's metadata, a database). So the check stands where it cannot be got round: on every address
a socket is about to be opened to, after the name was resolved, and on the same address. Which
addresses are refused is in `pulse.config.addresses`, which looks at the URL already when the
configuration is read.
"""

import socket
import ssl
from typing import Any

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import TCPConnector

from pulse.config.addresses import refusal


class AddressRefused(OSError):
    """pulse does not connect there; the message says to which address and why."""


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
    os_error = getattr(error, "os_error", None)
    for cause in (error, error.__cause__, error.__context__, os_error):
        if isinstance(cause, AddressRefused):
            return cause
    return None
