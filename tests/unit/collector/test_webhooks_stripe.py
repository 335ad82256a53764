"""Stripe's events, and what they mean."""

from __future__ import annotations

from typing import Any

import pytest

from .deliveries import NOW_MS, NOW_S, events, lines, meant

CARD = {"brand": "visa", "exp_month": 4, "exp_year": 2027, "last4": "4242"}


def event(kind: str, thing: dict[str, Any], before: dict[str, Any] | None = None) -> dict[str, Any]:
    data: dict[str, Any] = {"object": {"customer": "cus_NffrFeUfNV2Hib", "metadata": {}, **thing}}
    if before is not None:
        data["previous_attributes"] = before
    return {
        "id": "evt_1NG8Du2eZvKYlo2CUI79vXWy",
        "object": "event",
        "api_version": "2024-06-20",
        "created": NOW_S,
        "data": data,
        "livemode": True,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }


def invoice(kind: str, **said: Any) -> dict[str, Any]:
    thing = {
        "id": "in_1MtHbELkdIwHu7ixl4OzzPMv",
        "object": "invoice",
        "amount_due": 2_000,
        "attempt_count": 1,
        "billing_reason": "subscription_cycle",
        "collection_method": "charge_automatically",
        "status": "open",
        "subscription": "sub_1MowQVLkdIwHu7ixeRlqHVzs",
    }
    return event(f"invoice.{kind}", thing | said)


def subscription(kind: str, before: dict[str, Any] | None = None, **said: Any) -> dict[str, Any]:
    thing = {
        "id": "sub_1MowQVLkdIwHu7ixeRlqHVzs",
        "object": "subscription",
        "cancel_at": None,
        "cancel_at_period_end": False,
        "status": "active",
    }
    return event(f"customer.subscription.{kind}", thing | said, before)


def test_a_failed_payment() -> None:
    found = meant("stripe", invoice("payment_failed"))

    assert lines(found) == [
        {
            "id": "evt_1NG8Du2eZvKYlo2CUI79vXWy",
            "account_id": "cus_NffrFeUfNV2Hib",
            "event": "payment_failed",
            "ts": NOW_MS,
            "properties": {},
            "source": "stripe",
        }
    ]


@pytest.mark.parametrize(
    ("said", "facts"),
    [
        (invoice("payment_failed", billing_reason="subscription_create"), []),
        (invoice("paid"), [("payment_recovered", {})]),
        (invoice("payment_succeeded"), [("payment_recovered", {})]),
        (invoice("paid", amount_due=0), []),
        (invoice("upcoming"), []),
        (
            event("payment_method.attached", {"object": "payment_method", "card": CARD}),
            [("card_updated", {"expires_at": "2027-04"})],
        ),
        (
            event("payment_method.automatically_updated", {"card": CARD}),
            [("card_updated", {"expires_at": "2027-04"})],
        ),
        (event("payment_method.attached", {"type": "sepa_debit", "sepa_debit": {}}), []),
        (
            event("customer.source.expiring", {"object": "card", **CARD}),
            [("card_updated", {"expires_at": "2027-04"})],
        ),
        (subscription("deleted", status="canceled"), [("subscription_cancelled", {})]),
        (
            subscription("updated", {"cancel_at_period_end": False}, cancel_at_period_end=True),
            [("subscription_cancelled", {})],
        ),
        (
            subscription("updated", {"cancel_at": None}, cancel_at=NOW_S + 86_400),
            [("subscription_cancelled", {})],
        ),
        (
            subscription("updated", {"cancel_at_period_end": True, "cancel_at": NOW_S}),
            [("subscription_resumed", {})],
        ),
        (subscription("updated", {"status": "incomplete"}), [("subscription_resumed", {})]),
        (subscription("updated", {"status": "past_due"}), []),
        (subscription("updated", {"quantity": 3}), []),
        (subscription("created"), [("subscription_resumed", {})]),
        (subscription("created", status="trialing"), [("subscription_resumed", {})]),
        (subscription("created", status="incomplete"), []),
        (subscription("resumed"), [("subscription_resumed", {})]),
        (event("customer.created", {"object": "customer"}), []),
    ],
)
def test_what_events_mean(said: dict[str, Any], facts: list[tuple[str, dict[str, Any]]]) -> None:
    found = meant("stripe", said)

    assert events(found) == facts
    assert found.passed_over == (0 if facts else 1)
    assert not found.letters


@pytest.mark.parametrize(
    ("thing", "account"),
    [
        ({"metadata": {"account_id": "acme"}}, "acme"),
        ({"metadata": {"account_id": ""}}, "cus_NffrFeUfNV2Hib"),
        ({"subscription_details": {"metadata": {"account_id": "acme"}}}, "acme"),
        ({"parent": {"subscription_details": {"metadata": {"account_id": "acme"}}}}, "acme"),
        ({"parent": None, "metadata": None}, "cus_NffrFeUfNV2Hib"),
    ],
)
def test_whose_it_is(thing: dict[str, Any], account: str) -> None:
    assert lines(meant("stripe", invoice("payment_failed", **thing)))[0]["account_id"] == account


def test_it_is_found_where_the_configuration_says() -> None:
    said = invoice("payment_failed", customer_shipping=[{"ref": 17}])
    found = meant("stripe", said, account=["data.object.customer_shipping.0.ref"], source="billing")

    assert (lines(found)[0]["account_id"], lines(found)[0]["source"]) == ("17", "billing")


def test_without_an_account_it_is_kept() -> None:
    found = meant("stripe", invoice("payment_failed", customer=None))

    assert [each.reason for each in found.letters] == ["unlinked"]
    assert "data.object.customer" in found.letters[0].detail
    assert not found.lines


def test_what_cannot_be_an_event_is_kept() -> None:
    found = meant("stripe", invoice("payment_failed", customer="cus\n1"))

    assert [each.reason for each in found.letters] == ["invalid"]
    assert "account_id" in found.letters[0].detail


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"type": ["invoice.paid"]},
        {"type": "invoice.paid", "data": []},
        {"type": "customer.subscription.updated", "data": {"previous_attributes": 7}},
        {"type": "payment_method.attached", "data": {"object": {"card": {"exp_year": "2027"}}}},
    ],
)
def test_other_shapes_do_no_harm(said: dict[str, Any]) -> None:
    found = meant("stripe", said)

    assert not found.lines


def test_without_an_id_a_retry_is_the_same() -> None:
    said = invoice("payment_failed") | {"id": None, "created": None}
    one, again = (lines(meant("stripe", said))[0] for _ in range(2))

    assert one["id"] == again["id"]
    assert one["ts"] == NOW_MS
