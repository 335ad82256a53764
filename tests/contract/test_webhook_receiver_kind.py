"""The receiver kind `webhook` against a real HTTP server."""

import asyncio
import ssl
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook as Standard

from pulse.model import notification_id
from pulse.notifier.kinds import make_receiver
from pulse.notifier.receiver import Attempt, Notification, Outcome, ReceiverSettings, Verdict
from pulse.notifier.receivers.signature import decode_secret
from pulse.testing.alerts import sample_alert
from pulse.testing.webhooks import (
    EXAMPLE_SECRET,
    GONE,
    HANG,
    OK,
    Answer,
    WebhookReceiver,
    failing,
    in_turn,
    redirect,
    throttle,
)

OTHER_SECRET = "whsec_" + b64encode(b"another secret, thirty bytes..").decode()
ALERT = sample_alert("acme", evidence={"note": "Müller 🚀"})
NOTICE = Notification(id=notification_id(ALERT.id, "cs", "firing"), alerts=(ALERT,))


def settings(url: str, *secrets: str, **changes: Any) -> ReceiverSettings:
    keys = tuple(decode_secret(secret) for secret in secrets or (EXAMPLE_SECRET,))
    given = ReceiverSettings(name="cs", url=url, keys=keys, allow_private=True, timeout_s=30)
    return replace(given, **changes)


async def post(given: ReceiverSettings, number: int = 1) -> Outcome:
    receiver = make_receiver(given)
    try:
        return await receiver.send(NOTICE, Attempt(number, time.time_ns() // 1_000_000))
    finally:
        await receiver.close()


async def test_a_webhook_is_what_the_standard_says() -> None:
    async with WebhookReceiver([EXAMPLE_SECRET]) as server:
        outcome = await post(settings(server.url))

    assert outcome == Outcome(Verdict.DELIVERED, "ok", 204)
    (request,) = server.requests
    assert request.problem is None
    Standard(EXAMPLE_SECRET).verify(request.raw, dict(request.headers))
    assert request.id == NOTICE.id
    assert "." not in request.id
    assert abs(int(request.timestamp) - time.time()) < 60
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("pulse/")
    assert request.body["type"] == "alert.firing"
    assert request.body["timestamp"] == "2023-11-14T22:13:20Z"
    assert request.body["data"]["account_id"] == "acme"
    assert request.body["data"]["links"] == {}


async def test_both_secrets_sign_while_one_replaces_the_other() -> None:
    for known in (EXAMPLE_SECRET, OTHER_SECRET):
        async with WebhookReceiver([known]) as server:
            outcome = await post(settings(server.url, EXAMPLE_SECRET, OTHER_SECRET))
        assert outcome.verdict is Verdict.DELIVERED
        Standard(known).verify(server.requests[0].raw, dict(server.requests[0].headers))
    async with WebhookReceiver([OTHER_SECRET]) as server:
        outcome = await post(settings(server.url, EXAMPLE_SECRET))
    assert (outcome.verdict, outcome.http_status) == (Verdict.RETRY, 401)
    assert server.delivered == []


async def test_the_id_and_the_body_stay_the_same_over_attempts() -> None:
    async with WebhookReceiver(behaviour=in_turn(Answer(500), OK)) as server:
        for number in (1, 2):
            await post(settings(server.url), number)

    first, second = server.requests
    assert (first.id, first.raw) == (second.id, second.raw)


async def test_a_body_stays_below_20_kb() -> None:
    big = sample_alert("acme", evidence={"users": ["u" * 100] * 1000})
    async with WebhookReceiver() as server:
        receiver = make_receiver(settings(server.url))
        await receiver.send(
            Notification(id="n", alerts=(big,)), Attempt(1, time.time_ns() // 1_000_000)
        )
        await receiver.close()

    assert len(server.delivered[0].raw) < 20_000


@pytest.mark.parametrize(
    ("answer", "verdict", "reason"),
    [
        (Answer(200, body=b"thanks"), Verdict.DELIVERED, "ok"),
        (Answer(299), Verdict.DELIVERED, "ok"),
        (GONE, Verdict.GONE, "http_410"),
        (Answer(304), Verdict.RETRY, "http_304"),
        (Answer(400), Verdict.RETRY, "http_400"),
        (Answer(404), Verdict.RETRY, "http_404"),
        (Answer(500, {"retry-after": "60"}), Verdict.RETRY, "http_500"),
        (Answer(429), Verdict.THROTTLED, "http_429"),
        (Answer(502), Verdict.THROTTLED, "http_502"),
        (Answer(503), Verdict.THROTTLED, "http_503"),
        (Answer(504), Verdict.THROTTLED, "http_504"),
    ],
)
async def test_what_an_answer_means(answer: Answer, verdict: Verdict, reason: str) -> None:
    async with WebhookReceiver(behaviour=in_turn(answer)) as server:
        outcome = await post(settings(server.url))

    assert (outcome.verdict, outcome.reason) == (verdict, reason)
    assert outcome.retry_after_s is None


async def test_retry_after_is_read_in_both_forms() -> None:
    began_s = time.time()
    in_a_minute = formatdate(began_s + 60, usegmt=True)
    async with WebhookReceiver(behaviour=in_turn(throttle(7), throttle(in_a_minute))) as server:
        seconds = await post(settings(server.url))
        date = await post(settings(server.url))

    assert seconds.retry_after_s == 7
    # A date has no parts of a second, and time has passed since it was written.
    assert 59 - (time.time() - began_s) <= date.retry_after_s <= 60


async def test_a_redirect_is_not_followed() -> None:
    async with WebhookReceiver() as target, WebhookReceiver() as server:
        server.behaviour = in_turn(redirect(target.url))
        outcome = await post(settings(server.url))

    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, "http_307")
    assert target.requests == []


async def test_an_endpoint_that_hangs_is_given_up() -> None:
    async with WebhookReceiver(behaviour=in_turn(HANG)) as server:
        began_s = time.monotonic()
        outcome = await post(settings(server.url, timeout_s=0.3))

    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, "timeout")
    assert time.monotonic() - began_s < 60


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def raw_server(handler: Handler) -> AsyncIterator[str]:
    """A server that speaks as it likes; its handlers end with it."""
    tasks: set[asyncio.Task[None]] = set()

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        finally:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(speak(reader, writer)))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/secret-path"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_an_endless_answer_is_dropped_and_its_status_counts() -> None:
    written = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            written += 65536
            await writer.drain()

    async with raw_server(endless) as url:
        outcome = await post(settings(url))

    assert outcome == Outcome(Verdict.DELIVERED, "ok", 200)
    assert written < 20_000_000


async def test_an_answer_that_trickles_is_dropped_and_its_status_counts() -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx")
        await asyncio.sleep(60)

    async with raw_server(trickle) as url:
        began_s = time.monotonic()
        outcome = await post(settings(url))

    assert outcome.verdict is Verdict.DELIVERED
    assert time.monotonic() - began_s < 30  # the server takes a minute


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"", "disconnected"),
        (b"HTTP/1.1 999999 what\r\n\r\n", "bad_answer"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000 + b"\r\n\r\n", "bad_answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "bad_answer"),
    ],
)
async def test_what_is_no_answer_is_tried_again(said: bytes, reason: str) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with raw_server(speak) as url:
        outcome = await post(settings(url))

    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, reason)
    assert len(outcome.detail) < 300
    assert "secret-path" not in outcome.detail


async def test_a_closed_port_is_tried_again() -> None:
    async with WebhookReceiver() as server:
        url = server.url
    outcome = await post(settings(url))

    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, "connect")
    assert "hooks" not in outcome.detail


async def test_a_name_that_does_not_exist_is_tried_again() -> None:
    outcome = await post(settings("http://no-such-host.invalid/"))

    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, "dns")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
async def test_an_inner_address_is_refused_unless_it_is_allowed(host: str) -> None:
    async with WebhookReceiver() as server:
        url = server.url.replace("127.0.0.1", host)
        outcome = await post(settings(url, allow_private=False))

    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, "address_refused")
    assert server.requests == []


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with WebhookReceiver() as proxy, WebhookReceiver() as server:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        outcome = await post(settings(server.url))

    assert outcome.verdict is Verdict.DELIVERED
    assert proxy.requests == []


@pytest.mark.parametrize("trusted", [True, False])
async def test_certificates_are_verified(
    certificate: Path, trusted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def accept(request: web.Request) -> web.Response:
        return web.Response()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    app = web.Application()
    app.router.add_post("/", accept)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    port = runner.addresses[0][1]
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    outcome = await post(settings(f"https://localhost:{port}/"))
    other_name = await post(settings(f"https://127.0.0.1:{port}/"))
    await runner.cleanup()

    assert outcome.reason == ("ok" if trusted else "tls")
    assert other_name.reason == "tls"


async def test_the_share_of_failures_is_the_same_for_the_same_seed() -> None:
    async def statuses() -> list[int]:
        async with WebhookReceiver(behaviour=failing(0.5, seed=7)) as server:
            for _ in range(20):
                await post(settings(server.url))
            return [each.status for each in server.requests]

    first = await statuses()
    assert first == await statuses()
    assert 4 < first.count(500) < 16
