"""A webhook receiver as a customer-success team would run one: real HTTP, signatures verified.

    async with WebhookReceiver([secret]) as receiver:
        ...  # have pulse send to receiver.url
        assert receiver.delivered_ids == {...}

`ReceiverThread` is the same for tests without an event loop. It can misbehave as endpoints do: fail
a share of the requests, throttle, go for good, redirect, answer late, hang. The demo runs it too,
so nothing here needs a test framework.
"""

import asyncio
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from aiohttp import web

from pulse.notifier.receivers.signature import SignatureMismatch, decode_secret, verify

EXAMPLE_SECRET: Final = "whsec_cHVsc2UtZXhhbXBsZS1zaWduaW5nLXNlY3JldC0wMQ=="
"""A secret for tests and the demo; everybody knows it."""

Check = Callable[[Sequence[bytes], bytes, Mapping[str, str]], str | None]
"""Given the secrets, a body and its headers: what is wrong with the signature, None if nothing."""

CHECKS: Final[list[Check]] = []
"""Asked of each request that pulse itself takes: the tests have the field's own library here."""

_MAX_BODY_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What the receiver answers. `after_s`: how long it takes to do so."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    after_s: float = 0.0


OK: Final = Answer()
GONE: Final = Answer(410)
HANG: Final = Answer(after_s=3600.0)


def throttle(retry_after: float | str) -> Answer:
    """429 with `Retry-After`: seconds, or an HTTP date."""
    return Answer(429, {"retry-after": str(retry_after)})


def redirect(location: str) -> Answer:
    """307 to somewhere else."""
    return Answer(307, {"location": location})


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One request. `problem` is None where its signature is right; `status` is what it got.

    `at_s` is Unix time. `body` is the JSON, None where it is none.
    """

    id: str
    timestamp: str
    problem: str | None
    status: int
    at_s: float
    headers: Mapping[str, str]
    raw: bytes
    body: Any

    @property
    def accepted(self) -> bool:
        """Whether the sender may take it for delivered."""
        return 200 <= self.status < 300


Behaviour = Callable[[ReceivedRequest], Answer]
"""Chooses the answer; is given the request with status 0."""


def failing(share: float, seed: int, status: int = 500) -> Behaviour:
    """Fail this share of the requests, the same ones for the same seed and order."""
    chance = random.Random(seed)
    return lambda request: Answer(status) if chance.random() < share else OK


def in_turn(*answers: Answer) -> Behaviour:
    """These answers one after the other; the last one from then on."""
    left = list(answers)
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


class WebhookReceiver:
    """An HTTP server on `host:port` (0: any free port) that takes Standard Webhooks.

    `secrets` are those it knows (`whsec_…`); a request signed with none of them gets 401.
    `behaviour` decides on the others and may be replaced at any time. `listener` is called with
    every request when it is answered.
    """

    def __init__(
        self,
        secrets: Sequence[str] = (EXAMPLE_SECRET,),
        *,
        behaviour: Behaviour = lambda request: OK,
        listener: Callable[[ReceivedRequest], None] = lambda request: None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.behaviour = behaviour
        self.listener = listener
        self.requests: list[ReceivedRequest] = []
        self._keys = [decode_secret(secret) for secret in secrets]
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None
        self._arrived = asyncio.Condition()

    @property
    def url(self) -> str:
        """Where to post to."""
        return f"http://{self._host}:{self._port}/hooks/pulse"

    async def start(self) -> Self:
        """Listen. Raises `OSError` where the port is in use."""
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        app.router.add_post("/hooks/pulse", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        try:
            await site.start()
        except OSError:
            await self._runner.cleanup()
            raise
        self._port = self._runner.addresses[0][1]
        return self

    async def stop(self) -> None:
        """Close the port; `start` opens the same one again."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *error: object) -> None:
        await self.stop()

    # --- what was received --------------------------------------------------------------------

    @property
    def delivered(self) -> list[ReceivedRequest]:
        """The requests that were verified and accepted, in order, repeats included."""
        return [each for each in self.requests if each.accepted and each.problem is None]

    @property
    def delivered_ids(self) -> set[str]:
        """The notification ids that were accepted."""
        return {each.id for each in self.delivered}

    @property
    def repeated_ids(self) -> Counter[str]:
        """How often an id was accepted, for those accepted more than once."""
        counts = Counter(each.id for each in self.delivered)
        return Counter({key: number for key, number in counts.items() if number > 1})

    async def wait_for(self, condition: Callable[[], bool], within_s: float = 150.0) -> None:
        """Return when the condition holds; it is asked after every request.

        Raises `TimeoutError`.
        """
        async with asyncio.timeout(within_s), self._arrived:
            await self._arrived.wait_for(condition)

    async def wait_for_ids(self, ids: set[str], within_s: float = 150.0) -> None:
        """Return when all of these were delivered. Raises `TimeoutError`."""
        await self.wait_for(lambda: ids <= self.delivered_ids, within_s)

    async def _take(self, request: web.Request) -> web.Response:
        raw = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        at_s = time.time()
        problem = self._problem(raw, headers, at_s)
        received = ReceivedRequest(
            id=headers.get("webhook-id", ""),
            timestamp=headers.get("webhook-timestamp", ""),
            problem=problem,
            status=0,
            at_s=at_s,
            headers=headers,
            raw=raw,
            body=_json(raw),
        )
        answer = self.behaviour(received) if problem is None else Answer(401)
        await asyncio.sleep(answer.after_s)
        await self._note(received, answer.status)
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)

    def _problem(self, raw: bytes, headers: Mapping[str, str], at_s: float) -> str | None:
        """What is wrong with a signature."""
        try:
            verify(raw, headers, self._keys, now_s=at_s)
        except SignatureMismatch as mismatch:
            return str(mismatch)
        problems = (check(self._keys, raw, headers) for check in CHECKS)
        return next((each for each in problems if each), None)

    async def _note(self, received: ReceivedRequest, status: int) -> None:
        answered = replace(received, status=status)
        self.requests.append(answered)
        self.listener(answered)
        async with self._arrived:
            self._arrived.notify_all()


class ReceiverThread:
    """A `WebhookReceiver` on an event loop in a thread of its own.

    with ReceiverThread() as receiver:
        ...  # have pulse send to receiver.url
    """

    def __init__(self, receiver: WebhookReceiver | None = None) -> None:
        self.receiver = receiver or WebhookReceiver()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="receiver", daemon=True)

    def __enter__(self) -> WebhookReceiver:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.receiver.start(), self._loop).result(30)
        return self.receiver

    def __exit__(self, *error: object) -> None:
        asyncio.run_coroutine_threadsafe(self.receiver.stop(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None
