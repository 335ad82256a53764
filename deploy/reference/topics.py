"""Every topic, from what `pulse topics` makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pulse.config import Config
from pulse.topics.records import RECORDS
from pulse.topics.wanted import wanted_topics

from .markdown import code, page, table

if TYPE_CHECKING:
    from pulse.topics.wanted import WantedTopic

_DAY_MS: Final = 86_400_000
_POLICY: Final = "cleanup.policy"
_KEPT: Final = "retention.ms"
_ABOUT: Final = (
    "What `pulse topics` makes, by the names and settings that hold without a configuration "
    "(`kafka.topics`, `kafka.partitions`, `kafka.replication`, `kafka.retention_days`). With "
    "three copies or more each has `min.insync.replicas=2` as well. The number of partitions of "
    "the events is fixed when that topic is made ([repartitioning](../repartition.md))."
)


def topics() -> str:
    """The page of all topics: an overview, then what is in each and how it is set up."""
    kafka = Config().kafka
    wanted = wanted_topics(kafka)
    settings_of = {name: setting for setting, name in kafka.topics.model_dump().items()}
    overview = table(
        ("topic", "holds", "partitions", "kept"),
        [(code(each.name), each.what, str(each.partitions), _kept(each)) for each in wanted],
    )
    parts = [overview]
    for each in wanted:
        parts += [f"## {each.name}", _about(each, settings_of[each.name])]
        rows = [(code(name), code(value)) for name, value in sorted(each.settings.items())]
        parts += [table(("setting", "value"), rows)]
    return page("Topics", _ABOUT, *parts)


def _about(topic: WantedTopic, setting: str) -> str:
    key, value = RECORDS[setting]
    return "\n".join(
        (
            f"{topic.what[0].upper()}{topic.what[1:]}. Its name is `kafka.topics.{setting}`.",
            "",
            f"- key: {key}",
            f"- value: {value}",
        )
    )


def _kept(topic: WantedTopic) -> str:
    if topic.settings[_POLICY] == "compact":
        return "compacted: the latest of each key"
    days = int(topic.settings[_KEPT]) // _DAY_MS
    return f"{days} days"
