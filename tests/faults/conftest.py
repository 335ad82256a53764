"""What is common to all scenarios: the seeds, the scenes, a receiver.

test_killed_worker     kill -9 of a worker at every step of a flush, of a recovery and of a
                       rebalance; at random moments; while a fleet's alerts are held
test_killed_notifier   kill -9 of the notifier between sending, logging and committing
test_killed_broker     kill -9 of Kafka in the middle of input, and its restart on the same disk
test_stopped_broker    SIGSTOP of Kafka while a notifier sends
test_stopped_worker    SIGSTOP of one worker, then of two, beyond their session, and in the middle
                       of a flush; SIGCONT; a restart of all
test_coming_and_going  workers added, stopped and killed every few seconds
test_redis_away        Valkey killed, and started again empty
test_lost_state        the changelog deleted, input deleted, pages behind their manifest, other
                       partitions, other versions
test_too_large         a page beyond Kafka's message size, an account with a million users
test_slow_kafka        a changelog that is read back for longer than a worker may stand still
test_full_disk         a broker whose disk is full, and then is not
test_clock             two tickers, one an hour ahead, none for five minutes
test_collector         kill -9 of the collector under load; Kafka away under load
test_collector_spool   Kafka away, the collector with a spool: nobody is told to come again
test_flood             10,000 alerts to receivers that fail, throttle, are down and are gone, the
                       notifier killed at random, Kafka once

Every scenario asserts that there was something to lose when it was injured, and ends with the
comparison of `pulse.testing.truth`, or with that of `reckoning`. `PULSE_SEEDS=all` runs each with
all seeds.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from pulse.testing.webhooks import EXAMPLE_SECRET, Answer, ReceiverThread, WebhookReceiver

from .scenes import Scene

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pulse.testing.kafka import KafkaServer

SEEDS = range(5)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One seed a scenario; all of them where `PULSE_SEEDS` is `all` (`make soak`)."""
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", SEEDS if os.environ.get("PULSE_SEEDS") == "all" else [0])


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebhookReceiver]:
    """A receiver that verifies every signature, and takes its time."""
    monkeypatch.setenv("PULSE_TEST_SECRET", EXAMPLE_SECRET)
    with ReceiverThread(WebhookReceiver(behaviour=lambda _: Answer(after_s=0.2))) as receiver:
        yield receiver


@pytest.fixture
def make_scene(
    kafka: KafkaServer, tmp_path: Path, unique: str, seed: int
) -> Iterator[Callable[..., Scene]]:
    """Makes a scene with settings of its own, on the broker that nobody injures."""
    scenes: list[Scene] = []

    def make(**settings: Any) -> Scene:
        scenes.append(Scene(kafka.bootstrap, tmp_path, unique, seed, settings))
        return scenes[-1]

    yield make
    for scene in scenes:
        scene.close()


@pytest.fixture
def scene(make_scene: Callable[..., Scene]) -> Scene:
    """A scene as it comes."""
    return make_scene()
