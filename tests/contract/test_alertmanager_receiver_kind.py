"""The receiver kind `alertmanager`, and its webhook's body, beside a real Alertmanager."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
from standardwebhooks.webhooks import Webhook as Standard

from pulse.alerting.people.links import Links
from pulse.alerting.records.delivery import Delivery, State
from pulse.alerting.stages.grouping import Labels
from pulse.model import Alert
from pulse.model.notification import MAX_BODY_BYTES
from pulse.notifier.kinds import make_receiver
from pulse.notifier.receiver import (
    Attempt,
    Notification,
    Outcome,
    Receiver,
    ReceiverSettings,
    Verdict,
)
from pulse.notifier.receivers.alertmanager import AlertmanagerOptions
from pulse.notifier.receivers.alertmanager_body import alertmanager_body
from pulse.notifier.receivers.signature import decode_secret
from pulse.notifier.sending.parcel import notification_of
from pulse.processes import MissingProgramError
from pulse.testing.alertmanager import AlertmanagerServer
from pulse.testing.alerts import sample_alert
from pulse.testing.endpoint import Endpoint
from pulse.testing.webhooks import EXAMPLE_SECRET, Answer, WebhookReceiver

DAY_MS = 86_400_000


@dataclass
class Real:
    """A real Alertmanager, and the endpoint that it tells what it makes of its alerts."""

    server: AlertmanagerServer
    told: Endpoint

    async def alerts(self) -> dict[str, Any]:
        """What its API shows firing, by account."""
        found = await asyncio.to_thread(self.server.alerts)
        return {each["labels"]["account"]: each for each in found}

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return when the condition holds. Raises `TimeoutError`."""
        await self.told.wait_for(condition)

    def said_of(self, account: str) -> list[dict[str, Any]]:
        """The alerts of an account in what it posted, in order."""
        return [
            alert
            for post in self.told.posts
            for alert in post.body["alerts"]
            if alert["labels"]["account"] == account
        ]


@pytest.fixture
async def real(tmp_path: Path, without: Callable[[str], NoReturn]) -> AsyncIterator[Real]:
    async with Endpoint() as told:
        server = AlertmanagerServer(tmp_path, told.url)
        try:
            await asyncio.to_thread(server.start)
        except MissingProgramError as error:
            without(str(error))
        yield Real(server, told)
        await asyncio.to_thread(server.stop)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def receiver_at(url: str, **options: Any) -> Receiver:
    given = AlertmanagerOptions(**{"ends_after_ms": 180 * DAY_MS, **options})
    return make_receiver(
        ReceiverSettings(
            name="am", kind="alertmanager", url=url, allow_private=True, timeout_s=30, options=given
        )
    )


async def push(url: str, *alerts: Alert, **options: Any) -> Outcome:
    receiver = receiver_at(url, **options)
    links = {each.id: {"alert": "https://pulse.example/a"} for each in alerts}
    try:
        notice = Notification(id="n", alerts=alerts, links=links)
        return await receiver.send(notice, Attempt(1, now_ms()))
    finally:
        await receiver.close()


def began(account: str, status: Any = "firing", **changes: Any) -> Alert:
    """An alert of an hour ago."""
    started = now_ms() // 1000 * 1000 - 3_600_000
    at = started if status == "firing" else now_ms()
    return sample_alert(account, status, started_at_ms=started, at_ms=at, **changes)


async def test_a_real_alertmanager_shows_alerts_firing_and_then_resolved(real: Real) -> None:
    outcome = await push(real.server.url, began("acme"), began("beta"))

    assert outcome == Outcome(Verdict.DELIVERED, "ok", 200)
    shown = await real.alerts()
    assert set(shown) == {"acme", "beta"}
    assert shown["acme"]["status"]["state"] in ("active", "unprocessed")
    assert shown["acme"]["labels"] == {
        "alertname": "pulse_danger",
        "account": "acme",
        "reason": "danger",
        "severity": "critical",
        "service": "pulse",
    }
    assert shown["acme"]["annotations"]["score"] == "31.25"
    assert shown["acme"]["generatorURL"] == "https://pulse.example/a"
    await real.until(lambda: bool(real.said_of("acme")))

    # Its end has other numbers and another zone: it is the same alert all the same.
    await push(real.server.url, began("acme", "resolved", score=58.5))

    assert set(await real.alerts()) == {"beta"}
    await real.until(lambda: len(real.said_of("acme")) == 2)
    firing, resolved = real.said_of("acme")
    assert (firing["status"], resolved["status"]) == ("firing", "resolved")
    assert firing["fingerprint"] == resolved["fingerprint"]
    assert resolved["startsAt"] == firing["startsAt"]


async def test_what_fires_goes_on_though_nothing_more_is_said_of_it(real: Real) -> None:
    await push(real.server.url, began("acme"))
    await push(real.server.url, began("short"), ends_after_ms=1500)
    # A digest only begins: it does not fire there for half a year.
    await push(real.server.url, began("*", reason="digest"))
    before = await real.alerts()
    await real.until(lambda: bool(real.said_of("acme")))
    # The digest was told last, and ends by resolve_timeout: whatever is there then goes on.
    async with asyncio.timeout(60):
        while set(await real.alerts()) & {"short", "*"}:  # noqa: ASYNC110 - it tells nobody here
            await asyncio.sleep(0.2)

    assert set(before) >= {"acme", "*"}
    assert set(await real.alerts()) == {"acme"}
    assert [each["status"] for each in real.said_of("acme")] == ["firing"]


async def test_what_is_told_again_after_its_restart_is_known_again(real: Real) -> None:
    await push(real.server.url, began("acme"))
    await asyncio.to_thread(real.server.restart)
    forgotten = await real.alerts()
    await push(real.server.url, began("acme"))

    assert forgotten == {}
    assert set(await real.alerts()) == {"acme"}


async def test_fields_of_the_profile_are_labels_where_that_is_asked_for(real: Real) -> None:
    await push(real.server.url, began("acme"), labels=("segment", "owner"))

    shown = await real.alerts()
    assert shown["acme"]["labels"]["segment"] == "enterprise"
    assert "owner" not in shown["acme"]["labels"]  # it has none


async def test_the_webhook_body_is_like_that_of_a_real_alertmanager(real: Real) -> None:
    alert = began("acme")
    await push(real.server.url, alert)
    await real.until(lambda: bool(real.said_of("acme")))
    theirs = real.told.posts[0].body
    notice = Notification(
        id="n",
        alerts=(alert,),
        group=(("account", "acme"),),
        links={alert.id: {"alert": "https://pulse.example/a"}},
    )
    ours = json.loads(alertmanager_body(notice, "hook"))

    assert set(ours) == set(theirs)
    assert {type(ours[name]) for name in ours} == {type(theirs[name]) for name in theirs}
    for name in ("version", "truncatedAlerts", "status", "receiver", "commonLabels"):
        assert ours[name] == theirs[name]
    for each in (ours, theirs, json.loads(alertmanager_body(replace(notice, group=()), "hook"))):
        assert re.fullmatch(
            r'\{\}(/\{\w+="\w+"\})?:\{(\w+="[^"]*"(, (?=\w))?)*\}', each["groupKey"]
        )
        for name, value in each["groupLabels"].items():
            assert f'{name}="{value}"' in each["groupKey"]
    (our_alert,), (their_alert,) = ours["alerts"], theirs["alerts"]
    assert set(our_alert) == set(their_alert)
    for name in ("status", "labels", "annotations", "generatorURL", "fingerprint"):
        assert our_alert[name] == their_alert[name]
    assert our_alert["startsAt"] == their_alert["startsAt"].replace(".000Z", "Z")


async def test_the_webhook_body_is_signed_like_any_other() -> None:
    settings = ReceiverSettings(
        name="cs",
        keys=(decode_secret(EXAMPLE_SECRET),),
        allow_private=True,
        options="alertmanager",
    )
    alerts = (sample_alert("acme"), sample_alert("beta", "resolved"))
    notice = Notification(id="n1", alerts=alerts, group=(("owner", "kim"),), also_firing=2)
    async with WebhookReceiver() as server:
        receiver = make_receiver(replace(settings, url=server.url))
        outcome = await receiver.send(notice, Attempt(1, now_ms()))
        await receiver.close()

    assert outcome.verdict is Verdict.DELIVERED
    (request,) = server.requests
    Standard(EXAMPLE_SECRET).verify(request.raw, dict(request.headers))
    assert request.body["status"] == "firing"
    assert request.body["truncatedAlerts"] == 2
    assert request.body["groupLabels"] == {"owner": "kim"}
    assert [each["status"] for each in request.body["alerts"]] == ["firing", "resolved"]
    assert request.body["commonLabels"]["reason"] == "danger"
    assert "account" not in request.body["commonLabels"]


def told(
    *alerts: Alert, labels: Labels, group: str = "gr_1", with_links: bool = True
) -> dict[str, Any]:
    """The body of a webhook, by the record of its notification."""
    delivery = Delivery(
        id="n",
        group=group,
        receiver="cs",
        alerts=tuple((each.id, each.status) for each in alerts),
        labels=labels,
        state=State.PENDING,
        at_ms=0,
        created_ms=0,
        due_ms=0,
    )
    letters = {each.id: each.model_dump_json(exclude_unset=True).encode() for each in alerts}
    links = Links("https://pulse.example.com", b"k" * 32, 30 * DAY_MS) if with_links else None
    notification = notification_of(delivery, letters, {}, links)
    assert notification is not None
    raw = alertmanager_body(notification, "cs")
    assert len(raw) < MAX_BODY_BYTES
    body: dict[str, Any] = json.loads(raw)
    return body


def test_each_alert_that_is_told_alone_is_a_group_of_its_own() -> None:
    acme, bolt = sample_alert("acme"), sample_alert("bolt")
    ended = sample_alert("acme", "resolved")
    firing, other, resolved = (
        told(each, labels=(("alert", each.id),)) for each in (acme, bolt, ended)
    )

    assert firing["groupLabels"] == {"account": "acme", "alertname": "pulse_danger"}
    assert firing["groupKey"] != other["groupKey"]
    assert resolved["groupKey"] == firing["groupKey"]
    assert resolved["groupLabels"] == firing["groupLabels"]


@pytest.mark.parametrize("labels", [(), (("owner", "kim"),)])
def test_groups_with_the_same_labels_are_told_apart(labels: Labels) -> None:
    acme, bolt = sample_alert("acme"), sample_alert("bolt")
    one = told(acme, labels=labels, group="gr_1")
    another = told(bolt, labels=labels, group="gr_2")
    ended = told(sample_alert("acme", "resolved"), labels=labels, group="gr_1")

    assert one["groupKey"] != another["groupKey"]
    assert ended["groupKey"] == one["groupKey"]
    assert one["groupLabels"] == another["groupLabels"] == dict(labels)


@pytest.mark.parametrize(("length", "count"), [(50, 25), (200, 25), (8_000, 25), (8_000, 1)])
def test_the_webhook_body_is_below_20_kb(length: int, count: int) -> None:
    alerts = tuple(
        sample_alert(f"account-{number}", summary="x" * length, play="y" * length)
        for number in range(count)
    )
    body = told(*alerts, labels=(("owner", "kim"),))

    assert len(body["alerts"]) == count
    assert body["truncatedAlerts"] == 0
    for each in body["alerts"]:
        assert "/l/" in each["generatorURL"]
        assert each["annotations"].keys() >= {"summary", "play", "alert_id", "score"}


def test_alerts_that_do_not_fit_are_counted() -> None:
    alerts = tuple(sample_alert("ü" * 200 + str(number)) for number in range(25))
    body = told(*alerts, labels=(("owner", "kim"),))

    assert 5 < len(body["alerts"]) < 25
    assert body["truncatedAlerts"] == 25 - len(body["alerts"])


async def test_what_comes_late_again_or_in_a_digest_says_so() -> None:
    alert = sample_alert("acme")
    plain = Notification(id="n", alerts=(alert,))
    marked = replace(plain, is_late=True, again=True, is_digest=True)
    async with Endpoint() as endpoint:
        receiver = receiver_at(endpoint.base)
        for each in (plain, marked):
            await receiver.send(each, Attempt(1, now_ms()))
        await receiver.close()
    pushed = [post.body[0]["annotations"] for post in endpoint.posts]
    posted = [
        json.loads(alertmanager_body(each, "cs"))["alerts"][0]["annotations"]
        for each in (plain, marked)
    ]

    said = {"late": "true", "again": "true", "digest": "true"}
    for without, with_marks in (pushed, posted):
        assert not said.keys() & without.keys()
        assert with_marks == without | said


async def test_a_token_is_sent_and_not_repeated() -> None:
    async with Endpoint(Answer(401, body=b"bad token s3cret-token-of-mine")) as endpoint:
        outcome = await push(endpoint.base + "/", sample_alert(), token="s3cret-token-of-mine")

    assert endpoint.posts[0].path == "/api/v2/alerts"
    assert endpoint.posts[0].headers["authorization"] == "Bearer s3cret-token-of-mine"
    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, "http_401")
    assert outcome.detail == "bad token …"


def test_an_end_never_lies_ahead_or_before_its_beginning() -> None:
    ended = sample_alert("acme", "resolved", at_ms=now_ms() + 60_000, started_at_ms=now_ms())

    async def pushed() -> dict[str, Any]:
        async with Endpoint() as endpoint:
            await push(endpoint.base, ended)
            alert: dict[str, Any] = endpoint.posts[0].body[0]
            return alert

    alert = asyncio.run(pushed())
    assert alert["startsAt"] <= alert["endsAt"]
    assert alert["endsAt"] <= time.strftime("%Y-%m-%dT%H:%M:%S.999Z", time.gmtime())


async def test_a_late_end_of_an_earlier_alert_leaves_the_later_one(real: Real) -> None:
    began_ms = now_ms() // 1000 * 1000 - 7_200_000
    first = sample_alert("acme", started_at_ms=began_ms, at_ms=began_ms)
    first_ends = sample_alert(
        "acme", "resolved", started_at_ms=began_ms, at_ms=began_ms + 3_600_000
    )
    again_ms = began_ms + 5_400_000
    second = sample_alert("acme", started_at_ms=again_ms, at_ms=again_ms)
    second_ends = sample_alert("acme", "resolved", started_at_ms=again_ms, at_ms=now_ms())
    receiver = receiver_at(real.server.url)
    told = []
    for number, alert in enumerate((first, second, first_ends, second_ends)):
        outcome = await receiver.send(
            Notification(id=f"n{number}", alerts=(alert,)), Attempt(1, now_ms())
        )
        assert outcome.verdict is Verdict.DELIVERED
        told.append("acme" in await real.alerts())
    await receiver.close()
    assert told == [True, True, True, False]
