"""What several of these tests begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pulse.testing.system import System

from .collecting import Collecting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pulse.testing.kafka import KafkaServer


@pytest.fixture
def collecting(kafka: KafkaServer, tmp_path: Path, unique: str) -> Iterator[Collecting]:
    settings = {"clock": "wall", "worker": {"flush_interval_s": 0.5, "reread_s": 0}}
    system = System(kafka.bootstrap, tmp_path, prefix=unique, partitions=2, settings=settings)
    system.create_topics()
    try:
        yield Collecting(system)
    finally:
        system.stop()
