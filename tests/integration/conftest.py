"""What several of these tests begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pulse.processes import MissingProgramError
from pulse.testing.system import System
from tests.clients.fetch import fetch, node_program
from tests.integration.collecting import Collecting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import NoReturn

    from pulse.testing.kafka import KafkaServer


@pytest.fixture
def collecting(kafka: KafkaServer, tmp_path: Path, unique: str) -> Iterator[Collecting]:
    settings = {
        "clock": "wall",
        "worker": {"flush_interval_s": 0.5, "reread_s": 0},
        "collector": {"ack_timeout_s": 20.0},  # a Kafka that is only slow is not away
    }
    system = System(kafka.bootstrap, tmp_path, prefix=unique, partitions=2, settings=settings)
    system.create_topics()
    try:
        yield Collecting(system)
    finally:
        system.stop()


@pytest.fixture(scope="session")
def node_modules(without: Callable[[str], NoReturn]) -> Path:
    """The folder with clients for Node and browsers, and a Node to run them."""
    try:
        node_program()
        return fetch()
    except MissingProgramError as error:
        without(str(error))
