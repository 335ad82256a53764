"""Which two configurations are a before and an after, and what is said of it."""

from __future__ import annotations

from typing import Any

import pytest

from pulse.cli.repartition import differences, found_in_words, next_in_words
from pulse.config import Config
from pulse.engine import PartitionState
from pulse.engine.tombstones import Tombstone
from pulse.stream.repartition.reading import Read

OLD = Config()
TOPICS = {"events": "pulse.events-6", "changelog": "pulse.state-6", "links": "pulse.links-6"}


def new(topics: dict[str, str] | None = None, **others: Any) -> Config:
    kafka = {"partitions": 6, "topics": {**TOPICS, **(topics or {})}, **others.pop("kafka", {})}
    return Config.model_validate({"kafka": kafka, **others})


def test_another_number_and_three_other_names_are_enough() -> None:
    assert list(differences(OLD, new())) == []
    assert list(differences(OLD, new(worker={"page_accounts": 8}))) == []


@pytest.mark.parametrize(
    ("after", "mistake"),
    [
        (new(kafka={"partitions": 32}), "kafka.partitions is 32 in both"),
        (
            new({"events": "pulse.events"}),
            "kafka.topics.events must be another topic than pulse.events",
        ),
        (new({"links": "pulse.links"}), "kafka.topics.links must be another topic than"),
        (new({"alerts": "pulse.alerts-6"}), "kafka.topics.alerts must stay pulse.alerts"),
        (new(kafka={"group": "pulse-6"}), "kafka.group must stay pulse"),
        (new(clock="events"), "clock must stay wall"),
        (new(line={"enter": 33}), "what decides results must stay as it is"),
    ],
)
def test_what_else_is_different_is_said(after: Config, mistake: str) -> None:
    (said,) = differences(OLD, after)
    assert said.startswith(mistake)


def test_it_says_what_it_found_and_what_is_to_be_done_next() -> None:
    states = [PartitionState(n) for n in range(3)]
    for state in states:
        state.bury("key", Tombstone(0, 0), state.page_for_new(0))
    read = [Read(PartitionState(n), 17, again=n) for n in range(2)]
    words = "\n".join([*found_in_words(OLD, read, states), *next_in_words(OLD, new())])

    assert "0 accounts of 2 partitions of pulse.events, before the first tick" in words
    assert "1 tombstone of erased and renamed ones" in words
    assert "1 record was applied and not written, and read again; 0 alerts go out again" in words
    assert "writes to pulse.events-6 from now on; nobody reads pulse.events any more" in words
    assert "delete pulse.events, pulse.state and pulse.links" in words
