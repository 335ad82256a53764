"""Chargebee's webhooks.

https://apidocs.chargebee.com/docs/api/events, https://www.chargebee.com/docs/2.0/webhook_settings.html
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, Final

from pulse.collector.dialects.traits import text
from pulse.collector.dialects.webhooks import signing
from pulse.collector.dialects.webhooks.reading import Delivery, Fact, Told, at, card, seconds

if TYPE_CHECKING:
    from pulse.config.webhooks import ChargebeeWebhook

_FACTS: Final = {
    "payment_failed": "payment_failed",
    "payment_succeeded": "payment_recovered",
    "subscription_cancelled": "subscription_cancelled",
    "subscription_cancellation_scheduled": "subscription_cancelled",
    "subscription_scheduled_cancellation_removed": "subscription_resumed",
    "subscription_created": "subscription_resumed",
    "subscription_activated": "subscription_resumed",
    "subscription_reactivated": "subscription_resumed",
    "subscription_resumed": "subscription_resumed",
}
_CARDS: Final = ("card_added", "card_updated", "card_expiry_reminder", "card_expired")
_METHODS: Final = (
    "payment_source_added",
    "payment_source_updated",
    "payment_source_expiring",
    "payment_source_expired",
)


def check(delivery: Delivery, secret: str) -> None:
    """Basic auth: Chargebee does not sign. The secret is `user:password`."""
    scheme, _, said = delivery.headers.get("authorization", "").partition(" ")
    given = []
    if scheme.lower() == "basic":
        try:
            given = [base64.b64decode(said, validate=True).decode("latin-1")]
        except (binascii.Error, ValueError):
            given = []
    signing.expect(secret, given)


def told(said: dict[str, Any], delivery: Delivery, settings: ChargebeeWebhook) -> Told:
    """What an event of Chargebee says."""
    kind, content = said.get("event_type"), said.get("content")
    facts = _facts(kind, content)
    return Told(text(said.get("id")), seconds(said.get("occurred_at")), facts)


def _facts(kind: Any, content: Any) -> list[Fact]:
    if kind in _CARDS:
        return card(content, "card.expiry_year", "card.expiry_month")
    if kind in _METHODS:
        place = "payment_source.card"
        return card(content, f"{place}.expiry_year", f"{place}.expiry_month")
    if kind == "subscription_created" and at(content, "subscription.status") == "future":
        return []
    event = _FACTS.get(kind) if isinstance(kind, str) else None
    return [] if event is None else [Fact(event)]
