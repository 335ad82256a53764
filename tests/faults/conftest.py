"""Scenes on which something is injured: a system, its player, and the comparison at the end."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from pulse.testing.paced import RULES, PacedInput, Player
from pulse.testing.system import System
from pulse.testing.truth import Truth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pulse.testing.kafka import KafkaServer
    from pulse.testing.system import PulseProcess

PARTITIONS = 4
SEEDS = range(5)
WORKER = {
    "session_timeout_s": 2,
    "flush_interval_s": 0.4,
    "fetch_records": 100,
    "page_accounts": 4,
    "reread_s": 0,
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One seed a scenario; all of them where `PULSE_SEEDS` is `all` (`make soak`)."""
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", SEEDS if os.environ.get("PULSE_SEEDS") == "all" else [0])


class Scene:
    """A system with paced input. `seconds` is how long the input lasts."""

    def __init__(
        self, bootstrap: str, folder: Path, prefix: str, seed: int, settings: dict[str, Any]
    ) -> None:
        self.system = System(
            bootstrap, folder, prefix=prefix, partitions=PARTITIONS, settings=RULES | settings
        )
        self.system.create_topics()
        self.paced = PacedInput(seed, PARTITIONS)
        self._player: Player | None = None

    def play(self, seconds: float) -> Player:
        """Begin to play."""
        self._player = Player(self.system, self.paced, seconds)
        self._player.start()
        return self._player

    @property
    def player(self) -> Player:
        assert self._player is not None, "nothing is played yet"
        return self._player

    def worker(self, **settings: Any) -> PulseProcess:
        """A worker, not started."""
        return self.system.process("work", **WORKER | settings)

    def injured(self, worker: PulseProcess, step: str, number: int = 1) -> None:
        """Start the worker, let it die at that step, and see that it left something undone."""
        worker.dies_at = (step, number)
        worker.launch()
        death = worker.wait_for_death()
        assert death.step == step
        assert self.system.uncommitted(death.at_ms) > 0
        worker.kill()  # it is dead; forget it, so that it can start again
        worker.dies_at = None

    def finish(self) -> None:
        """Play to the end, until nothing more is due; workers must be running."""
        self.player.finish()
        # What is handed on makes the log longer.
        self.system.wait_until_applied()
        self.system.wait_until_applied()
        self.player.close_days()
        self.system.wait_until_applied()

    def assert_exact(self) -> Truth:
        """Everything is as the log says, and the log holds what was played."""
        truth = Truth.of(self.system)
        assert truth.differences(self.system) == []
        # The scene must have had something to lose.
        assert truth.left_due == 0
        assert len(truth.alerts) > 50
        assert {alert["status"] for alert in truth.alerts} == {"firing", "resolved"}
        assert {alert["reason"] for alert in truth.alerts} == {"danger", "approaching", "silence"}
        for kind in ("duplicates", "late_minutes", "late_hours", "late_days", "misplaced"):
            assert truth.counts[kind] > 5, kind
        assert {reason for _, reason in truth.dead_letters} > {"not_json", "too_late", "future"}
        events = truth.events_counted()
        wandering = self.paced.wandering
        assert {name: events[name] for name in self.paced.counted if name not in wandering} == {
            name: count for name, count in self.paced.counted.items() if name not in wandering
        }
        return truth


@pytest.fixture
def scene(kafka: KafkaServer, tmp_path: Path, unique: str, seed: int) -> Iterator[Scene]:
    """A scene on the broker that nobody injures."""
    scene = Scene(kafka.bootstrap, tmp_path, unique, seed, {})
    yield scene
    scene.system.stop()


def wait_for(condition: Callable[[], bool], within_s: float = 30.0) -> None:
    """Return when the condition holds."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
