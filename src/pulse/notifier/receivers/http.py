"""The one HTTP client: address checked, no redirect, no proxy, answer and time bounded, no secret
in an error.
"""

import asyncio
import re
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote, urlsplit

import aiohttp

import pulse
from pulse.notifier.receiver import Attempt, Outcome, ReceiverSettings, Verdict
from pulse.notifier.receivers import address
from pulse.notifier.sending import retry

USER_AGENT: Final = f"pulse/{pulse.__version__}"
JSON: Final = {"content-type": "application/json"}

_MAX_ANSWER_BYTES: Final = 16 * 1024
"""What is read of an answer: to use the connection again, and for the reason of a refusal."""
_MAX_ANSWER_S: Final = 1.0
_MAX_SAID: Final = 200
_THROTTLE: Final = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
_TOKEN: Final = re.compile(r"(?=[A-Za-z0-9+/_=-]*[0-9])[A-Za-z0-9+/_=-]{20,}")
"""What looks like a key."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint answered. `said` is the first line of its body, without secrets."""

    status: int
    retry_after: str | None
    said: str


class HttpClient:
    """Posts to the endpoints of one receiver.

    `secrets` are texts that no error may repeat; the parts of a URL that is posted to are such
    texts in any case.
    """

    def __init__(self, settings: ReceiverSettings, secrets: Iterable[str] = ()) -> None:
        self._settings = settings
        self._secrets = tuple(secrets)
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer | Outcome:
        """One request: the answer, or the outcome where there was none. Raises nothing."""
        headers = {"user-agent": USER_AGENT, **headers}
        try:
            async with self._open_session().post(
                url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                start = await _read_start(answer)
                said = without_secrets(_first_line(start), (*parts_of(url), *self._secrets))
                return Answer(answer.status, answer.headers.get("retry-after"), said)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return failure(error)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            settings = self._settings
            connector = address.connector(
                allow_private=settings.allow_private,
                limit=settings.concurrency,
                tls=ssl.create_default_context(),
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=settings.timeout_s),
                # What the endpoint answers is not worth unpacking, nor keeping.
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._session


def read_answer(status: int, retry_after: str | None, attempt: Attempt, said: str = "") -> Outcome:
    """What an HTTP status means by Standard Webhooks; `Retry-After` counts from the attempt."""
    reason = f"http_{status}"
    if 200 <= status < 300:
        return Outcome(Verdict.DELIVERED, "ok", status)
    if status == HTTPStatus.GONE:
        return Outcome(Verdict.GONE, reason, status, said)
    if status in _THROTTLE:
        wait_s = retry.parse_retry_after(retry_after, attempt.at_ms)
        return Outcome(Verdict.THROTTLED, reason, status, said, retry_after_s=wait_s)
    detail = "redirects are not followed" if 300 <= status < 400 else said
    return Outcome(Verdict.RETRY, reason, status, detail)


def parts_of(url: str) -> tuple[str, ...]:
    """The parts of a URL that may be secrets: user, password, path, query, and what they hold."""
    split = urlsplit(url)
    whole = (url, split.path, split.query, split.username or "", split.password or "")
    pieces = re.split(r"[/&=;]", f"{split.path}/{split.query}")
    return tuple(each for text in (*whole, *pieces) for each in {text, unquote(text)})


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """The text without these secrets, and without what else looks like a key.

    >>> without_secrets("no hook at /services/T0/hunter-2-hunter", ("hunter-2-hunter",))
    'no hook at /services/T0/…'
    """
    # The longest first: a secret may be a part of another.
    for each in sorted(secrets, key=len, reverse=True):
        if len(each) >= 6:  # shorter ones are words
            text = text.replace(each, "…")
    return _TOKEN.sub("…", text)


async def _read_start(answer: aiohttp.ClientResponse) -> bytes:
    """A short answer to its end; the connection of one that is long or slow is dropped."""
    start = bytearray()
    try:
        async with asyncio.timeout(_MAX_ANSWER_S):
            while len(start) < _MAX_ANSWER_BYTES:
                chunk = await answer.content.read(_MAX_ANSWER_BYTES - len(start))
                if not chunk:
                    break
                start += chunk
        if not answer.content.at_eof():
            answer.close()
    except (aiohttp.ClientError, TimeoutError, OSError):
        answer.close()
    return bytes(start)


def failure(error: Exception) -> Outcome:
    """The outcome of an attempt to which there was no answer, without the URL."""
    refused = address.refused_in(error)
    if refused is not None:
        return Outcome(Verdict.RETRY, "address_refused", detail=str(refused))
    match error:
        case TimeoutError():
            reason = "timeout"
        case aiohttp.ClientConnectorDNSError():
            reason = "dns"
        case aiohttp.ClientSSLError():
            reason = "tls"
        case aiohttp.ClientConnectorError():
            reason = "connect"
        case aiohttp.ServerDisconnectedError() | ConnectionResetError():
            reason = "disconnected"
        case aiohttp.ClientResponseError():
            # Its text has the URL, which may be a secret.
            return Outcome(Verdict.RETRY, "bad_answer", detail=_cut(error.message))
        case aiohttp.ClientPayloadError():
            reason = "bad_answer"
        case ValueError():  # aiohttp.InvalidURL is one: its text is the URL
            return Outcome(Verdict.RETRY, "bad_url")
        case _:
            reason = "network"
    return Outcome(Verdict.RETRY, reason, detail=brief(error))


def brief(error: Exception) -> str:
    """An error in one short line."""
    cause = getattr(error, "os_error", None) or error
    return f"{type(cause).__name__}: {_cut(str(cause))}"


def _first_line(start: bytes) -> str:
    text = start.decode("utf-8", "replace").strip()
    return "".join(each for each in _cut(text) if each.isprintable())


def _cut(text: str) -> str:
    return text.partition("\n")[0][:_MAX_SAID]
