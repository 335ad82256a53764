"""Paddle Billing's webhooks.

https://developer.paddle.com/webhooks/signature-verification
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pulse.collector.dialects.traits import instant, text
from pulse.collector.dialects.webhooks import signing
from pulse.collector.dialects.webhooks.reading import Delivery, Fact, Told, at, card

if TYPE_CHECKING:
    from pulse.config.webhooks import PaddleWebhook

_RUNS: Final = ("active", "trialing")
_CARD: Final = "method_details.card"


def check(delivery: Delivery, secret: str) -> None:
    """`Paddle-Signature: ts=…;h1=…`: hexadecimal HMAC-SHA256 of `ts`, a colon and the body.

    While a secret is changed there is an `h1` of each.
    """
    said = signing.pairs(delivery.headers.get("paddle-signature", ""), ";")
    at_s = next((value for name, value in said if name == "ts"), "")
    made = signing.digest(secret, at_s, ":", delivery.body).hex()
    signing.expect(made, [value for name, value in said if name == "h1"])
    signing.expect_recent(signing.in_seconds(at_s), delivery)


def told(said: dict[str, Any], delivery: Delivery, settings: PaddleWebhook) -> Told:
    """What an event of Paddle says."""
    facts = _facts(said.get("event_type"), said.get("data"))
    return Told(text(said.get("event_id")), instant(said.get("occurred_at")), facts)


def _facts(kind: Any, thing: Any) -> list[Fact]:
    if kind in ("transaction.payment_failed", "transaction.completed"):
        # Without a subscription it is a checkout that nobody has finished, or sold once.
        if not at(thing, "subscription_id"):
            return []
        if kind == "transaction.payment_failed":
            return [Fact("payment_failed")]
        return [Fact("payment_recovered"), *_paid_with(thing)]
    if kind == "subscription.canceled":
        return [Fact("subscription_cancelled")]
    if kind in ("subscription.created", "subscription.activated", "subscription.resumed"):
        return [Fact("subscription_resumed")] if at(thing, "status") in _RUNS else []
    if kind == "subscription.updated" and at(thing, "status") in _RUNS:
        # It does not say what has changed: where it stands is said each time.
        ends = at(thing, "scheduled_change.action") == "cancel"
        return [Fact("subscription_cancelled" if ends else "subscription_resumed")]
    return []


def _paid_with(transaction: Any) -> list[Fact]:
    """The card of the payment that went well: nothing else of Paddle's says when one expires."""
    payments = at(transaction, "payments")
    for each in payments if isinstance(payments, list) else ():
        if at(each, "status") == "captured":
            return card(each, f"{_CARD}.expiry_year", f"{_CARD}.expiry_month")
    return []
