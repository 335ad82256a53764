"""The notifier on Apache Kafka: what must not be lost, and what must not come twice."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from pulse.errors import PulseError
from pulse.model import notification_id
from pulse.notifier import app
from pulse.testing.alerts import sample_alert
from pulse.testing.kafka import KafkaServer
from pulse.testing.webhooks import GONE, Answer, WebhookReceiver, failing, in_turn
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

pytestmark = pytest.mark.kafka


async def test_half_of_the_requests_fail_and_every_alert_arrives_once(place: Place) -> None:
    began = firings(60)
    ended = [sample_alert(alert.account_id, "resolved") for alert in began]
    async with (
        WebhookReceiver(behaviour=failing(0.5, seed=1)) as server,
        notifying(place.config(server.url)),
    ):
        await place.produce(began)
        await server.wait_for_ids(ids(began))
        await place.produce([*ended, *began])
        await server.wait_for_ids(ids(ended))
        recorded = await place.wait_until_recorded("succeeded", ids(began) | ids(ended))

    assert server.delivered_ids == ids(began) | ids(ended) == set(recorded)
    assert not server.repeated_ids
    assert len(server.requests) > 180, "the failed ones were repeated"
    assert {request.id for request in server.requests} == server.delivered_ids
    assert all(request.problem is None for request in server.requests)
    order = [request.id for request in server.delivered]
    for alert in began:
        firing, resolved = (notification_id(alert.id, "cs", s) for s in ("firing", "resolved"))
        assert order.index(firing) < order.index(resolved)


async def test_what_was_sent_is_not_sent_again_after_a_restart(place: Place) -> None:
    alerts = firings(10)
    async with WebhookReceiver() as server:
        await place.produce(alerts)
        async with notifying(place.config(server.url)):
            await server.wait_for_ids(ids(alerts))
        more = firings(5, "b")
        await place.produce([*alerts, *more])
        async with notifying(place.config(server.url)):
            await server.wait_for_ids(ids(more))

    assert len(server.requests) == 15


async def test_kill_9_in_the_middle_loses_nothing(place: Place, tmp_path: Path) -> None:
    alerts = firings(400)
    chance = failing(0.2, seed=2)

    async with WebhookReceiver() as server:
        server.behaviour = lambda request: Answer(chance(request).status, after_s=0.05)
        await place.produce(alerts)
        for so_far in (60, 150, 250):
            async with notify_process(place, tmp_path, server.url):
                await server.wait_for(lambda so_far=so_far: len(server.delivered_ids) >= so_far)
        async with notify_process(place, tmp_path, server.url) as process:
            await server.wait_for_ids(ids(alerts))
            await place.wait_until_recorded("succeeded", ids(alerts))
            process.send_signal(signal.SIGTERM)
            code = await asyncio.to_thread(process.wait, 60)

    assert code == 0, (tmp_path / "notify.log").read_text()[-2000:]
    assert server.delivered_ids == ids(alerts)
    # A crash repeats at most what was under way.
    assert server.repeated_ids.total() - len(server.repeated_ids) <= 3 * 32
    bodies = {request.id: request.raw for request in server.requests}
    assert all(bodies[request.id] == request.raw for request in server.requests)


async def test_a_notifier_that_was_thought_dead_undoes_nothing(
    place: Place, tmp_path: Path
) -> None:
    """Stopped for longer than the session, with work in hand; it wakes into somebody else's."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    began = firings(200)
    ended = [sample_alert(alert.account_id, "resolved") for alert in began]
    chance = failing(0.3, seed=3)
    async with WebhookReceiver() as server:
        server.behaviour = lambda request: Answer(chance(request).status, after_s=0.1)
        async with notify_process(place, tmp_path / "one", server.url) as sleeper:
            await place.produce(began)
            await server.wait_for(lambda: len(server.delivered_ids) >= 30)
            sleeper.send_signal(signal.SIGSTOP)
            async with notify_process(place, tmp_path / "two", server.url):
                await server.wait_for_ids(ids(began))
                await place.produce(ended)
                sleeper.send_signal(signal.SIGCONT)
                await server.wait_for_ids(ids(ended))
                recorded = await place.wait_until_recorded("succeeded", ids(ended))
                # What the sleeper had delivered without recording it was still to be sent again.
                assert {recorded[key] for key in ids(began)} <= {"succeeded", "superseded"}
                sleeper.send_signal(signal.SIGTERM)
                assert await asyncio.to_thread(sleeper.wait, 60) == 0
        settled = len(server.requests)
        server.behaviour = lambda request: Answer(200)
        async with notifying(place.config(server.url)):
            await place.produce(firings(1, "last"))
            await server.wait_for_ids(ids(firings(1, "last")))

    assert len(server.requests) == settled + 1, "nothing was repeated by the next holder"


async def test_gone_disables_the_receiver_and_survives_a_restart(place: Place) -> None:
    first, later, last = firings(1), firings(20, "b"), firings(5, "c")
    async with WebhookReceiver(behaviour=in_turn(GONE)) as server:
        with capture_logs() as lines:
            async with notifying(place.config(server.url)):
                await place.produce(first)
                await place.wait_until_recorded("disabled", ids(first))
                await place.produce(later)
                await place.wait_until_recorded("disabled", ids(later))
            async with notifying(place.config(server.url)):
                await place.produce(last)
                await place.wait_until_recorded("disabled", ids(last))
        assert len(server.requests) == 1
        assert set((await place.known()).json) == {each.id for each in [*first, *later, *last]}
        assert len([line for line in lines if "410 Gone" in line["event"]]) == 1

        server.behaviour = in_turn(Answer(200))
        await app.enable(place.config(server.url), "cs")
        after = firings(3, "d")
        async with notifying(place.config(server.url)):
            await place.produce(after)
            await server.wait_for_ids(ids(after))


async def test_an_end_supersedes_a_firing_that_was_not_sent(place: Place) -> None:
    waiting = [sample_alert("waiting"), sample_alert("waiting", "resolved")]
    tried = [sample_alert("tried"), sample_alert("tried", "resolved")]
    retry = {"schedule_s": [0, 3600]}
    async with WebhookReceiver(behaviour=in_turn(Answer(500), Answer(200))) as server:
        async with notifying(place.config(server.url, retry=retry)):
            await place.produce(tried[:1])
            await place.wait_until_recorded("retrying", ids(tried[:1]))
        await place.produce([*waiting, *tried[1:]])
        async with notifying(place.config(server.url, retry={"schedule_s": [600]})):
            found = await place.wait_until_recorded("skipped", ids(waiting[1:]))
            found = await place.wait_until_recorded("pending", ids(tried[1:]))
        async with notifying(place.config(server.url)):
            path = (await place.known()).alerts[waiting[0].id].beside.path
            assert path[-1].reason == "resolved_before_sent"
            assert found[next(iter(ids(waiting[:1])))] == "superseded"
            assert found[next(iter(ids(tried[:1])))] == "superseded"

    assert [request.id for request in server.requests] == list(ids(tried[:1]))


async def test_of_two_notifiers_one_leads_and_the_other_takes_over(place: Place) -> None:
    batches = [firings(40, prefix) for prefix in "abc"]
    async with WebhookReceiver() as one, WebhookReceiver() as two:
        async with notifying(place.config(one.url)):
            await place.produce(batches[0])
            await one.wait_for_ids(ids(batches[0]))
            async with notifying(place.config(two.url)) as stop:
                await asyncio.sleep(5)  # the group takes the other one in
                await place.produce(batches[1])
                await one.wait_for_ids(ids(batches[1]))
                assert not two.requests, "it stands by"
                assert not stop.is_set()
        async with notifying(place.config(one.url)) as first, notifying(place.config(two.url)):
            await asyncio.sleep(5)
            first.set()
            await place.produce(batches[2])
            await until(lambda: ids(batches[2]) <= one.delivered_ids | two.delivered_ids)

    together = one.delivered_ids | two.delivered_ids
    assert together == ids(alert for batch in batches for alert in batch)
    assert not one.delivered_ids & two.delivered_ids
    assert not one.repeated_ids
    assert not two.repeated_ids


async def test_bad_records_are_passed_over(place: Place) -> None:
    good = firings(2)
    wrong = sample_alert("bad").model_dump_json().replace('"firing"', '"burning"').encode()
    bad = [b"", b"{", b"\xff\x00", b"null", b"[]", wrong, b'{"id":"' + b"x" * 300_000 + b'"}']
    async with WebhookReceiver() as server:
        with capture_logs() as lines:
            async with notifying(place.config(server.url)):
                await place.produce([good[0], *bad, good[1]])
                await server.wait_for_ids(ids(good))
                await until(lambda: str(lines).count("is no alert") == 7)

    assert server.delivered_ids == ids(good)


async def test_topics_that_are_not_there_yet_are_waited_for(
    kafka: KafkaServer, unique: str
) -> None:
    place = Place(kafka.bootstrap, unique)
    async with WebhookReceiver() as server:
        with capture_logs() as lines:
            async with notifying(place.config(server.url)):
                await until(lambda: "waiting for topics" in str(lines))
                await asyncio.sleep(2.5)
                place.make_topics()
                await place.produce(firings(1))
                await server.wait_for_ids(ids(firings(1)))

    assert len([line for line in lines if "waiting for topics" in line["event"]]) == 1


async def test_topics_that_do_not_fit_are_refused(kafka: KafkaServer, unique: str) -> None:
    place = Place(kafka.bootstrap, unique)
    place.make_topics(deliveries=3)

    with pytest.raises(PulseError, match=r"4 partitions and .* has 3"):
        await app.run(
            place.config("http://127.0.0.1:1/"), asyncio.Event(), registry=CollectorRegistry()
        )


async def test_a_kafka_that_is_away_is_waited_for_with_one_line(tmp_path: Path) -> None:
    with KafkaServer(tmp_path) as own:
        place = Place(own.bootstrap, "own")
        place.make_topics()
        before, after = firings(10), firings(10, "b")
        async with WebhookReceiver() as server:
            with capture_logs() as lines:
                async with notifying(place.config(server.url)):
                    await place.produce(before)
                    await server.wait_for_ids(ids(before))
                    await asyncio.to_thread(own.kill)
                    await until(lambda: "Kafka is away" in str(lines))
                    await asyncio.sleep(3)
                    await asyncio.to_thread(own.restart)
                    await place.produce(after)
                    await server.wait_for_ids(ids(after))

        events = [line["event"] for line in lines if "Kafka is" in line["event"]]
        assert [event[:13] for event in events] == ["Kafka is away", "Kafka is back"]
        assert server.delivered_ids == ids(before) | ids(after)


async def test_it_starts_before_kafka_does(tmp_path: Path) -> None:
    own = KafkaServer(tmp_path)
    place = Place(own.bootstrap, "own")
    async with WebhookReceiver() as server:
        with capture_logs() as lines:
            async with notifying(place.config(server.url)):
                await until(lambda: "Kafka is away" in str(lines))
                await asyncio.to_thread(own.start)
                place.make_topics()
                await place.produce(firings(1))
                await server.wait_for_ids(ids(firings(1)))
    own.stop()

    assert [line["event"][:13] for line in lines if "Kafka is" in line["event"]] == [
        "Kafka is away",
        "Kafka is back",
    ]
