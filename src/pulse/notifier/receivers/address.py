"""The address check: pulse connects to no address inside a network unless it is told to.

A webhook's URL can name, or its name can be made to resolve to, a machine that only pulse reaches
(a cloud's metadata, a database). So the check stands where it cannot be got round: on every address
a socket is about to be opened to, after the name was resolved, and on the same address. Which
addresses are refused is in `pulse.config.addresses`, which looks at the URL already when the
configuration is read.

`connector` is for HTTP, `connected_socket` for what speaks another protocol. Both resolve a name
once and connect to what they checked, so a name that resolves differently the second time gains
nothing.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import TCPConnector

from pulse.config.addresses import refusal

Refuse = Callable[[str], str | None]
"""Says why an address is refused, None where it is not."""


class AddressRefused(OSError):
    """pulse does not connect there; the message says to which address and why."""


class CheckedResolver(AbstractResolver):
    """Resolves names to addresses of the internet only; `AddressRefused` where none is one."""

    def __init__(self, resolver: AbstractResolver | None = None, refuse: Refuse = refusal) -> None:
        self._resolver = resolver or ThreadedResolver()
        self._refuse = refuse

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        reasons = {result["host"]: self._refuse(result["host"]) for result in found}
        checked = [result for result in found if reasons[result["host"]] is None]
        if found and not checked:
            refused = ", ".join(f"{address} ({why})" for address, why in reasons.items())
            raise AddressRefused(f"{host} resolves to {refused}")
        return checked

    async def close(self) -> None:
        await self._resolver.close()


def checked_socket(info: tuple[Any, ...], refuse: Refuse = refusal) -> socket.socket:
    """A socket for an address that passes the check; aiohttp connects it to this very address.

    `info` is as `getaddrinfo` gives it: family, type, protocol, name, (address, port, …).
    """
    family, kind, protocol, _, where = info
    why = refuse(where[0])
    if why:
        raise AddressRefused(f"{where[0]} ({why})")
    return socket.socket(family, kind, protocol)


async def connected_socket(
    host: str,
    port: int,
    *,
    allow_private: bool,
    resolver: AbstractResolver | None = None,
    refuse: Refuse = refusal,
) -> socket.socket:
    """A TCP connection to the first address of `host` that passes the check and answers.

    Raises `OSError`; `AddressRefused` is one. The caller bounds the time.
    """
    system = resolver or ThreadedResolver()
    names = system if allow_private else CheckedResolver(system, refuse)
    failure = OSError(f"{host} has no address")
    for found in await names.resolve(host, port, socket.AF_UNSPEC):
        where = (found["host"], found["port"])
        made = socket.socket(found["family"], socket.SOCK_STREAM)
        try:
            made.setblocking(False)
            await asyncio.get_running_loop().sock_connect(made, where)
        except OSError as error:
            made.close()
            failure = error
        except BaseException:
            made.close()
            raise
        else:
            return made
    raise failure


def connector(
    *,
    allow_private: bool,
    limit: int,
    tls: ssl.SSLContext,
    resolver: AbstractResolver | None = None,
    refuse: Refuse = refusal,
) -> TCPConnector:
    """The connections of one receiver, checked unless its private address is allowed.

    Names are resolved anew for every connection. `resolver` replaces the system's in tests, and
    `refuse` what is refused.
    """
    system = resolver or ThreadedResolver()
    return TCPConnector(
        limit=limit,
        ssl=tls,
        resolver=system if allow_private else CheckedResolver(system, refuse),
        socket_factory=None if allow_private else partial(checked_socket, refuse=refuse),
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
