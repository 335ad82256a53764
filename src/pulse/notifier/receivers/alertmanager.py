"""The receiver kind `alertmanager`: pushed to Alertmanager's API v2, as Prometheus does.

Prometheus sends each alert again every minute or so, and Alertmanager takes one that it does not
hear of any more for resolved (`resolve_timeout`). pulse tells a change once, and its alerts last
for weeks. So a firing alert carries an `endsAt` far ahead (`ends_after`): Alertmanager takes it for
firing until then, or until its end comes with an `endsAt` that has passed. Alertmanager keeps
alerts in memory only: after its restart it knows those that are told again, so a route to it has a
`repeat_interval`, and each repeat moves `endsAt` on.

An account that falls again has an alert with the same labels, which is the same one there. The end
of the first may come after that, from a schedule of its own: it is not pushed, as it would end
both.
"""

import json
from dataclasses import dataclass, field
from typing import Any, Final

from pulse.alerting.alert import ENDLESS
from pulse.model import Alert, format_ms
from pulse.notifier.receiver import Attempt, Notification, Outcome, ReceiverSettings, Verdict
from pulse.notifier.receivers.http import JSON, HttpClient, read_answer
from pulse.notifier.receivers.prometheus import annotations_of, labels_of

PATH: Final = "/api/v2/alerts"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertmanagerOptions:
    """`labels`: fields of the profile that are labels too. `token`: for a proxy in front of it."""

    ends_after_ms: int
    labels: tuple[str, ...] = ()
    token: str = field(default="", repr=False)


class Alertmanager:
    """Pushes alerts to one Alertmanager; `url` is where its API begins, without `/api/v2`."""

    def __init__(self, settings: ReceiverSettings, options: AlertmanagerOptions) -> None:
        self._url = settings.url.rstrip("/") + PATH
        self._options = options
        self._http = HttpClient(settings, (options.token,))
        self._begun_ms: dict[tuple[tuple[str, str], ...], int] = {}
        """By labels, when the newest alert began that was told here."""
        self._headers = dict(JSON)
        if options.token:
            self._headers["authorization"] = f"Bearer {options.token}"

    async def send(self, notification: Notification, attempt: Attempt) -> Outcome:
        pushed = [
            self._alert(each, notification, attempt)
            for each in notification.alerts
            if not self._is_overtaken(each)
        ]
        if not pushed:
            return Outcome(Verdict.DELIVERED, "ok", detail="a newer alert has the same labels")
        answer = await self._http.post(self._url, json.dumps(pushed).encode(), self._headers)
        if isinstance(answer, Outcome):
            return answer
        return read_answer(answer.status, answer.retry_after, attempt, answer.said)

    async def close(self) -> None:
        await self._http.close()

    def _is_overtaken(self, alert: Alert) -> bool:
        """Whether it has ended, and a newer alert with the same labels has begun."""
        labels = tuple(labels_of(alert, self._options.labels).items())
        begun_ms = self._begun_ms.get(labels, alert.started_at)
        if alert.status == "firing":
            self._begun_ms[labels] = max(begun_ms, alert.started_at)
        elif begun_ms <= alert.started_at:
            self._begun_ms.pop(labels, None)
        return alert.status == "resolved" and begun_ms > alert.started_at

    def _alert(self, alert: Alert, notification: Notification, attempt: Attempt) -> dict[str, Any]:
        links = notification.links.get(alert.id, {})
        pushed: dict[str, Any] = {
            "labels": labels_of(alert, self._options.labels),
            "annotations": annotations_of(alert, notification),
            "startsAt": format_ms(alert.started_at),
        }
        if alert.status == "resolved":
            # It must not end before it began, nor after now: then it would fire until then.
            ends_ms = max(min(alert.at, attempt.at_ms), alert.started_at)
            pushed["endsAt"] = format_ms(ends_ms)
        elif alert.reason not in ENDLESS:  # of those no end is told: Alertmanager's own time holds
            pushed["endsAt"] = format_ms(attempt.at_ms + self._options.ends_after_ms)
        if "alert" in links:
            pushed["generatorURL"] = links["alert"]
        return pushed
