"""SIGSTOP of workers beyond their session: whoever wakes must not spoil what others have done."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from .scenes import PARTITIONS, WORKER, assigned, now_ms, wait_for

if TYPE_CHECKING:
    from pulse.testing.system import PulseProcess

    from .scenes import Scene

pytestmark = pytest.mark.timeout(240)


def stopped_beyond_session(
    scene: Scene, victims: list[PulseProcess], successor: PulseProcess
) -> None:
    """Stop workers until another one has taken all over and written; then let them go on."""
    for victim in victims:
        victim.signal(signal.SIGSTOP)
    time.sleep(0.3)  # input goes on
    scene.injured_at(now_ms())
    wait_for(lambda: assigned(successor) == PARTITIONS)
    applied = scene.system.applied()
    # It has gone on where they stood, and written.
    wait_for(lambda: scene.system.applied() > applied)
    time.sleep(WORKER["session_timeout_s"])
    for victim in victims:
        victim.signal(signal.SIGCONT)
    wait_for(lambda: all(assigned(each) < PARTITIONS for each in (*victims, successor)))


def test_one_then_two_then_all_restarted(scene: Scene) -> None:
    scene.play(injuries=3)
    first, second, third = (scene.worker().start() for _ in range(3))
    third.stop()
    wait_for(lambda: assigned(first) + assigned(second) == PARTITIONS)
    stopped_beyond_session(scene, [first], second)
    stopped_beyond_session(scene, [second], first)
    third.start()
    wait_for(lambda: assigned(third) > 0)
    stopped_beyond_session(scene, [first, second], third)
    for worker in (first, second, third):
        worker.stop()
    # Those who take up what the others left behind see whatever was spoilt.
    for worker in (first, second, third):
        worker.start()
    scene.finish()
    scene.assert_exact()
