"""Zendesk's webhooks that are subscribed to events of tickets.

https://developer.zendesk.com/documentation/webhooks/verifying/,
https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events/
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from pulse.collector.dialects.traits import instant, text
from pulse.collector.dialects.webhooks import signing
from pulse.collector.dialects.webhooks.reading import Delivery, Fact, Told, at

if TYPE_CHECKING:
    from pulse.config.webhooks import ZendeskWebhook

_TICKET: Final = "zen:event-type:ticket."
_DONE: Final = ("SOLVED", "CLOSED")
_GONE: Final = ("soft_deleted", "permanently_deleted", "marked_as_spam", "merged")
_SCORES: Final = {"GOOD": 5, "BAD": 1}
"""Zendesk's two answers, on the scale of CSAT."""


def check(delivery: Delivery, secret: str) -> None:
    """`X-Zendesk-Webhook-Signature`: base64 of HMAC-SHA256 of when it was signed and the body."""
    signed_at = delivery.headers.get("x-zendesk-webhook-signature-timestamp", "")
    made = base64.b64encode(signing.digest(secret, signed_at, delivery.body)).decode()
    signing.expect(made, [delivery.headers.get("x-zendesk-webhook-signature", "")])
    signing.expect_recent(instant(signed_at), delivery)


def told(said: dict[str, Any], delivery: Delivery, settings: ZendeskWebhook) -> Told:
    """What an event of Zendesk says."""
    kind = text(said.get("type")) or ""
    facts = []
    if kind.startswith(_TICKET):
        facts = _facts(kind.removeprefix(_TICKET), said.get("detail"), said.get("event"))
    return Told(text(said.get("id")), instant(said.get("time")), facts)


def _facts(kind: str, ticket: Any, event: Any) -> list[Fact]:
    about = {"id": text(at(ticket, "id"))}
    answered, opened = Fact("support_answered", about), Fact("support_opened", about)
    if kind == "created":
        return [opened]
    if kind == "comment_added":
        is_answer = at(event, "comment.is_public") is True
        return [answered] if is_answer and at(event, "comment.author.is_staff") is True else []
    if kind == "status_changed":
        before, now = _status(event, "previous"), _status(event, "current")
        if now in _DONE:
            return [answered]
        # Opened again, it waits anew.
        return [opened] if before in _DONE and now else []
    if kind in _GONE:
        return [answered]
    if kind == "undeleted":
        return [] if _status({"now": at(ticket, "status")}, "now") in _DONE else [opened]
    if kind == "csat_received":
        return _answer(at(event, "satisfaction_score.score"), text(at(ticket, "requester_id")))
    return []


def _status(event: Any, when: str) -> str:
    return (text(at(event, when)) or "").upper()


def _answer(score: Any, user: str | None) -> list[Fact]:
    """An answer to the survey: good or bad, with or without a comment, or a number."""
    if isinstance(score, str):
        score = _SCORES.get(score.upper().partition("_")[0])
    if isinstance(score, bool) or not isinstance(score, (int, float)):
        return []
    return [Fact("csat", {"score": score}, user)]
