"""Who sends slowly, or from many connections at once, on real ones."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from pulse.web.app import make_app
from pulse.web.process import make_server
from tests.integration.web.webbing import Scene

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

WITHIN_S = 0.4
MOST = 3
HEALTHZ = b"GET /healthz HTTP/1.1\r\nHost: pulse.example.com\r\n\r\n"


@asynccontextmanager
async def serving(within_s: float) -> AsyncIterator[int]:
    """The port of a server that gives a body little time, and a connection so much."""
    scene = Scene(None)
    app = make_app(scene.service, scene.metrics, body_within_s=WITHIN_S)
    server = make_server(app, within_s=within_s, most_connections=MOST)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        task = asyncio.create_task(server.serve([listening]))
        yield listening.getsockname()[1]
        server.should_exit = True
        await task


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with serving(WITHIN_S) as port:
        yield port


@pytest.fixture
async def patient_port() -> AsyncIterator[int]:
    """Where nothing is cut off because this machine stood still for a moment."""
    async with serving(30.0) as port:
        yield port


@pytest.mark.parametrize("path", ["/api/v1/silences", "/sign-in"])
async def test_a_slow_body_is_refused_before_anybody_has_said_who_they_are(
    patient_port: int, path: str
) -> None:
    answer = await dripping(patient_port, "POST", path)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"content-security-policy" in answer
    assert b"connection: close" in answer.lower()


async def test_a_slow_body_that_nobody_reads_is_not_taken_in_for_ever(port: int) -> None:
    answer = await dripping(port, "GET", "/healthz")

    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_who_sends_no_head_is_cut_off(port: int) -> None:
    async with connection(port) as silent:
        assert await until_closed(silent) == b""


async def test_more_connections_than_that_are_told_to_come_again(patient_port: int) -> None:
    loop, port = asyncio.get_running_loop(), patient_port
    async with connection(port) as first, connection(port) as second:
        for each in (first, second):
            await loop.sock_sendall(each, HEALTHZ)
            assert await loop.sock_recv(each, 4096) != b""
        async with connection(port) as third:
            await loop.sock_sendall(third, HEALTHZ)
            assert (await loop.sock_recv(third, 4096)).startswith(b"HTTP/1.1 200 ")
            async with connection(port) as fourth:
                await loop.sock_sendall(fourth, HEALTHZ)
                assert (await until_closed(fourth)).startswith(b"HTTP/1.1 503 ")
        async with connection(port) as fifth:
            await loop.sock_sendall(fifth, HEALTHZ)
            assert (await loop.sock_recv(fifth, 4096)).startswith(b"HTTP/1.1 200 ")


@asynccontextmanager
async def connection(port: int) -> AsyncIterator[socket.socket]:
    """A connection without asyncio's streams: these throw away what came before a reset."""
    with socket.socket() as made:
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", port))
        yield made


async def until_closed(open_one: socket.socket) -> bytes:
    """All that is answered until the connection is closed, or reset: the server had bytes left."""
    answer = b""
    with suppress(ConnectionResetError):
        async with asyncio.timeout(30):
            while part := await asyncio.get_running_loop().sock_recv(open_one, 4096):
                answer += part
    return answer


async def dripping(port: int, method: str, path: str) -> bytes:
    """All that is answered to a body that comes byte by byte."""
    content = "application/json" if "api" in path else "application/x-www-form-urlencoded"
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: pulse.example.com\r\nContent-Type: {content}\r\n"
        "Content-Length: 1000\r\n\r\n"
    )
    loop = asyncio.get_running_loop()
    async with connection(port) as slow:
        await loop.sock_sendall(slow, head.encode())

        async def drip() -> None:
            with suppress(ConnectionError):
                while True:
                    await loop.sock_sendall(slow, b" ")
                    await asyncio.sleep(WITHIN_S / 8)

        dripped = asyncio.create_task(drip())
        try:
            return await until_closed(slow)
        finally:
            dripped.cancel()
