"""Recurly's webhooks, in the JSON format: the XML one is not signed.

https://docs.recurly.com/recurly-subscriptions/docs/signature-verification
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pulse.collector.dialects.traits import instant, text
from pulse.collector.dialects.webhooks import signing
from pulse.collector.dialects.webhooks.reading import Delivery, Fact, Told

if TYPE_CHECKING:
    from pulse.config.webhooks import RecurlyWebhook

_FACTS: Final = {
    ("payment", "failed"): "payment_failed",
    ("payment", "succeeded"): "payment_recovered",
    ("charge_invoice", "past_due"): "payment_failed",
    ("charge_invoice", "failed"): "payment_failed",
    ("charge_invoice", "paid"): "payment_recovered",
    ("invoice", "past_due"): "payment_failed",
    ("subscription", "canceled"): "subscription_cancelled",
    ("subscription", "expired"): "subscription_cancelled",
    ("subscription", "created"): "subscription_resumed",
    ("subscription", "reactivated"): "subscription_resumed",
    ("subscription", "resumed"): "subscription_resumed",
}


def check(delivery: Delivery, secret: str) -> None:
    """`recurly-signature: ms,…,…`: hexadecimal HMAC-SHA256 of the first, a dot and the body.

    While a secret is changed there is one of each.
    """
    at_ms, *given = delivery.headers.get("recurly-signature", "").split(",")
    made = signing.digest(secret, at_ms, ".", delivery.body).hex()
    signing.expect(made, [each.strip() for each in given])
    signing.expect_recent(signing.whole_number(at_ms), delivery)


def told(said: dict[str, Any], delivery: Delivery, settings: RecurlyWebhook) -> Told:
    """What a notification of Recurly says."""
    what, happened = said.get("object_type"), said.get("event_type")
    event = None
    if isinstance(what, str) and isinstance(happened, str):
        event = _FACTS.get((what, happened))
    facts = [] if event is None else [Fact(event)]
    return Told(text(said.get("id")), instant(said.get("event_time")), facts)
