"""The receiver kind `webhook`: Standard Webhooks.

The body is pulse's own, or with `format: alertmanager` the one that Alertmanager posts. Both are
signed in the same way.
"""

from collections.abc import Callable

from pulse.model import webhook_body
from pulse.notifier.receiver import Attempt, Notification, Outcome, ReceiverSettings
from pulse.notifier.receivers.http import JSON, HttpClient, read_answer
from pulse.notifier.signature import sign


def standard_body(notification: Notification) -> bytes:
    """The body of one alert as `schemas/webhook.schema.json` says."""
    if len(notification.alerts) > 1:
        # The one place that has to know of the form for several.
        raise NotImplementedError("a body for several alerts")
    alert = notification.alert
    return webhook_body(alert, dict(notification.links.get(alert.id, {})))


class Webhook:
    """Posts notifications to one URL, signed."""

    def __init__(
        self,
        settings: ReceiverSettings,
        body: Callable[[Notification], bytes] = standard_body,
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
