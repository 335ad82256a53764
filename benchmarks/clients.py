"""Clients that cost little: requests made beforehand, over connections that stay open."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, cast

import uvloop

from pulse.processes import is_free

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CONNECTIONS = 64
"""At once, each with one request at a time."""

PATIENCE_S = 300.0


class Answers:
    """How requests were answered, all of them with 200."""

    def __init__(self) -> None:
        self.began_s = 0.0
        self.seconds = 0.0
        self.took_s: list[float] = []
        """Of each request, from its sending to the end of its answer."""

    def quantile_ms(self, share: float) -> float:
        """How long at most this share of the requests took."""
        return 1000 * sorted(self.took_s)[round(share * (len(self.took_s) - 1))]


class UnansweredError(Exception):
    """A request was answered otherwise than with 200, or not at all."""


def post(port: int, path: str, key: str, body: bytes) -> bytes:
    """A request as it goes over the wire."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def wait_for(port: int) -> None:
    """Return when a server listens there. Raises `TimeoutError`."""
    deadline = time.monotonic() + PATIENCE_S
    while is_free(port):
        if time.monotonic() > deadline:
            raise TimeoutError(f"nobody listens on port {port}")
        time.sleep(0.1)


def send(port: int, requests: Sequence[bytes]) -> Answers:
    """Send them all; return when all are answered. Raises `UnansweredError`."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_send(port, requests))


async def _send(port: int, requests: Sequence[bytes]) -> Answers:
    answers, left, loop = Answers(), iter(requests), asyncio.get_running_loop()
    done: list[asyncio.Future[None]] = []
    clients: list[_Client] = []
    for _ in range(min(CONNECTIONS, len(requests))):
        done.append(loop.create_future())
        make = partial(_Client, left, answers.took_s, done[-1])
        _, client = await loop.create_connection(make, "127.0.0.1", port)
        clients.append(client)
    answers.began_s = time.perf_counter()
    for client in clients:
        client.send()
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(*done)
    answers.seconds = time.perf_counter() - answers.began_s
    for client in clients:
        client.close()
    return answers


class _Client(asyncio.Protocol):
    """One connection: the next request as soon as the last one is answered."""

    def __init__(
        self, left: Iterator[bytes], took_s: list[float], done: asyncio.Future[None]
    ) -> None:
        self._left = left
        self._took_s = took_s
        self._done = done
        self._answer = b""
        self._sent_s = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(UnansweredError(f"the connection was closed: {error}"))

    def send(self) -> None:
        """Send the next request, if there is one."""
        request = next(self._left, None)
        if request is None:
            self._done.set_result(None)
            return
        assert self._transport is not None
        self._sent_s = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, end, body = self._answer.partition(b"\r\n\r\n")
        if not end:
            return
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if len(body) < int(length):
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self._done.set_exception(UnansweredError(self._answer.decode(errors="replace")))
            return
        self._took_s.append(time.perf_counter() - self._sent_s)
        self._answer = b""
        self.send()

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()
