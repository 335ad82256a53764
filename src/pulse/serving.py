"""The HTTP server: a signal ends it in order, and it does not wait for ever for a request.

And how a request is refused, in JSON: `{"error": {"reason", "detail"}}`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import uvicorn
from fastapi import Response
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pulse.errors import PulseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulse.refusals import Refusal


def refused(refusal: Refusal) -> Response:
    """How a client is told that its request is refused."""
    headers = {}
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if refusal.retry_after_s is not None:
        headers["Retry-After"] = str(refusal.retry_after_s)
    said = {"error": {"reason": refusal.reason, "detail": refusal.detail}}
    return answer(refusal.status, said, headers)


def answer(status: int, said: Any, headers: dict[str, str] | None = None) -> Response:
    """An answer in JSON."""
    return Response(msgspec.json.encode(said), status, headers, "application/json")


class Server(uvicorn.Server):
    """Ends at SIGINT or SIGTERM by returning, so that whoever runs it can end in order too.

    uvicorn raises the signal once more, of which a process dies at once.
    """

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Listen to the signals while it serves."""
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGINT, signal.SIGTERM)
        for number in numbers:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)


def patient(within_s: float) -> type[HttpToolsProtocol]:
    """A protocol that closes a connection whose request has no head after so long.

    And no end after twice that again: applications refuse a slow body earlier, but one that nobody
    reads comes in for as long as its client likes. uvicorn waits for ever for the next byte.
    """

    class Patient(HttpToolsProtocol):
        _too_slow: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._wait()

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._wait()

        def on_headers_complete(self) -> None:
            self._wait(2 * within_s)
            super().on_headers_complete()

        def on_message_complete(self) -> None:
            self._wait_no_more()
            super().on_message_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            self._wait_no_more()
            super().connection_lost(exc)

        def _wait(self, so_long_s: float = within_s) -> None:
            self._wait_no_more()
            self._too_slow = self.loop.call_later(so_long_s, self.transport.close)

        def _wait_no_more(self) -> None:
            if self._too_slow is not None:
                self._too_slow.cancel()
                self._too_slow = None

    return Patient


def listen(host: str, port: int, *, section: str) -> socket.socket:
    """A socket that listens there. Raises `PulseError`; `section` is that of the configuration."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise PulseError(
            f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0).lower()}",
            hint=f"set {section}.host and {section}.port to an address that is free",
        ) from None
