import json

import pytest

from pulse.alerting.people.links import Links
from pulse.model import GroupBody, group_body, webhook_body
from pulse.model.notification import MAX_BODY_BYTES
from pulse.notifier.receiver import Notification
from pulse.notifier.receivers.webhook import body_of
from pulse.testing.alerts import sample_alert

ACME, BOLT = sample_alert("acme"), sample_alert("bolt", "resolved", at_ms=1_700_000_600_000)


def test_several_alerts_are_said_in_one_body() -> None:
    links = {ACME.id: {"alert": "https://pulse.example.com/a"}}
    raw = group_body([ACME, BOLT], group=[("owner", "kim")], also_firing=3, links=links)
    body = json.loads(raw)

    GroupBody.model_validate_json(raw)
    assert body["type"] == "alerts.firing"
    assert body["timestamp"] == "2023-11-14T22:23:20Z"
    assert body["data"]["group"] == {"owner": "kim"}
    assert (body["data"]["also_firing"], body["data"]["left_out"]) == (3, 0)
    first, second = body["data"]["alerts"]
    assert (first["name"], first["status"], first["score"]) == ("Acme", "firing", 31.25)
    assert first["links"] == {"alert": "https://pulse.example.com/a"}
    assert (second["account_id"], second["status"]) == ("bolt", "resolved")


def test_its_type_says_whether_anything_fires_and_whether_it_is_a_digest() -> None:
    assert json.loads(group_body([BOLT, BOLT]))["type"] == "alerts.resolved"
    assert json.loads(group_body([ACME], is_digest=True))["type"] == "alerts.digest"


def test_one_alert_alone_has_the_body_it_always_had() -> None:
    alone = Notification(id="x", alerts=(ACME,))

    assert body_of(alone) == webhook_body(ACME)
    assert json.loads(body_of(alone))["type"] == "alert.firing"
    assert "late" not in json.loads(body_of(alone))["data"]


def test_what_comes_late_says_so() -> None:
    one = Notification(id="x", alerts=(ACME,), is_late=True)
    several = Notification(id="x", alerts=(ACME, BOLT), is_late=True)

    assert json.loads(body_of(one))["data"]["late"] is True
    assert json.loads(body_of(several))["data"]["late"] is True


def test_of_many_alerts_each_has_the_link_that_the_others_follow_from() -> None:
    links = Links("https://pulse.example.com", b"k" * 32, 30 * 86_400_000)
    alerts = [sample_alert(f"account-{number}") for number in range(25)]
    found = {each.id: links.of(each.id, each.account_id, 0) for each in alerts}
    some = json.loads(group_body(alerts[:10], links=found))["data"]["alerts"]
    many = json.loads(group_body(alerts, links=found))["data"]["alerts"]

    assert [each["links"] for each in some] == [found[each.id] for each in alerts[:10]]
    assert [each["links"] for each in many] == [
        {"alert": found[each.id]["alert"]} for each in alerts
    ]
    page = many[0]["links"]["alert"]
    assert found[alerts[0].id] == {"alert": page} | {
        name: f"{page}/{name}" for name in ("acknowledge", "snooze", "close")
    }


@pytest.mark.parametrize(("length", "kept"), [(100, True), (225, False)])
def test_the_scores_of_the_days_before_are_given_up_first(length: int, kept: bool) -> None:
    scores = (50, None, *[48] * 26)
    alerts = [sample_alert(f"a{number}", play="ä" * length, scores=scores) for number in range(25)]
    raw = group_body(alerts)
    said = json.loads(raw)["data"]["alerts"]

    GroupBody.model_validate_json(raw)
    assert len(raw) < MAX_BODY_BYTES
    assert {len(each["play"]) for each in said} == {length}
    assert [each["scores"] for each in said] == [list(scores) if kept else []] * 25


@pytest.mark.parametrize(("length", "left_out"), [(1, False), (60, False), (250, True)])
def test_it_is_always_below_20_kb(length: int, left_out: bool) -> None:
    alerts = [
        sample_alert(
            "ü" * length + str(number),
            profile={"name": "ü" * 256},
            summary="ö" * 5_000,
            play="ä" * 5_000,
        )
        for number in range(25)
    ]
    links = {each.id: {"alert": "https://x.example/" + "y" * 3_000} for each in alerts}
    raw = group_body(alerts, links=links)
    said = json.loads(raw)["data"]

    assert len(raw) < MAX_BODY_BYTES
    assert len(said["alerts"]) + said["left_out"] == 25
    assert bool(said["left_out"]) is left_out
