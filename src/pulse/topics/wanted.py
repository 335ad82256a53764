"""Which topics pulse needs, with which settings."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulse.config import Kafka

_DAY_MS: Final = 86_400_000

EVENT_BYTES: Final = (1 << 20) + (64 << 10)
"""A line of 1 MiB, which is the longest that is read, with its key, headers and batch."""

LETTER_BYTES: Final = 2 << 20
"""A record that filled the events topic's limit, with the headers that say what is wrong."""

SEGMENT_BYTES: Final = 64 << 20
"""The segment that is written to is never compacted, and a worker that starts reads all of it."""

AT_LEAST: Final = frozenset({"max.message.bytes", "min.insync.replicas"})
"""Settings of which more is fine too."""

AT_MOST: Final = frozenset({"max.compaction.lag.ms", "segment.bytes"})
"""Settings of which less is fine too."""


@dataclass(frozen=True, slots=True)
class WantedTopic:
    """A topic as it should be.

    `partitions` that are `fixed` are right as they were made or not at all; `as_events`: they are
    as many as the events have, or where there `may_be_more`, at least so many.
    """

    name: str
    what: str
    partitions: int
    replication: int
    settings: Mapping[str, str] = field(default_factory=dict)
    fixed: bool = True
    as_events: bool = True
    may_be_more: bool = False


def wanted_topics(kafka: Kafka) -> list[WantedTopic]:
    """The topics of a configuration: events, alerts, dead letters, deliveries, keys,
    links, state, tokens, users, history, silences, notes, outcomes, audit.

    All but the last four have the number of partitions of the events: an account's state, alerts
    and deliveries lie where its events do.
    """
    names, days = kafka.topics, kafka.retention_days
    # Without it `acks=all` is satisfied by the leader alone.
    durable = {"min.insync.replicas": "2"} if kafka.replication >= 3 else {}
    compacted = {
        "cleanup.policy": "compact",
        # What was erased is gone from the disk after a day.
        "max.compaction.lag.ms": str(_DAY_MS),
        "segment.bytes": str(SEGMENT_BYTES),
    }

    def topic(
        name: str, what: str, settings: Mapping[str, str], *, fixed: bool = True
    ) -> WantedTopic:
        return WantedTopic(
            name, what, kafka.partitions, kafka.replication, {**settings, **durable}, fixed
        )

    def growing(name: str, what: str, settings: Mapping[str, str]) -> WantedTopic:
        # `pulse repartition` goes on with it, where the events have fewer partitions from then on.
        return replace(topic(name, what, settings), may_be_more=True)

    return [
        topic(
            names.events,
            "usage events, profiles and ticks, by account",
            {
                **_kept_for(days.events),
                "max.message.bytes": str(EVENT_BYTES),
                # A tick is held against the broker's clock; and what is old by its own clock, like
                # played history, is kept as long as everything else.
                "message.timestamp.type": "LogAppendTime",
            },
        ),
        growing(names.alerts, "alerts, by account", _kept_for(days.alerts)),
        topic(
            names.deadletter,
            "what could not be counted, and why",
            {**_kept_for(days.deadletter), "max.message.bytes": str(LETTER_BYTES)},
            fixed=False,
        ),
        growing(names.deliveries, "what the notifier has still to send", compacted),
        topic(names.keys, "hashes of the write keys", compacted, fixed=False),
        topic(names.links, "which account each user belongs to", compacted),
        topic(names.changelog, "the accounts' state", compacted),
        topic(names.tokens, "hashes of the tokens of the API", compacted, fixed=False),
        topic(names.users, "who signs in with a password", compacted, fixed=False),
        growing(names.history, "how accounts stood, day by day", _kept_for(days.history)),
        # People write it, in one order for all.
        replace(
            topic(names.silences, "what people have silenced", compacted),
            partitions=1,
            as_events=False,
        ),
        replace(
            topic(names.notes, "what people wrote down of accounts", compacted),
            partitions=1,
            as_events=False,
        ),
        replace(
            topic(names.outcomes, "what became of alerts", _kept_for(days.outcomes)),
            partitions=1,
            as_events=False,
        ),
        replace(
            topic(names.audit, "who changed what", _kept_for(days.audit)),
            partitions=1,
            as_events=False,
        ),
    ]


def _kept_for(days: int) -> dict[str, str]:
    return {"cleanup.policy": "delete", "retention.ms": str(days * _DAY_MS)}
