from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from pulse.engagement import lifecycle, line
from pulse.model import AccountStatus, Alert, Lifecycle, Zone, notification_id, webhook_body
from pulse.model.notification import MAX_BODY_BYTES

WINDOWS = {"7d": 1, "28d": 4, "84d": 12}
MEASURES = {
    "events": WINDOWS,
    "value": {"7d": 0.5, "28d": 2, "84d": 6},
    "active_users": WINDOWS,
    "features": WINDOWS,
    "active_days": WINDOWS,
    "recency_days": None,
}
LINE = {"enter": 40, "exit": 50, "approach": 55, "version": "0123456789ab"}
ALERT: dict[str, Any] = {
    "id": "al_" + "a2" * 13,
    "account_id": "acme",
    "reason": "danger",
    "status": "firing",
    "resolution": None,
    "started_at": "2024-10-24T19:33:01Z",
    "at": "2024-10-24T19:33:01Z",
    "since": "2024-10-23T19:33:00.250Z",
    "severity": "critical",
    "zone": "danger",
    "previous_zone": "healthy",
    "lifecycle": "current",
    "score": 33.25,
    "line": LINE,
    "contributions": {"events": 3.5, "active_days": 30},
    "measures": {"now": MEASURES, "then": None, "then_at": None},
    "profile": {"name": "Acme", "owner": None},
    "summary": "Acme fell below the line.",
    "evidence": {"score_then": 71},
    "play": "Call them.",
    "historical": False,
    "config_version": "0123456789ab",
}


def test_an_alert_is_written_as_it_was_read() -> None:
    alert = Alert.model_validate_json(json.dumps(ALERT))

    assert json.loads(alert.to_json()) == ALERT
    assert b"\n" not in alert.to_json()
    assert alert.since == 1_729_711_980_250


def test_a_field_of_a_newer_pulse_is_ignored() -> None:
    assert Alert.model_validate(ALERT | {"novelty": 1}) == Alert.model_validate(ALERT)


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "al_short"},
        {"status": "pending"},
        {"zone": "red"},
        {"config_version": "latest"},
        {"score": float("nan")},
        {"line": {"enter": 40, "exit": 50}},
    ],
)
def test_what_is_no_alert_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Alert.model_validate(ALERT | changes)


def test_an_account_is_written_as_it_was_read() -> None:
    account = {
        "account_id": "acme",
        "as_of": "2024-10-24T19:33:01Z",
        "last_active_at": None,
        "lifecycle": "new",
        "zone": "unknown",
        "score": None,
        "contributions": {},
        "measures": MEASURES,
        "line": LINE,
    }

    status = AccountStatus.model_validate_json(json.dumps(account))

    assert json.loads(status.model_dump_json(exclude_unset=True)) == account


def test_a_webhook_wraps_the_alert() -> None:
    alert = Alert.model_validate(ALERT)

    body = json.loads(webhook_body(alert, {"account": "https://pulse.example.com/acme"}))

    assert body == {
        "type": "alert.firing",
        "timestamp": ALERT["at"],
        "data": ALERT | {"links": {"account": "https://pulse.example.com/acme"}},
    }
    assert json.loads(webhook_body(alert))["data"]["links"] == {}


def test_a_webhook_of_a_resolved_alert_says_so() -> None:
    alert = Alert.model_validate(ALERT | {"status": "resolved", "resolution": "recovered"})

    assert json.loads(webhook_body(alert))["type"] == "alert.resolved"


def test_an_alert_has_the_scores_of_the_days_before_it_or_none() -> None:
    scored = ALERT | {"scores": [62, None, 44]}

    assert Alert.model_validate(scored).scores == (62, None, 44)
    assert json.loads(Alert.model_validate_json(json.dumps(scored)).to_json()) == scored
    assert Alert.model_validate(ALERT).scores == ()


def test_a_large_webhook_gives_up_the_scores_of_before_first() -> None:
    scores = [50] * 28
    small = Alert.model_validate(ALERT | {"scores": scores})
    room = MAX_BODY_BYTES - len(webhook_body(small)) - 1
    for filling, kept in ((room - 20, scores), (room, [])):
        evidence = ALERT["evidence"] | {"x": "x" * filling}
        alert = Alert.model_validate(ALERT | {"scores": scores, "evidence": evidence})

        body = webhook_body(alert)

        assert len(body) < MAX_BODY_BYTES
        assert json.loads(body)["data"] == ALERT | {
            "scores": kept, "evidence": evidence, "links": {}
        }  # fmt: skip


def test_a_large_webhook_gives_up_the_evidence_then() -> None:
    alert = Alert.model_validate(ALERT | {"evidence": {"users": ["x" * 100] * 300}})

    body = webhook_body(alert)

    assert len(body) < MAX_BODY_BYTES
    assert json.loads(body)["data"] == ALERT | {"evidence": {"trimmed": True}, "links": {}}


def test_the_largest_webhook_stays_below_its_limit() -> None:
    wide = "\U0001f41d" * 256  # four bytes each
    huge = {f"measure_{index}" + "x" * 60: 12.345678901234567 for index in range(64)}
    alert = Alert.model_validate(
        ALERT
        | {
            "account_id": wide,
            "profile": dict.fromkeys(("name", "segment", "plan", "owner", "timezone"), wide),
            "summary": wide * 20,
            "play": wide * 20,
            "contributions": huge,
            "measures": {"now": MEASURES, "then": MEASURES, "then_at": 0},
            "evidence": {"x": wide * 100},
        }
    )

    body = webhook_body(alert, {"account": "https://example.com/" + "x" * 30_000})

    assert len(body) < MAX_BODY_BYTES
    assert json.loads(body)["data"]["account_id"] == wide


def test_zones_and_stages_are_those_of_the_engine() -> None:
    assert get_args(Zone) == get_args(line.Zone)
    assert get_args(Lifecycle) == get_args(lifecycle.Lifecycle)


def test_a_notification_id_has_no_dot() -> None:
    assert notification_id(ALERT["id"], "team-a", "firing") == f"{ALERT['id']}_team-a_firing"
    assert "." not in notification_id(ALERT["id"], "team-a", "resolved")
