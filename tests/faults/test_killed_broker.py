"""`kill -9` of Kafka in the middle of input, and its restart on the same disk."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from pulse.testing.kafka import KafkaServer

from .scenes import Scene, receivers

if TYPE_CHECKING:
    from pathlib import Path

    from pulse.testing.webhooks import WebhookReceiver

pytestmark = pytest.mark.timeout(480)


def test_twice_in_the_middle_of_input(
    tmp_path: Path, unique: str, seed: int, receiver: WebhookReceiver
) -> None:
    with KafkaServer(tmp_path / "kafka") as kafka:
        scene = Scene(kafka.bootstrap, tmp_path, unique, seed, receivers(receiver.url))
        workers = [scene.worker(), scene.worker()]
        scene.play(injuries=2)
        for process in (*workers, scene.notifier()):
            process.start()
        for share in (0.2, 0.5):
            scene.player.wait_for_share(share)
            scene.stand_still(*workers)
            kafka.kill()
            for worker in workers:
                worker.signal(signal.SIGCONT)
            kafka.start()
            scene.inflict()
        scene.finish()
        truth = scene.assert_exact()
        scene.assert_delivered(truth, receiver)
        scene.system.stop()
