"""The receiver kind `pagerduty`: beside PagerDuty's own client, on a real HTTP server."""

import json
import time
from typing import Any

import httpx2
import pytest
from pagerduty import EventsApiV2Client

from pulse.model import Alert
from pulse.notifier.kinds import make_receiver
from pulse.notifier.receiver import Attempt, Notification, Outcome, ReceiverSettings, Verdict
from pulse.notifier.receivers.pagerduty import PagerDutyOptions
from pulse.testing.alerts import sample_alert
from pulse.testing.endpoint import Endpoint
from pulse.testing.webhooks import Answer

KEY = "R0UTINGKEYR0UTINGKEYR0UTINGKEY00"


def accepted(key: str = "x") -> Answer:
    said = {"status": "success", "message": "Event processed", "dedup_key": key}
    return Answer(202, {"content-type": "application/json"}, json.dumps(said).encode())


async def post(endpoint: Endpoint, *alerts: Alert, **changes: Any) -> Outcome:
    settings = ReceiverSettings(
        name="pager",
        kind="pagerduty",
        url=f"{endpoint.base}/v2/enqueue",
        allow_private=True,
        timeout_s=5,
        options=PagerDutyOptions(routing_key=KEY),
    )
    receiver = make_receiver(settings)
    try:
        given = Notification(id="n", alerts=alerts, **changes)
        return await receiver.send(given, Attempt(1, time.time_ns() // 1_000_000))
    finally:
        await receiver.close()


async def test_a_firing_alert_triggers_and_its_end_resolves_the_same_incident() -> None:
    async with Endpoint(accepted()) as endpoint:
        first = await post(endpoint, sample_alert("acme"))
        second = await post(endpoint, sample_alert("acme", "resolved"))

    assert first.verdict is second.verdict is Verdict.DELIVERED
    trigger, resolve = (each.body for each in endpoint.posts)
    assert trigger["event_action"] == "trigger"
    assert trigger["payload"]["summary"] == "Acme is in danger: its score fell to 31."
    assert trigger["payload"]["severity"] == "critical"
    assert trigger["payload"]["source"] == "acme"
    assert trigger["payload"]["custom_details"]["score"] == 31.25
    assert resolve == {
        "routing_key": KEY,
        "event_action": "resolve",
        "dedup_key": trigger["dedup_key"],
    }
    assert len(trigger["dedup_key"]) <= 255


async def test_pagerdutys_own_client_sends_the_same() -> None:
    alert = sample_alert("acme")
    links = {alert.id: {"alert": "https://pulse.example/a"}}
    async with Endpoint(accepted()) as endpoint:
        await post(endpoint, alert, links=links)
        await post(endpoint, sample_alert("acme", "resolved"))
        ours = [(each.path, each.body) for each in endpoint.posts]
    theirs = []

    def take(request: httpx2.Request) -> httpx2.Response:
        theirs.append((request.url.path, json.loads(request.content)))
        return httpx2.Response(202, json={"dedup_key": "x"})

    with EventsApiV2Client(KEY, transport=httpx2.MockTransport(take)) as client:
        for _, body in ours:
            said = {name: value for name, value in body.items() if name != "routing_key"}
            client.send_event(said.pop("event_action"), said.pop("dedup_key"), **said)

    assert theirs == ours
    assert ours[0][0] == "/v2/enqueue"
    assert ours[0][1]["links"] == [{"href": "https://pulse.example/a", "text": "Open"}]


async def test_several_alerts_are_an_event_each_until_one_is_not_taken() -> None:
    alerts = [sample_alert(f"a{number}") for number in range(3)]
    async with Endpoint(accepted(), Answer(429), accepted()) as endpoint:
        first = await post(endpoint, *alerts)
        second = await post(endpoint, *alerts)

    assert (first.verdict, first.reason) == (Verdict.THROTTLED, "http_429")
    assert second.verdict is Verdict.DELIVERED
    keys = [each.body["dedup_key"] for each in endpoint.posts]
    assert keys == [each.id for each in (*alerts[:2], *alerts)]


async def test_an_invalid_event_keeps_none_of_the_others_back() -> None:
    async with Endpoint(accepted(), Answer(400), accepted()) as endpoint:
        outcome = await post(endpoint, *(sample_alert(f"a{number}") for number in range(3)))

    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, "http_400")
    assert len(endpoint.posts) == 3


@pytest.mark.parametrize(
    ("answer", "verdict", "reason"),
    [
        (Answer(400, body=b'{"status":"invalid event"}'), Verdict.RETRY, "http_400"),
        (Answer(403), Verdict.RETRY, "http_403"),
        (Answer(410), Verdict.RETRY, "http_410"),
        (Answer(429), Verdict.THROTTLED, "http_429"),
        (Answer(503), Verdict.THROTTLED, "http_503"),
    ],
)
async def test_what_its_answers_mean(answer: Answer, verdict: Verdict, reason: str) -> None:
    async with Endpoint(answer) as endpoint:
        outcome = await post(endpoint, sample_alert())

    assert (outcome.verdict, outcome.reason) == (verdict, reason)


async def test_the_key_is_not_repeated() -> None:
    async with Endpoint(Answer(400, body=f"no key {KEY}".encode())) as endpoint:
        outcome = await post(endpoint, sample_alert())

    assert outcome.detail == "no key …"
