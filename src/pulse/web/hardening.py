"""What every answer says to browsers, and how large and how slow a request may be."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

from pulse.serving import answer

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES: Final = 64 << 10
"""Of a request's body: everything that is said here is short."""
PATIENCE_S: Final = 20.0
"""A request's head must have come in within this time, and its body within the same again."""

_HEADERS: Final = {
    # Our one script, none within a page; no frames, nothing from elsewhere; forms go to us.
    b"content-security-policy": b"default-src 'none'; script-src 'self'; connect-src 'self'; "
    b"style-src 'self'; img-src 'self'; "
    b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    b"x-frame-options": b"DENY",
    b"x-content-type-options": b"nosniff",
    # A link's address is a key: it goes to no other site. Not `no-referrer`, with which browsers
    # send forms without saying where they come from.
    b"referrer-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"interest-cohort=()",
    b"cache-control": b"no-store",
}


class Hardened:
    """An application whose answers have these headers, and whose requests are small, and not slow.

    What an answer says of a header itself holds instead of what stands here.
    `broken` answers for what the application raises: FastAPI would do that outside of this.
    """

    def __init__(
        self,
        app: ASGIApp,
        note: Callable[[int], None],
        broken: Callable[[Request, Exception], Response],
        within_s: float = PATIENCE_S,
    ) -> None:
        self._app = app
        self._within_s = within_s
        self._note = note
        self._broken = broken

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        has_started = False

        async def with_headers(message: MutableMapping[str, Any]) -> None:
            nonlocal has_started
            if message["type"] == "http.response.start":
                has_started = True
                self._note(message["status"])
                there = {name for name, _ in message["headers"]}
                # Of a header that is said twice, as of two policies, browsers obey both.
                more = [each for each in _HEADERS.items() if each[0] not in there]
                message["headers"] = [*message["headers"], *more]
            await send(message)

        length = dict(scope["headers"]).get(b"content-length", b"0")
        if not length.isdigit() or int(length) > MOST_BYTES:
            said = {"error": {"reason": "too_large", "detail": _TOO_LARGE}}
            await answer(413, said)(scope, receive, with_headers)
            return
        try:
            await self._app(scope, _bounded(receive, self._within_s), with_headers)
        except Exception as error:
            told = self._broken(Request(scope), error)
            if has_started:
                raise  # the connection is closed, so half an answer is not taken for a whole one
            await told(scope, receive, with_headers)


_TOO_LARGE: Final = f"the body has more than {MOST_BYTES} bytes"


def _bounded(receive: Receive, within_s: float) -> Receive:
    size = 0
    # FastAPI reads a body before it looks at the token, so whoever sends one slowly is anybody.
    until_s: float | None = asyncio.get_running_loop().time() + within_s

    async def bounded() -> Message:
        nonlocal size, until_s
        try:
            async with asyncio.timeout_at(until_s):
                message = await receive()
        except TimeoutError:
            said = f"the body had not come in after {within_s:g} s"
            raise HTTPException(408, said, {"Connection": "close"}) from None
        size += len(message.get("body", b""))
        if size > MOST_BYTES:
            raise HTTPException(413, _TOO_LARGE)
        if not message.get("more_body", False):
            until_s = None  # what comes now is that the client has gone
        return message

    return bounded
