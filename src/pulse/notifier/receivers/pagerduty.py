"""The receiver kind `pagerduty`: Events API v2, one event an alert.

An alert is one of PagerDuty's by its id (`dedup_key`): what is sent twice is one, and its end
resolves it. A notification of several is several events, in order; after one that was not taken the
rest waits for the next attempt. An event that is refused for what it says keeps none of the others
back. What was taken is not sent again: it would open an incident that somebody has resolved since.
That is known to this process alone; after a restart all are sent.
"""

import asyncio
import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from pulse.model import Alert, format_ms
from pulse.notifier.messages.facts import facts_of
from pulse.notifier.receiver import Attempt, Notification, Outcome, ReceiverSettings, Verdict
from pulse.notifier.receivers.http import JSON, Answer, HttpClient, read_answer

_MAX_SUMMARY: Final = 1024
_INVALID: Final = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
"""Answers that speak of one event; others speak of all."""
_FURTHER_S: Final = 1.0
"""How long each event after the first may take; an answer comes in a fraction of it."""
_MOST_BEGUN: Final = 1_000
"""Notifications of which it is known what was taken; the oldest is forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PagerDutyOptions:
    """The key of an integration of one of PagerDuty's services."""

    routing_key: str = field(repr=False)


class PagerDuty:
    """Sends events to one service."""

    def __init__(self, settings: ReceiverSettings, options: PagerDutyOptions) -> None:
        self._settings = settings
        self._routing_key = options.routing_key
        self._http = HttpClient(settings, (options.routing_key,))
        self._taken: dict[str, set[str]] = {}
        """Ids of alerts by the id of a notification that was not taken whole."""

    async def send(self, notification: Notification, attempt: Attempt) -> Outcome:
        taken = self._taken.pop(notification.id, set())
        if attempt.number == 1:
            taken = set()  # somebody wants it to be sent anew, under the same id
        within_s = self._settings.timeout_s + _FURTHER_S * (len(notification.alerts) - 1)
        try:
            async with asyncio.timeout(within_s):
                outcome = await self._send(notification, attempt, taken)
        except TimeoutError:
            outcome = Outcome(Verdict.RETRY, "timeout")
        if taken and outcome.verdict is not Verdict.DELIVERED:
            self._taken[notification.id] = taken
            if len(self._taken) > _MOST_BEGUN:
                del self._taken[next(iter(self._taken))]
        return outcome

    async def _send(self, notification: Notification, attempt: Attempt, taken: set[str]) -> Outcome:
        outcome = Outcome(Verdict.DELIVERED, "ok")
        invalid: Outcome | None = None
        for each in notification.alerts:
            if each.id in taken:
                continue
            event = {"routing_key": self._routing_key, **self._event(each, notification)}
            answer = await self._http.post(self._settings.url, json.dumps(event).encode(), JSON)
            if isinstance(answer, Outcome):
                return answer
            outcome = _outcome(answer, attempt)
            if outcome.verdict is Verdict.DELIVERED:
                taken.add(each.id)
            elif answer.status in _INVALID:
                invalid = outcome
            else:
                return outcome
        return invalid or outcome

    async def close(self) -> None:
        await self._http.close()

    def _event(self, alert: Alert, notification: Notification) -> dict[str, Any]:
        if alert.status == "resolved":
            return {"event_action": "resolve", "dedup_key": alert.id}
        alone = Notification(id=notification.id, alerts=(alert,), links=notification.links)
        facts = facts_of(alone, self._settings.timezone).alerts[0]
        details = {
            "account": alert.account_id,
            "score": alert.score,
            "scores": facts.sparkline,
            "line": alert.line.enter,
            "since": facts.since,
            "changes": {each.measure: f"{each.then} → {each.now}" for each in facts.changes},
            "owner": facts.owner,
            "segment": facts.segment,
            "mrr": facts.mrr,
            "play": alert.play,
            "config_version": alert.config_version,
        }
        if notification.is_late:
            details["late"] = "this comes late"
        event: dict[str, Any] = {
            "event_action": "trigger",
            "dedup_key": alert.id,
            "client": "pulse",
            "payload": {
                "summary": alert.summary[:_MAX_SUMMARY],
                "source": alert.account_id,
                "severity": alert.severity,
                "timestamp": format_ms(alert.started_at),
                "component": facts.account,
                "group": facts.segment,
                "class": alert.reason,
                "custom_details": {name: each for name, each in details.items() if each},
            },
        }
        if facts.links:
            event["client_url"] = facts.links[0].url
            event["links"] = [{"href": each.url, "text": each.label} for each in facts.links]
        return event


def _outcome(answer: Answer, attempt: Attempt) -> Outcome:
    # https://developer.pagerduty.com/docs/events-api-v2-overview: 202 is accepted; 410 is nothing
    # that this API says, so whoever says it does not speak for the service.
    outcome = read_answer(answer.status, answer.retry_after, attempt, answer.said)
    if outcome.verdict is Verdict.GONE:
        return Outcome(Verdict.RETRY, outcome.reason, answer.status, answer.said)
    return outcome
