"""Workers come, leave and die every few seconds."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest

from .scenes import AS_USUAL

if TYPE_CHECKING:
    from .scenes import Scene

pytestmark = pytest.mark.timeout(400)


def test_every_few_seconds_for_a_minute(scene: Scene, seed: int) -> None:
    chance = random.Random(seed)
    workers = [scene.worker(**AS_USUAL) for _ in range(4)]
    scene.play(60)
    # Where workers take long to stop, there is input for all that is to happen.
    scene.player.up_to(0.95)
    workers[0].start()
    changes = 0
    while scene.player.share < 0.95 or changes <= 10:
        running = [worker for worker in workers if worker.running]
        resting = [worker for worker in workers if not worker.running]
        # Half of those who go are killed.
        if not running or (resting and chance.random() < 0.55):
            chance.choice(resting).launch()
        elif chance.random() < 0.5:
            chance.choice(running).stop()
        else:
            chance.choice(running).kill()
        changes += 1
        time.sleep(chance.uniform(1.0, 4.0))
    assert changes > 10
    for worker in workers[:2]:
        if worker.running:
            worker.wait_until_it_answers()
        else:
            worker.start()
    scene.finish()
    scene.assert_exact()
