"""Who sends slowly, on real connections: with a body that somebody waits for, and with another."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest
import uvicorn

from pulse.serving import Server, patient
from pulse.web.app import make_app

from .webbing import Scene

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

WITHIN_S = 0.4


@pytest.fixture
async def port() -> AsyncIterator[int]:
    scene = Scene(None)
    server = Server(
        uvicorn.Config(
            make_app(scene.service, scene.metrics, body_within_s=WITHIN_S),
            http=patient(WITHIN_S),
            log_config=None,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = asyncio.create_task(server.serve([listening]))
        yield listening.getsockname()[1]
        server.should_exit = True
        await serving


@pytest.mark.parametrize("path", ["/api/v1/silences", "/sign-in"])
async def test_a_slow_body_is_refused_before_anybody_has_said_who_they_are(
    port: int, path: str
) -> None:
    answer = await dripping(port, "POST", path)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"content-security-policy" in answer
    assert b"connection: close" in answer.lower()


async def test_a_slow_body_that_nobody_reads_is_not_taken_in_for_ever(port: int) -> None:
    answer = await dripping(port, "GET", "/healthz")

    assert answer.startswith(b"HTTP/1.1 200 ")


async def dripping(port: int, method: str, path: str) -> bytes:
    """All that is answered to a body that comes byte by byte, until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    content = "application/json" if "api" in path else "application/x-www-form-urlencoded"
    writer.write(
        f"{method} {path} HTTP/1.1\r\nHost: pulse.example.com\r\nContent-Type: {content}\r\n"
        "Content-Length: 1000\r\n\r\n".encode()
    )

    async def drip() -> None:
        while True:
            writer.write(b" ")
            await asyncio.sleep(WITHIN_S / 8)

    dripped = asyncio.create_task(drip())
    try:
        async with asyncio.timeout(30):
            return await reader.read()
    finally:
        dripped.cancel()
        writer.close()
