"""`kill -9` of a worker, at named points and at random moments."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest

from pulse.model import notification_id

from .scenes import AS_USUAL, PARTITIONS, assigned, of_the_fleet, receivers, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulse.testing.webhooks import WebhookReceiver

    from .scenes import Scene

pytestmark = pytest.mark.timeout(480)


def test_at_every_step_of_a_flush(scene: Scene) -> None:
    scene.play(injuries=4)
    other = scene.worker().start()
    worker = scene.worker()
    for step, number in (
        ("effects_acknowledged", 3),
        ("pages_chunk_written", 6),
        ("pages_written", 3),
        ("manifest_written", 3),
    ):
        scene.injured(worker, step, number)
    worker.start()
    scene.finish()
    scene.assert_exact()
    assert other.running


def test_while_it_reads_back_and_while_it_gives_up(scene: Scene) -> None:
    scene.play(injuries=6)
    other = scene.worker().start()
    worker, third = scene.worker(), scene.worker()
    wait_for(lambda: assigned(other) == PARTITIONS)
    # It would have taken over half of what the other one had.
    scene.injured(worker, "recovery_read")
    scene.injured(worker, "recovery_started", 2, cause=third.start)
    scene.injured(worker, "revoking", cause=third.stop)
    scene.injured(worker, "revoking", cause=third.start)
    # All at once, so that whoever reads back has nobody beside it.
    scene.killed(other)
    third.kill()
    scene.injured(worker, "recovery_read")
    other.start()
    scene.finish()
    scene.assert_exact()


def test_at_random_moments(scene: Scene, seed: int) -> None:
    chance = random.Random(seed)
    scene.play(injuries=6)
    workers = [scene.worker(**AS_USUAL).start() for _ in range(2)]
    kills = 0
    while kills < 6:
        victim = chance.choice(workers)
        wait_for(lambda: any(assigned(worker) for worker in workers))
        time.sleep(chance.uniform(0.0, 2.0))
        scene.killed(victim)
        kills += 1
        time.sleep(chance.choice([0.0, 0.0, 3.0]))
        victim.start()
    scene.finish()
    scene.assert_exact()


def test_while_the_alerts_of_a_fleet_that_falls_together_are_held(
    make_scene: Callable[..., Scene], receiver: WebhookReceiver
) -> None:
    guard = {"min_accounts": 4, "share": 0.05, "window": "24h", "hold": "1m"}
    scene = make_scene(**receivers(receiver.url) | {"notifier": {"fleet_guard": guard}})
    scene.play(injuries=3)
    scene.notifier().start()
    scene.worker().start()
    worker = scene.worker()
    # What it has written the alerts of, and no state, is said again by whoever comes after it.
    scene.injured(worker, "effects_acknowledged", 3)
    scene.injured(worker, "effects_acknowledged", 3)
    scene.injured(worker, "pages_written", 3)
    worker.start()
    scene.finish()
    truth = scene.assert_exact()
    scene.assert_delivered(truth, receiver)

    held = {
        notification_id(name, "cs", "firing")
        for name, alert in scene.system.known_deliveries().alerts.items()
        if "fleet_falls" in {step.reason for step in alert.beside.path}
    }
    assert len(held & receiver.delivered_ids) > 4, "nothing was held that was told afterwards"
    assert {each.body["type"] for each in receiver.delivered if of_the_fleet(each)} == {
        "alert.firing", "alert.resolved",
    }  # fmt: skip
    assert not receiver.repeated_ids
    right = {notification_id(each["id"], "cs", each["status"]): each for each in truth.alerts}
    for request in receiver.delivered:
        if not of_the_fleet(request):
            said = right[request.id]
            assert {name: request.body["data"][name] for name in said} == said
