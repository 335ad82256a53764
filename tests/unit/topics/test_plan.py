from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pulse.config import Config, Kafka
from pulse.topics.cost import TICK_BYTES, tick_bytes_on_disk
from pulse.topics.plan import Change, FoundTopic, plan
from pulse.topics.wanted import WantedTopic, wanted_topics

DAY_MS = 86_400_000


def kafka(**settings: Any) -> Kafka:
    return Kafka.model_validate(settings)


def by_name(settings: Kafka) -> dict[str, WantedTopic]:
    return {topic.name: topic for topic in wanted_topics(settings)}


def as_wanted(wanted: list[WantedTopic]) -> dict[str, FoundTopic]:
    """Topics exactly as they should be, with settings of the broker's own besides."""
    return {
        topic.name: FoundTopic(
            topic.name,
            topic.partitions,
            topic.replication,
            {"retention.bytes": "-1", "segment.bytes": "1000", **topic.settings},
        )
        for topic in wanted
    }


def test_the_topics_and_their_settings() -> None:
    topics = by_name(kafka(partitions=8, replication=2, retention_days={"events": 3}))

    assert list(topics) == [
        "pulse.events",
        "pulse.alerts",
        "pulse.deadletter",
        "pulse.deliveries",
        "pulse.keys",
        "pulse.links",
        "pulse.state",
        "pulse.tokens",
        "pulse.users",
        "pulse.history",
        "pulse.silences",
        "pulse.notes",
        "pulse.outcomes",
        "pulse.audit",
    ]
    audited = topics.pop("pulse.audit")
    assert (audited.partitions, audited.replication) == (1, 2)
    assert audited.settings == {"cleanup.policy": "delete", "retention.ms": str(800 * DAY_MS)}
    judged = topics.pop("pulse.outcomes")
    assert (judged.partitions, judged.replication) == (1, 2)
    assert judged.settings == {"cleanup.policy": "delete", "retention.ms": str(400 * DAY_MS)}
    for name in ("pulse.silences", "pulse.notes"):
        one_order = topics.pop(name)
        assert (one_order.partitions, one_order.replication) == (1, 2)
        assert one_order.settings == topics["pulse.state"].settings
    assert {(topic.partitions, topic.replication) for topic in topics.values()} == {(8, 2)}
    assert topics["pulse.events"].settings == {
        "cleanup.policy": "delete",
        "retention.ms": str(3 * DAY_MS),
        "max.message.bytes": "1114112",
        "message.timestamp.type": "LogAppendTime",
    }
    assert topics["pulse.alerts"].settings["retention.ms"] == str(90 * DAY_MS)
    for name in ("pulse.state", "pulse.deliveries", "pulse.keys", "pulse.links"):
        assert topics[name].settings["cleanup.policy"] == "compact"
        assert topics[name].settings["max.compaction.lag.ms"] == str(DAY_MS)
        assert "retention.ms" not in topics[name].settings


def test_a_dead_letter_has_room_for_the_largest_event() -> None:
    topics = by_name(kafka())

    assert int(topics["pulse.deadletter"].settings["max.message.bytes"]) > int(
        topics["pulse.events"].settings["max.message.bytes"]
    )


def test_three_copies_are_acknowledged_by_two() -> None:
    for topic in wanted_topics(kafka(replication=3)):
        assert topic.settings["min.insync.replicas"] == "2"
    for topic in wanted_topics(kafka(replication=2)):
        assert "min.insync.replicas" not in topic.settings


def test_what_is_missing_is_created() -> None:
    wanted = wanted_topics(kafka())
    found = as_wanted(wanted[1:])

    made = plan(wanted, found)

    assert made.create == wanted[:1]
    assert made.fine == wanted[1:]
    assert (made.changes, made.obstacles, made.notes) == ([], [], [])


def test_what_is_right_stays() -> None:
    wanted = wanted_topics(kafka(replication=3))
    made = plan(wanted, as_wanted(wanted))

    assert made.fine == wanted
    assert (made.create, made.changes, made.obstacles, made.notes) == ([], [], [], [])


@pytest.mark.parametrize("name", ["pulse.alerts", "pulse.deliveries"])
def test_what_goes_on_with_fewer_partitions_of_events_may_have_more(name: str) -> None:
    wanted = wanted_topics(kafka(partitions=3))
    found = as_wanted(wanted)
    found[name] = replace(found[name], partitions=4)
    assert plan(wanted, found).fine == wanted

    found[name] = replace(found[name], partitions=2)
    (obstacle,) = plan(wanted, found).obstacles
    assert f"{name} has 2 partitions; it must have 3" in obstacle
    found[name] = replace(found[name], partitions=3)
    found["pulse.state"] = replace(found["pulse.state"], partitions=4)
    (obstacle,) = plan(wanted, found).obstacles
    assert "pulse.state has 4 partitions; it must have 3" in obstacle


def with_settings(found: dict[str, FoundTopic], name: str, **settings: str | None) -> None:
    changed = {setting.replace("_", "."): value for setting, value in settings.items()}
    found[name] = replace(found[name], settings={**found[name].settings, **changed})


def test_another_setting_is_a_change() -> None:
    wanted = wanted_topics(kafka())
    found = as_wanted(wanted)
    with_settings(found, "pulse.events", retention_ms="1", message_timestamp_type="CreateTime")
    with_settings(found, "pulse.state", cleanup_policy=None, retention_bytes="7")

    assert plan(wanted, found).changes == [
        Change("pulse.events", "message.timestamp.type", "CreateTime", "LogAppendTime"),
        Change("pulse.events", "retention.ms", "1", str(14 * DAY_MS)),
        Change("pulse.state", "cleanup.policy", None, "compact"),
    ]


def test_more_room_and_quicker_cleaning_are_no_change() -> None:
    wanted = wanted_topics(kafka(replication=3))
    found = as_wanted(wanted)
    with_settings(found, "pulse.events", max_message_bytes="9000000", min_insync_replicas="3")
    with_settings(found, "pulse.state", max_compaction_lag_ms="1000", segment_bytes="1048576")
    assert plan(wanted, found).changes == []

    with_settings(found, "pulse.events", max_message_bytes="1048588", min_insync_replicas="1")
    with_settings(found, "pulse.state", max_compaction_lag_ms="9223372036854775807")
    assert [change.setting for change in plan(wanted, found).changes] == [
        "max.message.bytes",
        "min.insync.replicas",
        "max.compaction.lag.ms",
    ]


def test_the_number_of_partitions_is_never_changed() -> None:
    found = as_wanted(wanted_topics(kafka(partitions=8)))
    made = plan(wanted_topics(kafka(partitions=32)), found)

    (obstacle,) = made.obstacles
    assert obstacle.startswith("pulse.events has 8 partitions and the configuration says 32.")
    assert "Set kafka.partitions to 8" in obstacle


@pytest.mark.parametrize("name", ["pulse.alerts", "pulse.deliveries", "pulse.state"])
def test_others_have_as_many_partitions_as_the_events(name: str) -> None:
    wanted = wanted_topics(kafka(partitions=8))
    found = as_wanted(wanted)
    found[name] = replace(found[name], partitions=1)

    (obstacle,) = plan(wanted, found).obstacles
    assert obstacle.startswith(f"{name} has 1 partition; it must have 8")
    assert f"Delete {name}" in obstacle


def test_what_people_say_has_one_partition() -> None:
    wanted = wanted_topics(kafka(partitions=8))
    found = as_wanted(wanted)
    found["pulse.silences"] = replace(found["pulse.silences"], partitions=8)

    (obstacle,) = plan(wanted, found).obstacles
    assert obstacle.startswith("pulse.silences has 8 partitions; it must have 1. Delete")


def test_dead_letters_may_lie_anywhere() -> None:
    wanted = wanted_topics(kafka())
    found = as_wanted(wanted)
    found["pulse.deadletter"] = replace(found["pulse.deadletter"], partitions=1)

    assert plan(wanted, found).obstacles == []


def test_other_copies_are_noted() -> None:
    found = as_wanted(wanted_topics(kafka(replication=1)))
    notes = plan(wanted_topics(kafka(replication=2)), found).notes

    assert len(notes) == 14
    assert notes[0].startswith("pulse.events has 1 of 2 copies; kafka-reassign-partitions")


def test_a_broker_that_tells_no_settings_is_believed() -> None:
    wanted = wanted_topics(kafka())
    found = {name: replace(topic, settings={}) for name, topic in as_wanted(wanted).items()}
    made = plan(wanted, found)

    assert made.changes == []
    assert "the broker does not tell the settings of pulse.events" in made.notes


def test_what_ticks_take_on_disk() -> None:
    config = Config.model_validate(
        {
            "kafka": {"partitions": 10, "replication": 3, "retention_days": {"events": 2}},
            "worker": {"tick_interval_s": 2},
        }
    )

    assert tick_bytes_on_disk(config) == 10 * 3 * 2 * 43_200 * TICK_BYTES
    assert tick_bytes_on_disk(Config(clock="events")) == 0
