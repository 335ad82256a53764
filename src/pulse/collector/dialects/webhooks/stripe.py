"""Stripe's webhooks.

https://docs.stripe.com/webhooks#verify-manually, https://docs.stripe.com/api/events/types
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pulse.collector.dialects.traits import text
from pulse.collector.dialects.webhooks import signing
from pulse.collector.dialects.webhooks.reading import Delivery, Fact, Told, at, card, seconds

if TYPE_CHECKING:
    from pulse.config.webhooks import StripeWebhook

_CARDS: Final = ("customer.source.created", "customer.source.updated", "customer.source.expiring")
_METHODS: Final = (
    "payment_method.attached",
    "payment_method.updated",
    "payment_method.automatically_updated",
)
_RUNS: Final = ("active", "trialing")


def check(delivery: Delivery, secret: str) -> None:
    """`Stripe-Signature: t=…,v1=…`: hexadecimal HMAC-SHA256 of `t`, a dot and the body.

    While a secret is changed there is a `v1` of each.
    """
    said = signing.pairs(delivery.headers.get("stripe-signature", ""), ",")
    at_s = next((value for name, value in said if name == "t"), "")
    made = signing.digest(secret, at_s, ".", delivery.body).hex()
    signing.expect(made, [value for name, value in said if name == "v1"])
    signing.expect_recent(signing.in_seconds(at_s), delivery)


def told(said: dict[str, Any], delivery: Delivery, settings: StripeWebhook) -> Told:
    """What an event of Stripe says."""
    kind, thing = said.get("type"), at(said, "data.object")
    before = at(said, "data.previous_attributes")
    return Told(text(said.get("id")), seconds(said.get("created")), _facts(kind, thing, before))


def _facts(kind: Any, thing: Any, before: Any) -> list[Fact]:
    if kind == "invoice.payment_failed":
        # A card that is refused at the checkout is no customer's yet.
        is_first = at(thing, "billing_reason") == "subscription_create"
        return [] if is_first else [Fact("payment_failed")]
    if kind in ("invoice.paid", "invoice.payment_succeeded"):
        # An invoice over nothing, as that of a trial, is no payment that went well.
        return [] if at(thing, "amount_due") == 0 else [Fact("payment_recovered")]
    if kind in _METHODS:
        return card(thing, "card.exp_year", "card.exp_month")
    if kind in _CARDS:
        return card(thing, "exp_year", "exp_month")
    if kind == "customer.subscription.deleted":
        return [Fact("subscription_cancelled")]
    if kind in ("customer.subscription.created", "customer.subscription.resumed"):
        return [Fact("subscription_resumed")] if at(thing, "status") in _RUNS else []
    if kind == "customer.subscription.updated" and isinstance(before, dict):
        return _changed(thing, before)
    return []


def _changed(subscription: Any, before: dict[str, Any]) -> list[Fact]:
    """Whether it was cancelled for the end of the period, or that was taken back."""
    if "cancel_at_period_end" in before or "cancel_at" in before:
        ends = at(subscription, "cancel_at_period_end") or at(subscription, "cancel_at")
        return [Fact("subscription_cancelled" if ends else "subscription_resumed")]
    if before.get("status") == "incomplete" and at(subscription, "status") in _RUNS:
        return [Fact("subscription_resumed")]
    return []
