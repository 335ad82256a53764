"""What is known of the whole fleet, though no partition knows more than its own accounts.

Once a UTC day the scores of all accounts are counted, and the danger line is laid by them:

1. partition 0 counts its own accounts, and hands the summary to partition 1
2. each partition in turn adds its own and hands it on; where one does not come to it, nothing
   more happens, and the old line stays
3. the last one makes the line of it and writes that into every partition

All of these are control records in the events topic, so each partition does what its own log says.
With the scores goes how many accounts another line, or other rules, brought into another zone; a
new configuration begins a round for that alone. It becomes one alert for all of them. Where a
history has ended, or a load, a round says how the fleet stands.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple, TypeVar

import msgspec

from pulse.alerting.everybody.configuration import moved_alert
from pulse.alerting.everybody.digest import REASON as DIGEST
from pulse.alerting.everybody.digest import FleetStanding, Number, digest_alert
from pulse.engagement.days import DAY_MS, FIRST_DAY
from pulse.engine.control import CONTROL_HEADER, UNREADABLE, ControlRecord
from pulse.model.instants import to_ms
from pulse.model.time import format_ms
from pulse.model.wire import MAX_TS_MS

if TYPE_CHECKING:
    from pulse.alerting.alert import AlertRecord
    from pulse.engine.policy import Policy

SUMMARY: Final = b"summary"
LINE: Final = b"line"
"""Kinds of control records."""

LEAST_ACCOUNTS: Final = 20
"""With fewer accounts that are judged, a segment keeps the line that is configured."""

SETTLE_MS: Final = 900_000
"""So long after midnight every account's day that began then has begun here too."""

DEFAULT: Final = ""
"""What the accounts are called that are in no segment with rules of its own."""

_FLEET: Final = "fleet-"

Key = TypeVar("Key", int, str)

Buckets = Mapping[int, int]
"""A histogram of scores: whole tenths of a point → accounts."""


class Summary(NamedTuple):
    """What is known of the accounts of some partitions.

    >>> known = Summary("fleet-2024-10-24", 0, {"": {412: 1}}, {})
    >>> known.merged({"": {412: 2, 77: 1}, "smb": {5: 1}}, {"healthy → danger": 1})[2:4]
    ({'': {77: 1, 412: 3}, 'smb': {5: 1}}, {'healthy → danger': 1})
    """

    version: str
    """What the line will be called, or the configuration that caused crossings."""
    at_ms: int
    """When it was due."""
    scores: Mapping[str, Buckets] | None
    """By segment, at the starts of the accounts' days; None where no line is to be made."""
    moved: Mapping[str, int]
    """By the change of zone: accounts that rules moved since the last time."""
    standing: FleetStanding | None = None
    """How they stand, where a history or a load has ended: then it is about that alone."""

    @property
    def day(self) -> int | None:
        """The UTC day on which scores are counted."""
        return _day_of(self.version)

    def merged(self, scores: Mapping[str, Buckets] | None, moved: Mapping[str, int]) -> Summary:
        """The same with other accounts besides; without scores where one side has none."""
        both = None
        if self.scores is not None and scores is not None:
            both = {
                name: _sum(self.scores.get(name, {}), scores.get(name, {}))
                for name in sorted({*self.scores, *scores})
            }
        return Summary(self.version, self.at_ms, both, _sum(self.moved, moved))

    def record(self) -> ControlRecord:
        """As it is handed on."""
        said = _Summary("summary", self.version, self.at_ms, self.scores, self.moved, self.standing)
        return _control(SUMMARY, said)


class FleetLine(msgspec.Struct, array_like=True, frozen=True):
    """Where danger begins by the fleet's scores: for accounts whose day starts from an instant on.

    `enter` is in tenths of a point, by segment; those that are not in it keep the configured line.
    """

    day: int
    effective_ms: int
    enter: dict[str, int]

    def record(self) -> ControlRecord:
        """As it is written into every partition."""
        enter = {name: tenths / 10 for name, tenths in self.enter.items()}
        said = _Line("line", version(self.day), format_ms(self.effective_ms), enter)
        return _control(LINE, said)


def version(day: int) -> str:
    """What the line of a UTC day is called.

    >>> version(738_000)
    'fleet-2021-07-29'
    """
    return f"{_FLEET}{date.fromordinal(day).isoformat()}"


def due_ms(day: int) -> int:
    """The instant from which on the scores of a UTC day can be counted."""
    return (day - FIRST_DAY) * DAY_MS + SETTLE_MS


def due_day(clock_ms: int) -> int:
    """The latest UTC day whose scores can be counted at an instant."""
    return FIRST_DAY + (clock_ms - SETTLE_MS) // DAY_MS


def quantile(buckets: Buckets, share: float) -> int:
    """The least bucket that has at least this share of the accounts up to and with it.

    >>> quantile({100: 1, 200: 1, 300: 1, 400: 1}, 0.25), quantile({100: 1, 200: 3}, 0.26)
    (100, 200)
    """
    needed = math.ceil(share * sum(buckets.values()) - 1e-9)
    found = 0
    for bucket in sorted(buckets):
        found += buckets[bucket]
        if found >= needed:
            return bucket
    raise ValueError("no accounts")


def line_of(summary: Summary, policy: Policy) -> FleetLine | None:
    """The line that the scores of the whole fleet make; it holds from the next UTC day on."""
    day, enter = summary.day, {}
    if day is None or summary.scores is None:
        return None
    for name, rules in ((DEFAULT, policy.default), *policy.segments.items()):
        line, buckets = rules.line, summary.scores.get(name, {})
        if line.quantile is not None and sum(buckets.values()) >= LEAST_ACCOUNTS:
            highest = math.floor(line.highest * 10 + 1e-6)
            enter[name] = min(quantile(buckets, line.quantile), highest)
    return FleetLine(day, (day + 1 - FIRST_DAY) * DAY_MS, enter)


def onward(
    summary: Summary, partition: int, partitions: int, policy: Policy
) -> list[tuple[int, ControlRecord]]:
    """What a partition writes, and where, once its own accounts are in the summary."""
    if partition + 1 < partitions:
        return [(partition + 1, summary.record())]
    line = line_of(summary, policy)
    return [] if line is None else [(number, line.record()) for number in range(partitions)]


def told(summary: Summary, partition: int, partitions: int, policy: Policy) -> AlertRecord | None:
    """The one alert of all crossings, or of how all stand, once the last partition's are in it."""
    line, standing = policy.default.line, summary.standing
    if partition + 1 < partitions:
        return None
    if standing is not None:
        play = policy.plays.get(DIGEST, "")
        return digest_alert(standing, summary.at_ms, line, play, policy.version)
    if not summary.moved:
        return None
    return moved_alert(summary.moved, summary.version, summary.at_ms, line, policy.version)


class _Summary(msgspec.Struct, omit_defaults=True):
    type: str
    version: str
    at: Annotated[int, msgspec.Meta(ge=0, le=MAX_TS_MS)]
    scores: Mapping[str, Mapping[int, Number]] | None
    moved: Mapping[str, Number]
    standing: FleetStanding | None = None


class _Line(msgspec.Struct):
    type: str
    version: str
    effective_from: str
    enter: dict[str, float]


_encode = msgspec.json.Encoder().encode
_decode_summary = msgspec.json.Decoder(_Summary).decode
_decode_line = msgspec.json.Decoder(_Line).decode


def read_summary(value: bytes) -> Summary | None:
    """The summary in a control record; None where it is none."""
    try:
        said = _decode_summary(value)
        return Summary(said.version, said.at, said.scores, said.moved, said.standing)
    except UNREADABLE:
        return None


def read_line(value: bytes) -> FleetLine | None:
    """The line in a control record; None where it is none."""
    try:
        said = _decode_line(value)
        day = _day_of(said.version)
        if day is None:
            return None
        enter = {name: round(score * 10) for name, score in said.enter.items()}
        line = FleetLine(day, to_ms(said.effective_from), enter)
    except UNREADABLE:
        return None
    return line if all(0 <= tenths <= 1_000 for tenths in enter.values()) else None


def _sum(some: Mapping[Key, int], more: Mapping[Key, int]) -> dict[Key, int]:
    keys = set(some) | set(more)
    return {key: some.get(key, 0) + more.get(key, 0) for key in sorted(keys)}


def _day_of(name: str) -> int | None:
    if not name.startswith(_FLEET):
        return None
    try:
        return date.fromisoformat(name.removeprefix(_FLEET)).toordinal()
    except ValueError:
        return None


def _control(kind: bytes, said: msgspec.Struct) -> ControlRecord:
    return ControlRecord(((CONTROL_HEADER, kind),), _encode(said))
