"""The fleet falls together, on Apache Kafka: one webhook, and `kill -9` loses nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pulse.model import notification_id
from pulse.testing.alerts import sample_alert
from pulse.testing.webhooks import WebhookReceiver
from tests.integration.notifier.notifying import Place, firings, ids, notify_process, notifying

if TYPE_CHECKING:
    from pathlib import Path

    from pulse.model import Alert
    from pulse.testing.kafka import KafkaServer

pytestmark = pytest.mark.kafka

GUARD = {"fleet_guard": {"hold": "24h"}}
HELD = "fleet_falls"


@pytest.fixture
def place(kafka: KafkaServer, unique: str) -> Place:
    made = Place(kafka.bootstrap, unique, notifier=GUARD)
    made.make_topics()
    return made


def of_the_fleet(server: WebhookReceiver) -> list[str]:
    """The states of `fleet_falls` that were delivered."""
    bodies = (request.body for request in server.delivered)
    return [each["type"] for each in bodies if each["data"]["reason"] == "fleet_falls"]


async def recorded(place: Place, alerts: list[Alert]) -> dict[str, str]:
    """By notification the last decision on its alert, once it is recorded of all of these."""
    wanted = {each.id: each for each in alerts}
    async with asyncio.timeout(90):
        while True:
            known = (await place.known()).alerts
            found = {
                notification_id(name, "cs", alert.status): known[name].beside.path[-1].reason
                for name, alert in wanted.items()
                if name in known and known[name].entry.brief.status == alert.status
            }
            if len(found) == len(alerts):
                return found
            await asyncio.sleep(0.2)


async def test_killed_while_it_holds_it_loses_nothing_and_tells_it_once(
    place: Place, tmp_path: Path
) -> None:
    began, later = firings(200), firings(20, "later")
    async with WebhookReceiver() as server:
        async with notify_process(place, tmp_path, server.url):
            await place.produce(began, accounts=400)
            await server.wait_for(lambda: of_the_fleet(server) == ["alert.firing"])
            states = await recorded(place, began)
            sent = {key for key, reason in states.items() if reason == "told"}
            assert len(sent) <= 40 + 32, "before it was clear what it is"
            assert {states[key] for key in ids(began) - sent} == {HELD}
        async with notify_process(place, tmp_path, server.url):
            await place.produce(later, accounts=400)
            assert set((await recorded(place, later)).values()) == {HELD}
            await server.wait_for_ids(sent)  # what it had not sent when it was killed
            assert server.delivered_ids & ids([*began, *later]) == sent
        # What comes while nobody is there is found by the next one.
        recovered = [sample_alert(each.account_id, "resolved") for each in [*began[10:], *later]]
        await place.produce(recovered, accounts=400)
        async with notify_process(place, tmp_path, server.url):
            await server.wait_for_ids(ids(began[:10]))
            await server.wait_for(lambda: len(of_the_fleet(server)) == 2)
            await recorded(place, recovered)

    assert of_the_fleet(server) == ["alert.firing", "alert.resolved"]
    told = ids(began) & server.delivered_ids
    assert told == sent | ids(began[:10])


async def test_two_notifiers_see_one_fleet(place: Place) -> None:
    async with WebhookReceiver() as server, notifying(place.config(server.url)):
        await place.produce(firings(1, "first"), accounts=100)
        await server.wait_for_ids(ids(firings(1, "first")))
        async with notifying(place.config(server.url)):
            await asyncio.sleep(5)  # the group hands partitions over
            await place.produce(firings(60), accounts=100)
            await server.wait_for(lambda: of_the_fleet(server) == ["alert.firing"])
            states = await recorded(place, firings(60))
    # Before it was clear what it is, a few may have been sent.
    assert list(states.values()).count(HELD) >= 35
    assert notification_id(firings(1, "first")[0].id, "cs", "firing") in server.delivered_ids
