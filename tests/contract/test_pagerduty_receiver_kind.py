"""The receiver kind `pagerduty`: beside PagerDuty's own client, on a real HTTP server."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from pagerduty import EventsApiV2Client

from pulse.model import Alert
from pulse.notifier.kinds import make_receiver
from pulse.notifier.receiver import (
    Attempt,
    Notification,
    Outcome,
    Receiver,
    ReceiverSettings,
    Verdict,
)
from pulse.notifier.receivers.pagerduty import PagerDutyOptions
from pulse.testing.alerts import sample_alert
from pulse.testing.endpoint import Endpoint
from pulse.testing.webhooks import Answer

KEY = "R0UTINGKEYR0UTINGKEYR0UTINGKEY00"


def accepted(key: str = "x") -> Answer:
    said = {"status": "success", "message": "Event processed", "dedup_key": key}
    return Answer(202, {"content-type": "application/json"}, json.dumps(said).encode())


@asynccontextmanager
async def pager(endpoint: Endpoint, timeout_s: float = 30) -> AsyncIterator[Receiver]:
    settings = ReceiverSettings(
        name="pager",
        kind="pagerduty",
        url=f"{endpoint.base}/v2/enqueue",
        allow_private=True,
        timeout_s=timeout_s,
        options=PagerDutyOptions(routing_key=KEY),
    )
    receiver = make_receiver(settings)
    try:
        yield receiver
    finally:
        await receiver.close()


async def send(receiver: Receiver, *alerts: Alert, number: int = 1, **changes: Any) -> Outcome:
    given = Notification(id="n", alerts=alerts, **changes)
    return await receiver.send(given, Attempt(number, time.time_ns() // 1_000_000))


async def post(endpoint: Endpoint, *alerts: Alert, **changes: Any) -> Outcome:
    async with pager(endpoint) as receiver:
        return await send(receiver, *alerts, **changes)


async def test_a_firing_alert_triggers_and_its_end_resolves_the_same_incident() -> None:
    async with Endpoint(accepted()) as endpoint:
        first = await post(endpoint, sample_alert("acme", scores=(62, None, 37)))
        second = await post(endpoint, sample_alert("acme", "resolved"))

    assert first.verdict is second.verdict is Verdict.DELIVERED
    trigger, resolve = (each.body for each in endpoint.posts)
    assert trigger["event_action"] == "trigger"
    assert trigger["payload"]["summary"] == "Acme is in danger: its score fell to 31."
    assert trigger["payload"]["severity"] == "critical"
    assert trigger["payload"]["source"] == "acme"
    assert trigger["payload"]["custom_details"]["score"] == 31.25
    assert trigger["payload"]["custom_details"]["scores"] == "▆·▄▄"
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


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_an_invalid_event_keeps_none_of_the_others_back(status: int) -> None:
    alerts = [sample_alert(f"a{number}") for number in range(3)]
    async with Endpoint(accepted(), Answer(status), accepted()) as endpoint:
        outcome = await post(endpoint, *alerts)

    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, f"http_{status}")
    assert [each.body["dedup_key"] for each in endpoint.posts] == [each.id for each in alerts]


async def test_what_speaks_of_all_events_ends_the_attempt() -> None:
    async with Endpoint(accepted(), Answer(403), accepted()) as endpoint:
        outcome = await post(endpoint, *(sample_alert(f"a{number}") for number in range(3)))

    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, "http_403")
    assert len(endpoint.posts) == 2


async def test_what_was_taken_is_not_sent_again() -> None:
    alerts = [sample_alert(f"a{number}") for number in range(4)]
    answers = (accepted(), Answer(400), accepted(), Answer(429), accepted())
    async with Endpoint(*answers) as endpoint, pager(endpoint) as receiver:
        first = await send(receiver, *alerts)
        second = await send(receiver, *alerts, number=2)

    assert (first.verdict, first.reason) == (Verdict.THROTTLED, "http_429")
    assert second.verdict is Verdict.DELIVERED
    keys = [each.body["dedup_key"] for each in endpoint.posts]
    assert keys == [each.id for each in (*alerts, alerts[1], alerts[3])]


async def test_what_is_begun_anew_is_sent_whole() -> None:
    alerts = [sample_alert("a0"), sample_alert("a1")]
    answers = (accepted(), Answer(429), accepted())
    async with Endpoint(*answers) as endpoint, pager(endpoint) as receiver:
        await send(receiver, *alerts)
        again = await send(receiver, *alerts)

    assert again.verdict is Verdict.DELIVERED
    assert len(endpoint.posts) == 4


async def test_an_attempt_ends_though_each_answer_comes_in_time() -> None:
    alerts = [sample_alert(f"a{number}") for number in range(3)]
    # An attempt has six seconds, and one for each further event: the third answer is a second late.
    slow = Answer(202, after_s=3)
    async with Endpoint(slow) as endpoint, pager(endpoint, timeout_s=6) as receiver:
        first = await send(receiver, *alerts)
        second = await send(receiver, *alerts, number=2)

    assert (first.verdict, first.reason) == (Verdict.RETRY, "timeout")
    assert second.verdict is Verdict.DELIVERED
    assert endpoint.posts[-1].body["dedup_key"] == alerts[2].id


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
