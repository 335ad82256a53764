"""SIGSTOP of workers beyond their session: whoever wakes must not spoil what others have done."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from pulse.stream.state.pages import PageKey, manifest_generation

from .scenes import PARTITIONS, WORKER, assigned, wait_for

if TYPE_CHECKING:
    from pulse.testing.process import PulseProcess
    from pulse.testing.system import System

    from .scenes import Scene

pytestmark = pytest.mark.timeout(480)


def stopped_beyond_session(
    scene: Scene, victims: list[PulseProcess], successor: PulseProcess
) -> None:
    """Stop workers until another one has taken all over and written; then let them go on."""
    scene.stand_still(*victims)
    wait_for(lambda: assigned(successor) == PARTITIONS)
    applied = scene.system.applied()
    # It has gone on where they stood, and written.
    wait_for(lambda: scene.system.applied() > applied)
    # Not before: on a busy machine all of the input would be over by then.
    scene.inflict()
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


@pytest.mark.parametrize("step", ["effects_acknowledged", "pages_chunk_written", "pages_written"])
def test_stopped_in_the_middle_of_a_flush(scene: Scene, step: str) -> None:
    """Whoever wakes there writes on at once, before it hears that it has lost its partitions."""
    victim, successor = scene.worker(), scene.worker()
    victim.stops_at = (step, 10)
    victim.start()
    wait_for(lambda: assigned(victim) == PARTITIONS)
    scene.play(15, injuries=1)
    stop = victim.wait_for_stop()
    partition = stop.partition
    assert partition is not None
    scene.stand_still(victim)
    scene.inflict()
    known = manifests(scene.system, partition)
    successor.start()
    wait_for(lambda: assigned(successor) == PARTITIONS)
    wait_for(lambda: manifests(scene.system, partition) > known)
    victim.signal(signal.SIGCONT)
    wait_for(lambda: assigned(victim) == assigned(successor) == PARTITIONS // 2)
    scene.finish()
    # It had something unwritten, and wrote it over its successor's head. How far it comes before
    # it hears of its loss depends on the machine: what comes next is on its way at once.
    late = [key for where, key in late_writes(scene.system) if where == partition]
    assert late
    if step == "effects_acknowledged":
        assert any(PageKey.decode(key) for key in late)
    if step == "pages_written":
        assert any(manifest_generation(key) for key in late)
    assert "commit refused, the work will be done again" in victim.log_path.read_text()
    # The next ones to read the changelog find the late writes there.
    for worker in (victim, successor):
        worker.stop()
    victim.stops_at = None
    victim.start()
    scene.system.wait_until_applied()
    scene.assert_exact()


def manifests(system: System, partition: int) -> set[int | None]:
    """The generations that have written a manifest in a partition."""
    changelog = system.read("changelog")
    return {manifest_generation(r.key) for r in changelog if r.partition == partition}


def late_writes(system: System) -> list[tuple[int, bytes]]:
    """What was written by a generation after a later one had its first manifest."""
    late, highest = [], dict.fromkeys(range(PARTITIONS), -1)
    for record in system.read("changelog"):
        if record.value is None:
            continue
        page, generation = PageKey.decode(record.key), manifest_generation(record.key)
        writer = page.writer if page is not None else generation
        assert writer is not None
        if writer < highest[record.partition]:
            late.append((record.partition, record.key))
        elif page is None:
            highest[record.partition] = writer
    return late
