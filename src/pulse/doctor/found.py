"""What is found where pulse runs. Instants are milliseconds, and so is what is said of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Cluster:
    """The brokers."""

    version: str
    brokers: Sequence[str]
    """As they call themselves, which is where clients go to."""
    unreached: Sequence[str] = ()
    """Those of them that nobody answers at from here."""


@dataclass(slots=True)
class Stream:
    """The last records of the events topic, in each partition."""

    partitions: int
    since_ms: int
    """From when on all of them were looked at."""
    now_ms: int
    events: dict[int, int] = field(default_factory=dict)
    """When the last event of a partition was appended."""
    ticks: dict[int, int] = field(default_factory=dict)
    """What the last tick of a partition says."""
    sources: dict[str, int] = field(default_factory=dict)
    """When the last event of a source was appended."""
    known: dict[str, int] = field(default_factory=dict)
    """Sources that the workers' state knows, and since when at least they are heard of."""
    stopped: dict[str, int] = field(default_factory=dict)
    """Sources of which it was said, or noticed, that they stopped, and since when."""


class Fresh(NamedTuple):
    """A record that came while we watched."""

    appended_ms: int
    """By the broker's clock."""
    arrived_ms: int
    """By the clock here."""
    tick_ms: int | None
    """By the clock of the worker that ticks, where it is a tick."""


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group on its topic."""

    name: str
    members: int
    state: str
    uncommitted: Mapping[int, int]
    """Records of a partition beyond the group's commit."""
    unapplied: Mapping[int, int]
    """Those of them that nobody has said to have dealt with either."""
    oldest_age_ms: int = 0
    """How long ago the first of these was appended."""


@dataclass(slots=True)
class Reason:
    """The dead letters of one reason, among those looked at."""

    count: int = 0
    last_day: int = 0
    last_ms: int = -1
    detail: str = ""
    """Of the last one, as its origin and what it begins with."""
    origin: str = ""
    begins_with: str = ""


@dataclass(frozen=True, slots=True)
class Letters:
    """The last dead letters."""

    reasons: Mapping[str, Reason]
    is_all_of_the_day: bool = True
    """Whether everything of the last day was looked at."""
