"""Whom a trusted proxy has let in: believed only of connections that come from its addresses."""

from __future__ import annotations

import os
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Final, NamedTuple

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from pulse.web.people.users import is_name
from pulse.web.tokens import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from pulse.config.web import ProxyAuth

NEAR_ENV: Final = "FORWARDED_ALLOW_IPS"
"""The environment variable, as uvicorn calls it, with the near proxies: addresses and networks."""

_PEER: Final = "pulse.peer"
_FOUND: Final = "pulse.let_in"


def near_proxies(environ: Mapping[str, str] = os.environ) -> str:
    """The proxies that are believed when they say who has asked them."""
    return environ.get(NEAR_ENV, "127.0.0.1,::1")


def counts_all_as_one(host: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether all who come by a proxy on another machine would have one address, the proxy's.

    >>> counts_all_as_one("0.0.0.0", {}), counts_all_as_one("localhost", {})
    (True, False)
    >>> counts_all_as_one("0.0.0.0", {"FORWARDED_ALLOW_IPS": "10.244.0.0/16"})
    False
    """
    try:
        is_near = ip_address(host).is_loopback
    except ValueError:
        is_near = host == "localhost"
    return not is_near and NEAR_ENV not in environ


class LetIn(NamedTuple):
    """Whom the proxy says it has let in."""

    name: str
    role: Role


class Proxy:
    """Reads the proxy's headers. `on_untrusted`: somebody else has sent them, or they are odd."""

    def __init__(self, auth: ProxyAuth, on_untrusted: Callable[[], None] = lambda: None) -> None:
        self._auth = auth
        self._trusted = [ip_network(each) for each in auth.trusted]
        self._on_untrusted = on_untrusted

    def let_in(self, request: Request) -> LetIn | None:
        """Whom it has let in; None where it says nobody, or is not who is believed."""
        scope = request.scope
        if _FOUND not in scope:  # asked several times of a request, and counted once
            scope[_FOUND] = self._look(request)
        found: LetIn | None = scope[_FOUND]
        return found

    def _look(self, request: Request) -> LetIn | None:
        names = request.headers.getlist(self._auth.header)
        header = self._auth.groups_header
        groups = [] if header is None else request.headers.getlist(header)
        if not any(names):
            return None
        name = _text(names[0]).strip()
        # Of two headers one is of whoever asks, and the proxy let it through.
        is_odd = len(names) > 1 or len(groups) > 1 or not is_name(name)
        if is_odd or not self._is_trusted(request.scope):
            self._on_untrusted()
            return None
        role = self._role(_text(groups[0]) if groups else "")
        return None if role is None else LetIn(name, role)

    def _is_trusted(self, scope: Scope) -> bool:
        peer = scope.get(_PEER)
        if not peer:
            return False
        try:
            address = ip_address(peer[0].partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in each for each in self._trusted)

    def _role(self, groups: str) -> Role | None:
        said = {each.strip() for each in groups.split(",")}
        roles = {role for group, role in self._auth.roles.items() if group in said}
        found = [role for role in Role if role in roles]
        if found:
            return found[-1]
        default = self._auth.default_role
        return None if default == "none" else Role(default)


def _text(header: str) -> str:
    # Headers are read as Latin-1, and proxies write names in UTF-8.
    try:
        return header.encode("latin-1").decode()
    except UnicodeDecodeError:
        return header


class Peers:
    """An application behind proxies: the client is whom a near proxy names (`X-Forwarded-For`), and
    who is connected is remembered, since that alone nobody can make up.
    """

    def __init__(self, app: ASGIApp, near: str) -> None:
        self._app: ASGIApp = ProxyHeadersMiddleware(  # type: ignore[assignment]  # as below
            app,  # type: ignore[arg-type]  # uvicorn has names of its own for what ASGI passes on
            near,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        scope[_PEER] = scope.get("client")
        await self._app(scope, receive, send)
