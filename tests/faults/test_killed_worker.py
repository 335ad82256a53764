"""`kill -9` of a worker, at named points and at random moments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Scene

pytestmark = pytest.mark.timeout(240)


def test_at_every_step_of_a_flush(scene: Scene) -> None:
    scene.play(90)
    other = scene.worker().start()
    worker = scene.worker()
    for step, number in (
        ("effects_acknowledged", 3),
        ("pages_chunk_written", 6),
        ("pages_written", 3),
        ("manifest_written", 3),
    ):
        scene.injured(worker, step, number)
    assert scene.player.share < 1
    worker.start()
    scene.finish()
    scene.assert_exact()
    assert other.running
