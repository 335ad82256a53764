"""The receiver kind `webhook`: Standard Webhooks, a notification a request."""

import asyncio
import ssl
from http import HTTPStatus
from typing import Final

import aiohttp

import pulse
from pulse.model import group_body, webhook_body
from pulse.notifier import address, retry
from pulse.notifier.receiver import Attempt, Notification, Outcome, ReceiverSettings, Verdict
from pulse.notifier.signature import sign

USER_AGENT: Final = f"pulse/{pulse.__version__}"

_MAX_ANSWER_BYTES: Final = 16 * 1024
"""What is read of an answer, only to use the connection again."""
_MAX_ANSWER_S: Final = 1.0
_THROTTLE: Final = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


class Webhook:
    """Posts notifications to one URL, signed. Follows no redirect and uses no proxy."""

    def __init__(self, settings: ReceiverSettings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None

    async def send(self, notification: Notification, attempt: Attempt) -> Outcome:
        body = body_of(notification)
        timestamp_s = attempt.at_ms // 1000
        headers = {
            "content-type": "application/json",
            "user-agent": USER_AGENT,
            "webhook-id": notification.id,
            "webhook-timestamp": str(timestamp_s),
            "webhook-signature": sign(notification.id, timestamp_s, body, self._settings.keys),
        }
        try:
            async with self._open_session().post(
                self._settings.url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                outcome = read_answer(answer.status, answer.headers.get("retry-after"), attempt)
                await _drain(answer)
                return outcome
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return _failure(error)

    async def close(self) -> None:
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


def body_of(notification: Notification) -> bytes:
    """What is posted: an alert on its own has a form of its own."""
    alert = notification.alert
    if len(notification.alerts) == 1 and not notification.is_digest:
        links = dict(notification.links.get(alert.id, {}))
        return webhook_body(alert, links, is_late=notification.is_late)
    return group_body(
        notification.alerts,
        group=notification.group,
        also_firing=notification.also_firing,
        is_digest=notification.is_digest,
        again=notification.again,
        is_late=notification.is_late,
        links=notification.links,
    )


def read_answer(status: int, retry_after: str | None, attempt: Attempt) -> Outcome:
    """What an HTTP status means by Standard Webhooks; `Retry-After` counts from the attempt."""
    reason = f"http_{status}"
    if 200 <= status < 300:
        return Outcome(Verdict.DELIVERED, "ok", status)
    if status == HTTPStatus.GONE:
        return Outcome(Verdict.GONE, reason, status)
    if status in _THROTTLE:
        wait_s = retry.parse_retry_after(retry_after, attempt.at_ms)
        return Outcome(Verdict.THROTTLED, reason, status, retry_after_s=wait_s)
    detail = "redirects are not followed" if 300 <= status < 400 else ""
    return Outcome(Verdict.RETRY, reason, status, detail)


async def _drain(answer: aiohttp.ClientResponse) -> None:
    """Read a short answer to its end; drop the connection of one that is long or slow."""
    try:
        async with asyncio.timeout(_MAX_ANSWER_S):
            left = _MAX_ANSWER_BYTES
            while left > 0 and (chunk := await answer.content.read(left)):
                left -= len(chunk)
        if not answer.content.at_eof():
            answer.close()
    except (aiohttp.ClientError, TimeoutError, OSError):
        answer.close()


def _failure(error: Exception) -> Outcome:
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
            return Outcome(Verdict.RETRY, "bad_answer", detail=_first_line(error.message))
        case aiohttp.ClientPayloadError():
            reason = "bad_answer"
        case ValueError():  # aiohttp.InvalidURL is one: its text is the URL
            return Outcome(Verdict.RETRY, "bad_url")
        case _:
            reason = "network"
    return Outcome(Verdict.RETRY, reason, detail=_brief(error))


def _brief(error: Exception) -> str:
    cause = getattr(error, "os_error", None) or error
    return f"{type(cause).__name__}: {_first_line(str(cause))}"


def _first_line(text: str) -> str:
    return text.partition("\n")[0][:200]
