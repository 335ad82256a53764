"""An HTTP endpoint of a service that pulse posts to: it notes what comes, and answers as told.

async with Endpoint(Answer(200, body=b"ok")) as endpoint:
    ...  # have pulse post to endpoint.url
    assert endpoint.posts[0].body == {...}
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from aiohttp import web

from pulse.testing.webhooks import Answer

PATH: Final = "/services/T0000000/B0000000/secretsecretsecret"
"""A path as Slack has it: it is the secret."""


@dataclass(frozen=True, slots=True)
class Post:
    """One request that came: its path, its headers in small letters, its body as bytes and JSON."""

    path: str
    headers: Mapping[str, str]
    raw: bytes
    body: Any


class Endpoint:
    """Answers one after the other; the last one from then on."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers) or [Answer(200)]
        self.posts: list[Post] = []
        self._runner: web.AppRunner | None = None
        self._arrived = asyncio.Condition()

    @property
    def base(self) -> str:
        """Scheme, host and port."""
        assert self._runner is not None
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    @property
    def url(self) -> str:
        """Where to post to, as a service with a secret address has it."""
        return self.base + PATH

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=4 * 1024 * 1024)
        app.router.add_post("/{path:.*}", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def wait_for(self, condition: Callable[[], bool], within_s: float = 150.0) -> None:
        """Return when the condition holds; it is asked after every request.

        Raises `TimeoutError`.
        """
        async with asyncio.timeout(within_s), self._arrived:
            await self._arrived.wait_for(condition)

    async def _take(self, request: web.Request) -> web.Response:
        raw = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.posts.append(Post(request.path, headers, raw, json.loads(raw)))
        async with self._arrived:
            self._arrived.notify_all()
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        await asyncio.sleep(answer.after_s)
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)
