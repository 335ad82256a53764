"""Webhooks raise the alerts of pulse's signals, and end them, with nothing configured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from pulse.config import Config
from pulse.config.policy import policy
from pulse.model.time import format_ms
from pulse.playback.lines import read_lines
from pulse.playback.replay import Replay
from pulse.playback.script import Script

from .deliveries import NOW_MS, meant

if TYPE_CHECKING:
    from pathlib import Path

DAY_MS = 86_400_000
CARD = {"exp_month": 11, "exp_year": 2024}
BUG = {
    "issuetype": {"name": "Bug"},
    "status": {"statusCategory": {"key": "new"}},
    "customer": "jira",
}


def stripe(day: int, kind: str, customer: str, **said: Any) -> bytes:
    thing = {"customer": customer, "status": "active", **said}
    event = {"id": f"evt_{day}", "created": ts_ms(day) // 1_000, "type": kind}
    return line("stripe", event | {"data": {"object": thing}})


def zendesk(day: int, kind: str, organization: str, **said: Any) -> bytes:
    detail = {"id": "1", "organization_id": organization, "requester_id": "ada"}
    event = {"id": f"z-{day}", "time": format_ms(ts_ms(day)), "detail": detail, "event": said}
    return line("zendesk", event | {"type": f"zen:event-type:ticket.{kind}"})


def jira(day: int, kind: str) -> bytes:
    said = {"timestamp": ts_ms(day), "webhookEvent": kind, "issue": {"key": "ED-1", "fields": BUG}}
    return line("jira", said, account=["issue.fields.customer"])


def line(service: str, said: dict[str, Any], **settings: Any) -> bytes:
    return meant(service, said, **settings).lines[0].data


def ts_ms(day: int) -> int:
    return NOW_MS + day * DAY_MS


def test_every_fact_is_read_as_it_is_meant(tmp_path: Path) -> None:
    story = [
        stripe(0, "invoice.payment_failed", "payment"),
        stripe(1, "payment_method.attached", "card", card=CARD),
        stripe(2, "customer.subscription.deleted", "leaver"),
        zendesk(3, "created", "ticket"),
        zendesk(4, "csat_received", "survey", satisfaction_score={"score": "BAD"}),
        jira(5, "jira:issue_created"),
        stripe(15, "invoice.paid", "payment", amount_due=900),
        stripe(16, "payment_method.attached", "card", card=CARD | {"exp_year": 2030}),
        stripe(17, "customer.subscription.created", "leaver"),
        zendesk(18, "status_changed", "ticket", previous="OPEN", current="SOLVED"),
        zendesk(19, "csat_received", "survey", satisfaction_score={"score": "GOOD"}),
        jira(20, "jira:issue_deleted"),
        stripe(21, "invoice.paid", "nobody"),
    ]
    history = tmp_path / "webhooks.ndjson"
    history.write_bytes(b"\n".join(story) + b"\n")
    replay = Replay(policy(Config()))

    replay.run(Script(read_lines([history])))

    assert not replay.tally.refused
    told = [msgspec.json.decode(alert) for alert in replay.alerts()]
    expected = {
        ("payment", "payment_failed"),
        ("card", "card_expiring"),
        ("leaver", "subscription_cancelled"),
        ("ticket", "support_waiting"),
        ("survey", "detractor"),
        ("jira", "bug_open"),
    }
    for status in ("firing", "resolved"):
        found = {(each["account_id"], each["reason"]) for each in told if each["status"] == status}
        assert found == expected
