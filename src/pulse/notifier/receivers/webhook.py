"""The receiver kind `webhook`: Standard Webhooks.

The body is pulse's own, or with `format: alertmanager` the one that Alertmanager posts. Both are
signed in the same way.
"""

from collections.abc import Callable

from pulse.model import group_body, webhook_body
from pulse.notifier.receiver import Attempt, Notification, Outcome, ReceiverSettings
from pulse.notifier.receivers.http import JSON, HttpClient, read_answer
from pulse.notifier.receivers.signature import sign


def body_of(notification: Notification) -> bytes:
    """The body as `schemas/` says: an alert on its own has a form of its own."""
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


class Webhook:
    """Posts notifications to one URL, signed."""

    def __init__(
        self,
        settings: ReceiverSettings,
        body: Callable[[Notification], bytes] = body_of,
    ) -> None:
        self._settings = settings
        self._body = body
        self._http = HttpClient(settings)

    async def send(self, notification: Notification, attempt: Attempt) -> Outcome:
        body = self._body(notification)
        timestamp_s = attempt.at_ms // 1000
        headers = JSON | {
            "webhook-id": notification.id,
            "webhook-timestamp": str(timestamp_s),
            "webhook-signature": sign(notification.id, timestamp_s, body, self._settings.keys),
        }
        answer = await self._http.post(self._settings.url, body, headers)
        if isinstance(answer, Outcome):
            return answer
        # What somebody's own endpoint says is not repeated: it may be all that it was sent.
        return read_answer(answer.status, answer.retry_after, attempt)

    async def close(self) -> None:
        await self._http.close()
