"""`pulse alerts` and `pulse deliveries` on Apache Kafka: what they show, and what is sent again."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from pulse.alerting.people.silences import Muted, encode_replay
from pulse.alerting.records.delivery import State
from pulse.alerting.records.replays import Replay
from pulse.testing import forked
from pulse.testing.alerts import sample_alert
from pulse.testing.webhooks import GONE, Answer, WebhookReceiver, in_turn
from tests.integration.notifier.notifying import Place, firings, ids, notify_process, notifying

if TYPE_CHECKING:
    from pathlib import Path

    from pulse.alerting.records.delivery import Delivery

pytestmark = pytest.mark.kafka

TWICE = {"schedule_s": [0, 0.05]}
ALWAYS = {"--from": "2020-01-01", "--to": "2100-01-01"}


async def pulse(place: Place, folder: Path, url: str, *words: str, code: int = 0) -> str:
    """What a command prints, errors included."""
    file = folder / "cli.yaml"
    settings = place.config(url).model_dump_json(exclude_none=True, exclude_unset=True)
    file.write_text(settings)
    if words[:2] == ("deliveries", "replay"):  # who leads may take long to start
        words += ("--wait", "100")
    done = await asyncio.to_thread(forked.run, [*words, "--config", file])
    printed = done.stdout + done.stderr
    assert done.returncode == code, printed
    return printed


def of_range(**more: str) -> list[str]:
    options = ALWAYS | {f"--{name}": value for name, value in more.items()}
    return [word for pair in options.items() for word in pair]


async def silences(place: Place) -> Muted:
    """What people ask for by now."""
    consumer = AIOKafkaConsumer(bootstrap_servers=place.bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    source = TopicPartition(f"{place.name}.silences", 0)
    consumer.assign([source])
    end = (await consumer.end_offsets([source]))[source]
    await consumer.seek_to_beginning(source)
    muted = Muted()
    while await consumer.position(source) < end:
        for records in (await consumer.getmany(source, timeout_ms=200)).values():
            for record in records:
                muted.read(record.key.decode(), record.value)
    await consumer.stop()
    return muted


async def ask(place: Place, replays: list[Replay]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=place.bootstrap, acks="all")
    await producer.start()
    for each in replays:
        key, value = encode_replay(each)
        await producer.send_and_wait(f"{place.name}.silences", value, key.encode(), partition=0)
    await producer.stop()


def replays_of(found: list[Delivery]) -> list[Replay]:
    now_ms = time.time_ns() // 1_000_000
    return [
        Replay(id=f"rp_{number}", of=each, author="kim", asked_ms=now_ms)
        for number, each in enumerate(found)
    ]


async def test_what_failed_is_shown_and_sent_again_once(place: Place, tmp_path: Path) -> None:
    alerts = firings(5)
    async with (
        WebhookReceiver(behaviour=lambda request: Answer(500)) as server,
        notifying(place.config(server.url, retry=TWICE)),
    ):
        await place.produce(alerts)
        await place.wait_until_recorded("failed", ids(alerts))
        listed = await pulse(place, tmp_path, server.url, "deliveries", "--state", "failed")
        named = await pulse(place, tmp_path, server.url, "alerts", "show", alerts[0].id)
        of_none = await pulse(place, tmp_path, server.url, "alerts", "--not-sent", "--json")

        server.behaviour = lambda request: Answer(200)
        words = ["deliveries", "replay", *of_range(receiver="cs", account="a1")]
        dry = await pulse(place, tmp_path, server.url, *words, "--dry-run")
        assert not server.delivered
        one = await pulse(place, tmp_path, server.url, *words)
        every = await pulse(
            place, tmp_path, server.url, "deliveries", "replay", *of_range(), "--author", "lee"
        )
        again = await pulse(place, tmp_path, server.url, "deliveries", "replay", *of_range())
        audited = await pulse(place, tmp_path, server.url, "audit", "--json")

    # Neither what was only asked about, nor what nothing came of.
    told = [json.loads(line) for line in reversed(audited.splitlines()[:-1])]
    assert [(each["change"], each["account_id"], each["details"]) for each in told] == [
        ("deliveries_replayed", "a1", {"deliveries": "1", "receivers": "cs"}),
        ("deliveries_replayed", None, {"deliveries": "4", "receivers": "cs"}),
    ]
    assert told[1]["who"] == "lee"
    (second,) = ids(alerts[1:2])
    assert all(name in listed for name in ids(alerts))
    assert "5 deliveries" in listed
    assert "cs: failed: http_500" in named
    assert "deduplicate, cs: told" in named
    assert "2 attempts, HTTP 500" in named
    assert {json.loads(line)["id"] for line in of_none.splitlines()[:-1]} == {
        each.id for each in alerts
    }
    assert f"{second} to cs, failed" in dry
    assert "1 delivery would be sent again" in dry
    assert "1 delivery sent again" in one
    assert "passed over 1 delivery: sent again before" in every
    assert "4 deliveries sent again" in every
    assert "passed over 5 deliveries" in again
    assert "nothing is sent again" in again
    assert server.delivered_ids == ids(alerts)
    assert not server.repeated_ids
    assert not (await silences(place)).replays
    known = (await place.known()).notifications
    assert [known[name].state for name in ids(alerts)] == [State.FAILED] * 5


async def test_one_delivery_is_sent_again_under_its_id_or_a_new_one(
    place: Place, tmp_path: Path
) -> None:
    began, ended = sample_alert(), sample_alert(status="resolved")
    (name,) = ids([began])
    async with WebhookReceiver() as server:
        async with notifying(place.config(server.url)):
            await place.produce([began])
            await server.wait_for_ids({name})
            await place.produce([ended])
            await server.wait_for_ids(ids([ended]))
            await place.wait_until_recorded("succeeded", ids([ended]))
        # Who leads next has nothing of it in memory; its beginning is on the alerts topic alone.
        async with notifying(place.config(server.url)):
            answers = [
                await pulse(place, tmp_path, server.url, "deliveries", "replay", *words)
                for words in ([name], [name, "--new-id"])
            ]
            shown = await pulse(place, tmp_path, server.url, "deliveries", "show", name)
            unknown = await pulse(
                place, tmp_path, server.url, "deliveries", "replay", "al_nobody", code=1
            )

    assert ["1 delivery sent again" in each for each in answers] == [True, True]
    first, *_, repeat, new = [each for each in server.requests if "firing" in str(each.body)]
    assert repeat.id == first.id == name
    assert new.id.startswith("rp_")
    told = [{**each.body["data"], "late": None} for each in (first, repeat, new)]
    assert told[0] == told[1] == told[2]
    assert repeat.body["data"]["late"], "its alert is of 2023"
    assert shown.count("rp_") == 2
    assert "resolved by now" in shown
    assert "no delivery is called so" in unknown


async def test_a_disabled_receiver_is_enabled_and_told_what_it_missed(
    place: Place, tmp_path: Path
) -> None:
    alerts = firings(8)
    async with WebhookReceiver(behaviour=in_turn(GONE)) as server:
        async with notifying(place.config(server.url)):
            await place.produce(alerts)
            await place.wait_until_recorded("disabled", ids(alerts))
            server.behaviour = in_turn(Answer(200))
            told = await pulse(place, tmp_path, server.url, "deliveries", "replay", *of_range())
            assert not server.delivered
        words = ("notify", "--author", "lee", "--enable")
        unknown = await pulse(place, tmp_path, server.url, *words, "sc", code=1)
        enabled = await pulse(place, tmp_path, server.url, *words, "cs")
        audited = await pulse(place, tmp_path, server.url, "audit", "--json")
        async with notifying(place.config(server.url)):
            after = await pulse(place, tmp_path, server.url, "deliveries", "replay", *of_range())
            await server.wait_for_ids(ids(alerts))

    assert 'the configuration has no receiver "sc"' in unknown
    assert 'receiver "cs" is enabled' in enabled
    said = json.loads(audited.splitlines()[0])
    assert (said["change"], said["subject"], said["who"]) == ("receiver_enabled", "cs", "lee")
    assert told.count("the receiver gets nothing any more") == 8
    assert "0 deliveries sent again" in told
    assert "8 deliveries sent again" in after
    assert not server.repeated_ids


async def test_kill_9_in_the_middle_loses_none_and_what_is_read_twice_is_done_once(
    place: Place, tmp_path: Path
) -> None:
    alerts = firings(120)
    async with WebhookReceiver() as server:
        async with notify_process(place, tmp_path, server.url):
            await place.produce(alerts)
            await server.wait_for_ids(ids(alerts))
            await place.wait_until_recorded("succeeded", ids(alerts))
        known = await place.known()
        before = known_of_pipeline(known)
        asked = replays_of([known.notifications[name] for name in sorted(ids(alerts))])
        server.behaviour = lambda request: Answer(200, after_s=0.1)
        sent = len(server.requests)
        await ask(place, asked)
        for so_far in (10, 50, 90):
            async with notify_process(place, tmp_path, server.url):
                await server.wait_for(lambda so_far=so_far: len(server.requests) >= sent + so_far)
        async with notify_process(place, tmp_path, server.url):
            replayed = {each.id for each in asked}
            await place.wait_until_recorded("succeeded", replayed)
            settled = len(server.requests)
            await ask(place, asked)
            await asyncio.sleep(3)
            assert len(server.requests) == settled, "they were done before"
        async with notify_process(place, tmp_path, server.url):
            await ask(place, asked)
            await place.produce(firings(1, "last"))
            await server.wait_for_ids(ids(firings(1, "last")))
        after = await place.known()

    again = [each.id for each in server.requests[sent:settled]]
    assert set(again) == ids(alerts)
    # A crash repeats at most what was under way.
    assert len(again) <= len(alerts) + 3 * 32
    assert len(server.requests) == settled + 1
    bodies = {each.id: each.body["data"]["id"] for each in server.requests}
    assert all(bodies[each.id] == each.body["data"]["id"] for each in server.requests)
    of_replays = [each for each in after.notifications.values() if each.replay_of]
    assert len(of_replays) == len(asked)
    last = firings(1, "last")[0].id
    assert {k: v for k, v in known_of_pipeline(after).items() if last not in str(v)} == before


def known_of_pipeline(known: Any) -> dict[str, Any]:
    return {name: each.entry for name, each in known.alerts.items()} | known.groups
