"""What several of these tests begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pulse.testing.webhooks import EXAMPLE_SECRET
from tests.integration.notifier.notifying import Place

if TYPE_CHECKING:
    from pulse.testing.kafka import KafkaServer


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_TEST_SECRET", EXAMPLE_SECRET)


@pytest.fixture
def place(kafka: KafkaServer, unique: str) -> Place:
    made = Place(kafka.bootstrap, unique)
    made.make_topics()
    return made
