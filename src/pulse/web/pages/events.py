"""What a browser listens to while a page is seen: that something of it has changed."""

from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from pulse.refusals import Refusal
from pulse.web.api.asking import Shared

router = APIRouter(include_in_schema=False, default_response_class=Response)

HEARTBEAT_S: Final = 15
"""Proxies close what says nothing for long; so that is said."""


@router.get("/events")
async def events(
    request: Request,
    service: Shared,
    account: Annotated[str | None, Query(max_length=1_000)] = None,
) -> Response:
    """Server-sent events: `changed`, and `end` where the session has ended."""
    session = service.access.session(request)
    if session is None:
        raise Refusal(401, "signed_out", "sign in first")
    listening = ExitStack()
    listener = listening.enter_context(service.live.listen(session.mark, account))

    async def said() -> AsyncIterator[bytes]:
        yield b"retry: 3000\n\n"
        quiet_s = 0
        while not service.live.is_ending():
            # Each second: a token that is revoked holds no longer here either.
            has_changed = await listener.changes(within_s=1.0)
            if service.access.session(request) is None:
                yield b"event: end\ndata: 1\n\n"
                return
            quiet_s = 0 if has_changed else quiet_s + 1
            if has_changed:
                yield b"event: changed\ndata: 1\n\n"
            elif quiet_s % HEARTBEAT_S == 0:
                yield b":\n\n"

    return _Events(said(), listening)


class _Events(StreamingResponse):
    """However it ends, also before anything was said, nobody listens any more."""

    def __init__(self, said: AsyncIterator[bytes], listening: ExitStack) -> None:
        # A proxy that collects answers would keep these.
        headers = {"X-Accel-Buffering": "no"}
        super().__init__(said, media_type="text/event-stream", headers=headers)
        self._listening = listening

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._listening:
            await super().__call__(scope, receive, send)
