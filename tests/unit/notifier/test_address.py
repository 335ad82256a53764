import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from pulse.config.addresses import refusal
from pulse.notifier.receiver import Outcome, ReceiverSettings
from pulse.notifier.receivers.address import (
    AddressRefused,
    CheckedResolver,
    checked_socket,
    connected_socket,
    connector,
    refused_in,
)
from pulse.notifier.receivers.http import HttpClient
from pulse.processes import free_port
from pulse.testing.addresses import REFUSED, SPELLINGS


class Names(AbstractResolver):
    """A name server whose answers change: one list of addresses a question."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
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


def answers_of(host: str) -> str:
    """A host as a URL has it."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


@pytest.mark.parametrize("address", REFUSED)
def test_no_socket_is_opened_to_any_refused_address(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET

    with pytest.raises(AddressRefused):
        checked_socket((family, socket.SOCK_STREAM, 0, "", (address.split("%")[0], 80)))


@pytest.mark.parametrize("address", REFUSED)
async def test_no_name_leads_to_a_refused_address(address: str) -> None:
    with pytest.raises(AddressRefused):
        await CheckedResolver(Names([address])).resolve("inside.example", 80)
    with pytest.raises(AddressRefused):
        await connected_socket("inside.example", 80, allow_private=False, resolver=Names([address]))


@dataclass
class Inside:
    """Servers that must not be reached, one at each of two addresses with the same port."""

    port: int
    reached: list[str]


@pytest.fixture
async def inside() -> AsyncIterator[Inside]:
    reached: list[str] = []

    def server_at(host: str) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            reached.append(host)
            writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
            writer.close()

        return serve

    # One that no outgoing connection has: it has to be free at both.
    port = free_port()
    first = await asyncio.start_server(server_at("127.0.0.2"), "127.0.0.2", port)
    second = await asyncio.start_server(server_at("127.0.0.1"), "127.0.0.1", port)
    yield Inside(port, reached)
    first.close()
    second.close()


@pytest.mark.parametrize("spelled", SPELLINGS)
async def test_no_spelling_of_an_address_is_connected_to(spelled: str, inside: Inside) -> None:
    """At the moment of connecting, whatever was said when the configuration was read."""
    settings = ReceiverSettings(
        name="cs", url=f"http://{answers_of(spelled)}:{inside.port}/x", timeout_s=5
    )
    client = HttpClient(settings)
    outcome = await client.post(settings.url, b"{}", {})
    await client.close()
    with pytest.raises(OSError):
        await connected_socket(spelled.strip("[]"), inside.port, allow_private=False)

    assert isinstance(outcome, Outcome)
    assert outcome.reason in ("address_refused", "bad_url", "dns")
    assert inside.reached == []


# 127.0.0.2 stands for an address of the internet here.
def refuse(address: str) -> str | None:
    return None if address == "127.0.0.2" else refusal(address)


async def test_a_name_that_is_rebound_reaches_nothing_inside_over_http(inside: Inside) -> None:
    """The second time, the name leads to another address: the first went through, this does not."""
    names = Names(["127.0.0.2"], ["127.0.0.1"])
    tls = ssl.create_default_context()
    checked = connector(allow_private=False, limit=1, tls=tls, resolver=names, refuse=refuse)
    url = f"http://rebinding.example:{inside.port}/"
    async with aiohttp.ClientSession(connector=checked) as session:
        async with session.post(url) as answer:
            assert answer.status == 204
        assert names.asked == 1  # and that answer is connected to, not one of another question
        with pytest.raises(aiohttp.ClientError) as caught:
            await session.post(url)

    assert refused_in(caught.value) is not None
    assert inside.reached == ["127.0.0.2"]


async def test_a_name_that_is_rebound_reaches_nothing_inside_over_smtp(inside: Inside) -> None:
    names = Names(["127.0.0.2"], ["127.0.0.1"])
    opened = await connected_socket(
        "rebinding.example", inside.port, allow_private=False, resolver=names, refuse=refuse
    )
    peer = opened.getpeername()[0]
    opened.close()
    assert names.asked == 1
    with pytest.raises(AddressRefused):
        await connected_socket(
            "rebinding.example", inside.port, allow_private=False, resolver=names, refuse=refuse
        )
    async with asyncio.timeout(60):
        while not inside.reached:  # noqa: ASYNC110 - it is seen elsewhere
            await asyncio.sleep(0.01)

    assert peer == "127.0.0.2"
    assert inside.reached == ["127.0.0.2"]


async def test_an_address_that_does_not_answer_gives_way_to_the_next_one(inside: Inside) -> None:
    names = Names(["127.0.0.3", "127.0.0.2"])
    opened = await connected_socket("two.example", inside.port, allow_private=True, resolver=names)

    assert opened.getpeername()[0] == "127.0.0.2"
    opened.close()
