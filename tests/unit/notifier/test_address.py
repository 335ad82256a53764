import asyncio
import socket
import ssl

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from pulse.notifier.address import (
    AddressRefused,
    CheckedResolver,
    checked_socket,
    connector,
    refused_in,
)


class Names(AbstractResolver):
    """A name server whose answers change: one list of addresses a question."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in answer
        ]

    async def close(self) -> None:
        pass


async def test_a_name_keeps_only_its_addresses_of_the_internet() -> None:
    resolver = CheckedResolver(Names(["10.0.0.1", "93.184.216.34", "::1"]))

    found = await resolver.resolve("mixed.example", 443)

    assert [each["host"] for each in found] == ["93.184.216.34"]


async def test_a_name_with_private_addresses_only_is_refused() -> None:
    resolver = CheckedResolver(Names(["10.0.0.1", "::ffff:127.0.0.1"]))

    with pytest.raises(AddressRefused, match=r"10\.0\.0\.1 \(private\)"):
        await resolver.resolve("inside.example", 443)


def test_no_socket_is_opened_to_a_refused_address() -> None:
    info = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 80))

    with pytest.raises(AddressRefused, match="loopback"):
        checked_socket(info)


async def error_of(url: str, resolver: AbstractResolver | None = None) -> AddressRefused:
    checked = connector(
        allow_private=False, limit=1, tls=ssl.create_default_context(), resolver=resolver
    )
    async with aiohttp.ClientSession(connector=checked) as session:
        with pytest.raises((aiohttp.ClientError, OSError)) as caught:
            await session.post(url, data=b"{}", allow_redirects=False)
    refused = refused_in(caught.value)
    assert refused is not None, repr(caught.value)
    return refused


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/", "http://[::1]:9/", "http://[::ffff:127.0.0.1]:9/"]
)
async def test_the_connection_itself_is_checked_for_literal_addresses(url: str) -> None:
    await error_of(url)


async def test_localhost_is_refused_when_it_is_connected_to() -> None:
    await error_of("http://localhost:9/")


async def test_a_name_that_resolves_differently_the_second_time_is_refused_then() -> None:
    """What is checked is what is connected to: there is no second look-up in between."""
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        # The first answer is of the internet but leads nowhere; the second leads inside.
        names = Names(["0.0.0.0"], ["127.0.0.1"])
        for _ in range(2):
            refused = await error_of(f"http://rebinding.example:{port}/", names)
            assert "rebinding.example resolves to" in str(refused)
    assert connections == 0
