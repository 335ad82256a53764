"""The how-tos that need Kafka and Redis, and the one that takes a while, do what they say."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from pulse.processes import free_port
from tests.docs.commands import ROOT, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import NoReturn

    from pulse.testing.kafka import KafkaServer
    from pulse.testing.valkey import ValkeyServer

HOWTO = ROOT / "docs" / "howto"
TOPICS = (
    "events", "alerts", "deadletter", "deliveries", "keys", "links", "silences", "outcomes",
    "history", "tokens", "changelog",
)  # fmt: skip


@pytest.fixture
def place(
    kafka: KafkaServer,
    valkey: ValkeyServer,
    tmp_path: Path,
    unique: str,
    without: Callable[[str], NoReturn],
) -> Iterator[Place]:
    """A folder in which pulse's usual addresses are those of this test."""
    if shutil.which("curl") is None:
        without("no `curl`, with which the how-tos send events")
    ports = {str(said): str(free_port()) for said in (8080, 8081, 9464, 9465, 9466, 9467)}
    other = {f"localhost:{said}": f"127.0.0.1:{here}" for said, here in ports.items()}
    found = Place(
        tmp_path,
        {**other, "localhost:9092": kafka.bootstrap, "redis://localhost:6379/0": valkey.url},
        settings(ports, unique),
    )
    yield found
    found.close()


def settings(ports: dict[str, str], prefix: str) -> dict[str, Any]:
    """What keeps a test apart from others; a reader needs none of it."""
    return {
        "kafka": {"group": prefix, "topics": {name: f"{prefix}.{name}" for name in TOPICS}},
        "redis": {"prefix": f"{prefix}:"},
        "collector": {"port": int(ports["8080"]), "metrics_port": int(ports["9466"])},
        "web": {"port": int(ports["8081"]), "metrics_port": int(ports["9467"])},
        "worker": {"metrics_port": int(ports["9464"])},
        "notifier": {"metrics_port": int(ports["9465"])},
    }


@pytest.mark.kafka
@pytest.mark.timeout(300)
def test_from_nothing_to_an_account_and_then_segment(place: Place) -> None:
    place.follow(HOWTO / "run.md")
    place.follow(HOWTO / "segment.md")


@pytest.mark.timeout(300)
def test_a_line_is_laid_by_who_left(tmp_path: Path) -> None:
    place = Place(tmp_path)

    assert place.follow(HOWTO / "calibrate.md") >= 1
