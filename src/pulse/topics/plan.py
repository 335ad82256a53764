"""What is missing or different between the topics there are and those there should be."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pulse.topics.wanted import AT_LEAST, AT_MOST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulse.topics.wanted import WantedTopic


@dataclass(frozen=True, slots=True)
class FoundTopic:
    """A topic as it is. `settings` may be empty: some brokers do not tell."""

    name: str
    partitions: int
    replication: int
    settings: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """A setting that should be another."""

    topic: str
    setting: str
    was: str | None
    should_be: str


@dataclass(slots=True)
class Plan:
    """What has to be done, what cannot be done, and what was seen on the way."""

    create: list[WantedTopic] = field(default_factory=list)
    fine: list[WantedTopic] = field(default_factory=list)
    """Topics that are there and right."""
    changes: list[Change] = field(default_factory=list)
    obstacles: list[str] = field(default_factory=list)
    """What keeps pulse from running on these topics and nobody can change on the fly."""
    notes: list[str] = field(default_factory=list)


def plan(wanted: Sequence[WantedTopic], found: Mapping[str, FoundTopic]) -> Plan:
    """What makes the topics found into those wanted, the events topic first of these.

    Partitions are never added.
    """
    made = Plan()
    events = wanted[0]
    if (there := found.get(events.name)) and there.partitions != events.partitions:
        made.obstacles.append(_other_partitions(events, there))
        wanted = [
            replace(topic, partitions=there.partitions) if topic.as_events else topic
            for topic in wanted
        ]
    for topic in wanted:
        there = found.get(topic.name)
        if there is None:
            made.create.append(topic)
            continue
        before = len(made.changes), len(made.obstacles)
        made.changes += _changes(topic, there)
        if topic.fixed and not _has_its_partitions(topic, there):
            made.obstacles.append(_other_than_it_must(topic, there))
        if there.replication != topic.replication:
            made.notes.append(
                f"{topic.name} has {there.replication} of {topic.replication} copies; "
                "kafka-reassign-partitions changes that, pulse does not"
            )
        if not there.settings and topic.settings:
            made.notes.append(f"the broker does not tell the settings of {topic.name}")
        if before == (len(made.changes), len(made.obstacles)):
            made.fine.append(topic)
    return made


def _has_its_partitions(topic: WantedTopic, there: FoundTopic) -> bool:
    if topic.may_be_more:
        return there.partitions >= topic.partitions
    return there.partitions == topic.partitions


def _changes(topic: WantedTopic, there: FoundTopic) -> list[Change]:
    return [
        Change(topic.name, setting, there.settings[setting], should_be)
        for setting, should_be in sorted(topic.settings.items())
        if setting in there.settings and not _is_right(setting, there.settings[setting], should_be)
    ]


def _is_right(setting: str, was: str | None, should_be: str) -> bool:
    if was is not None and setting in AT_LEAST:
        return int(was) >= int(should_be)
    if was is not None and setting in AT_MOST:
        return int(was) <= int(should_be)
    return was == should_be


def _other_partitions(events: WantedTopic, there: FoundTopic) -> str:
    return (
        f"{events.name} has {_count(there.partitions)} and the configuration says "
        f"{events.partitions}. The number is fixed when the topic is made, because which partition "
        "an account is in, and where its state lies, follows from it. "
        f"Set kafka.partitions to {there.partitions}; or let `pulse repartition` rewrite the state "
        "for another number; or begin anew: other names in kafka.topics"
    )


def _other_than_it_must(topic: WantedTopic, there: FoundTopic) -> str:
    why = ", as many as the events have" if topic.as_events else ""
    return (
        f"{topic.name} has {_count(there.partitions)}; it must have {topic.partitions}{why}. "
        f"Delete {topic.name} if nothing in it is needed and run `pulse topics` again, or give it "
        "another name in kafka.topics"
    )


def _count(partitions: int) -> str:
    return f"{partitions} partition" if partitions == 1 else f"{partitions} partitions"
