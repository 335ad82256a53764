"""Recurly's notifications, and what they mean."""

from __future__ import annotations

from typing import Any

import pytest

from .deliveries import events, lines, meant


def notification(what: str, happened: str, **said: Any) -> dict[str, Any]:
    return {
        "id": "rafhdbbf41mc",
        "object_type": what,
        "site_id": "qc326l1hl8k9",
        "event_type": happened,
        "event_time": "2022-07-27T21:43:53Z",
        "uuid": "63b068f7d409d4b4478dea4e6aba58ae",
        "account_code": "acme",
        **said,
    }


@pytest.mark.parametrize(
    ("what", "happened", "fact"),
    [
        ("payment", "failed", "payment_failed"),
        ("payment", "succeeded", "payment_recovered"),
        ("charge_invoice", "past_due", "payment_failed"),
        ("charge_invoice", "failed", "payment_failed"),
        ("charge_invoice", "paid", "payment_recovered"),
        ("invoice", "past_due", "payment_failed"),
        ("subscription", "canceled", "subscription_cancelled"),
        ("subscription", "expired", "subscription_cancelled"),
        ("subscription", "created", "subscription_resumed"),
        ("subscription", "reactivated", "subscription_resumed"),
        ("subscription", "resumed", "subscription_resumed"),
        ("subscription", "renewed", None),
        ("payment", "scheduled", None),
        ("account", "created", None),
    ],
)
def test_what_notifications_mean(what: str, happened: str, fact: str | None) -> None:
    found = meant("recurly", notification(what, happened))

    assert events(found) == ([(fact, {})] if fact else [])
    assert found.passed_over == (0 if fact else 1)


def test_its_id_its_instant_and_whose_it_is() -> None:
    line = lines(meant("recurly", notification("payment", "failed")))[0]

    assert (line["id"], line["ts"]) == ("rafhdbbf41mc", 1_658_958_233_000)
    assert (line["account_id"], line["source"]) == ("acme", "recurly")


def test_a_notification_that_names_no_account_is_kept() -> None:
    found = meant("recurly", notification("payment", "failed", account_code=None))

    assert [each.reason for each in found.letters] == ["unlinked"]
    assert not meant("recurly", {"object_type": [], "event_type": {}}).letters
