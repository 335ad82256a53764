"""Routes, silences, hours, budgets on Apache Kafka; `standardwebhooks` verifies what comes."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaProducer
from standardwebhooks.webhooks import Webhook

from pulse.alerting.people.silences import encode_silence, encode_snooze
from pulse.alerting.stages.matching import Matcher
from pulse.alerting.stages.muting import Silence, Snooze
from pulse.config import Config
from pulse.model import GroupBody, WebhookBody
from pulse.testing.alerts import sample_alert
from pulse.testing.webhooks import EXAMPLE_SECRET, WebhookReceiver
from tests.integration.notifier.notifying import (
    Place,
    firings,
    ids,
    notify_process,
    notifying,
    until,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pulse.model import Alert
    from pulse.testing.webhooks import ReceivedRequest

pytestmark = pytest.mark.kafka


def config(place: Place, url: str, **sections: Any) -> Config:
    return Config.model_validate(place.settings(url) | sections)


def verified(request: ReceivedRequest) -> dict[str, Any]:
    """The body, as the package for receivers reads it, and as its schema has it."""
    body = Webhook(EXAMPLE_SECRET).verify(request.raw, dict(request.headers))
    model = GroupBody if "alerts" in body["data"] else WebhookBody
    model.model_validate_json(json.dumps(body))
    assert isinstance(body, dict)
    return body


def accounts(body: dict[str, Any]) -> set[str]:
    data = body["data"]
    return {each["account_id"] for each in data.get("alerts", [data])}


def of(owner: str, *names: str, status: Any = "firing", mrr: float = 100) -> list[Alert]:
    return [
        sample_alert(name, status, profile={"name": name, "owner": owner, "mrr": mrr})
        for name in names
    ]


async def say(place: Place, key: str, value: bytes | None) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=place.bootstrap, acks="all")
    await producer.start()
    await producer.send_and_wait(f"{place.name}.silences", value, key.encode(), partition=0)
    await producer.stop()


async def test_alerts_of_an_owner_in_all_partitions_are_told_together(place: Place) -> None:
    route = {"group_by": ["owner"], "group_wait": "3s"}
    names = [f"a{number}" for number in range(12)]
    async with WebhookReceiver() as server, notifying(config(place, server.url, route=route)):
        await place.produce(of("kim", *names))
        await place.produce(of("lee", "other"))
        await server.wait_for(lambda: len(server.delivered) == 2)
        await place.produce(of("kim", *names[:3], status="resolved"))
        await server.wait_for(lambda: len(server.delivered) == 3)

    first, second, last = sorted(map(verified, server.delivered), key=lambda b: -len(accounts(b)))
    assert (first["type"], first["data"]["group"]) == ("alerts.firing", {"owner": "kim"})
    assert accounts(first) == set(names)
    assert (second["type"], accounts(second)) == ("alerts.resolved", set(names[:3]))
    assert second["data"]["also_firing"] == 9
    assert (last["type"], accounts(last)) == ("alert.firing", {"other"})


async def test_a_silence_in_the_topic_holds_also_when_it_was_there_before(place: Place) -> None:
    ends_ms = time.time_ns() // 1_000_000 + 86_400_000
    for name, of_whom in (("si_1", ("quiet*",)), ("si_2", ("held",))):
        silence = Silence(
            id=name, match=Matcher(accounts=of_whom), author="kim", reason="known", starts_ms=0,
            ends_ms=ends_ms,
        )  # fmt: skip
        await say(place, *encode_silence(silence))
    names = ("quiet", "held", "snoozed", "loud")
    quiet, held, snoozed, loud = (sample_alert(name) for name in names)
    async with WebhookReceiver() as server:
        async with notifying(place.config(server.url)):
            await place.produce([quiet, held, loud])
            await server.wait_for_ids(ids([loud]))
            await say(place, *encode_snooze(Snooze(alert_id=snoozed.id, author="kim")))
            # What was said is read in its order: who hears of this end knows of the snooze.
            await say(place, "silence/si_2", None)
            await server.wait_for_ids(ids([held]))
            await place.produce([snoozed, *firings(1, "then")])
            await server.wait_for_ids(ids(firings(1, "then")))
        async with notifying(place.config(server.url)):
            await place.produce(firings(1, "later"))
            await server.wait_for_ids(ids(firings(1, "later")))
            assert not server.delivered_ids & ids([quiet, snoozed])
            await say(place, "silence/si_1", None)
            await server.wait_for_ids(ids([quiet]))
            await place.produce([sample_alert("snoozed", "resolved")])
            path = (await place.known()).alerts[quiet.id].beside.path

    assert [(each.stage, each.reason) for each in path] == [
        ("silence", "silenced:si_1"),
        ("deduplicate", "told"),
    ]
    assert not server.delivered_ids & ids([snoozed])
    assert all(verified(request) for request in server.delivered)


async def soon() -> str:
    """A minute that begins once a notifier has started and heard of alerts: in 45 to 105 s."""
    now = datetime.now(UTC)
    if (now + timedelta(seconds=105)).date() > now.date():  # the hours of a day end with it
        await asyncio.sleep(106)
    return (datetime.now(UTC) + timedelta(seconds=105)).strftime("%H:%M")


async def test_outside_of_its_hours_alerts_wait_until_they_begin(place: Place) -> None:
    opens = await soon()
    interval = {"name": "soon", "times": [f"{opens}-24:00"]}
    sections = {"time_intervals": [interval], "route": {"only_in": ["soon"]}}
    async with WebhookReceiver() as server, notifying(config(place, server.url, **sections)):
        began_s = time.time()
        await place.produce(firings(3))
        await asyncio.sleep(3)
        assert not server.requests
        await server.wait_for_ids(ids(firings(3)), within_s=150)
        told = datetime.now(UTC)

    assert told.strftime("%H:%M") == opens
    assert told.second < 30
    assert time.time() - began_s > 3


async def test_what_is_over_the_budget_comes_in_a_digest(place: Place) -> None:
    sections = {
        "budget": {"weekly": 2, "digest": {"at": await soon()}},
        "route": {"group_by": ["owner"], "group_wait": "2s"},
    }
    async with WebhookReceiver() as server, notifying(config(place, server.url, **sections)):
        # At once: however long each took alone, they are to come within the group's wait.
        await place.produce(
            alert for number in range(5) for alert in of("kim", f"a{number}", mrr=100 * number)
        )
        await server.wait_for(lambda: len(server.delivered) == 1)
        await server.wait_for(lambda: len(server.delivered) == 2, within_s=150)

    first, digest = map(verified, server.delivered)
    assert accounts(first) == {"a4", "a3"}
    assert (digest["type"], accounts(digest)) == ("alerts.digest", {"a0", "a1", "a2"})


async def test_kill_9_while_groups_wait_loses_nothing(place: Place, tmp_path: Path) -> None:
    place.extra = {"route": {"group_by": ["owner"], "group_wait": "2s", "group_interval": "2s"}}
    owners = ("kim", "lee", "max")
    async with WebhookReceiver() as server:
        for turn in range(4):
            async with notify_process(place, tmp_path, server.url):
                so_far = len(server.delivered)
                for owner in owners:
                    await place.produce(of(owner, *(f"{owner}{turn}-{n}" for n in range(20))))
                await server.wait_for(lambda so_far=so_far: len(server.delivered) > so_far)
        everybody = {f"{o}{t}-{n}" for o in owners for t in range(4) for n in range(20)}

        def told() -> set[str]:
            return {name for each in server.delivered for name in accounts(each.body)}

        async with notify_process(place, tmp_path, server.url):
            await until(lambda: told() == everybody)

    counts: dict[str, set[str]] = {}
    for request in server.delivered:
        for name in accounts(verified(request)):
            counts.setdefault(name, set()).add(request.id)
    # Twice under two ids only where an answer was lost by a kill: some of one notification each.
    assert sum(len(each) > 1 for each in counts.values()) <= 3 * 4 * 25
