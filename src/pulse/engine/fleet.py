"""What is known of the whole fleet, though no partition knows more than its own accounts.

Once a UTC day the scores of all accounts are counted, and the danger line is laid by them:

1. partition 0 counts its own accounts, and hands the summary to partition 1
2. each partition in turn adds its own and hands it on; where one does not come to it, nothing
   more happens, and the old line stays
3. the last one makes the line of it and writes that into every partition

All of these are control records in the events topic, so each partition does what its own log says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from pulse.engagement.days import DAY_MS, FIRST_DAY
from pulse.engine.control import CONTROL_HEADER, ControlRecord
from pulse.model.instants import to_ms
from pulse.model.time import format_ms

if TYPE_CHECKING:
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

Buckets = Mapping[int, int]
"""A histogram of scores: whole tenths of a point → accounts."""


class Summary(NamedTuple):
    """The scores of the accounts of some partitions, by segment, at the starts of their days.

    >>> Summary(738_000, {"": {412: 1}}).merged({"": {412: 2, 77: 1}, "smb": {5: 1}}).scores
    {'': {412: 3, 77: 1}, 'smb': {5: 1}}
    """

    day: int
    """The UTC day on which they are counted."""
    scores: Mapping[str, Buckets]

    def merged(self, more: Mapping[str, Buckets]) -> Summary:
        """The same day with the scores of other accounts besides."""
        scores = {name: dict(buckets) for name, buckets in self.scores.items()}
        for name, buckets in more.items():
            mine = scores.setdefault(name, {})
            for bucket, accounts in buckets.items():
                mine[bucket] = mine.get(bucket, 0) + accounts
        return Summary(self.day, scores)

    def record(self) -> ControlRecord:
        """As it is handed on."""
        scores = {name: dict(sorted(self.scores[name].items())) for name in sorted(self.scores)}
        said = _Summary("summary", _text(self.day), scores)
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
    'fleet-2021-07-27'
    """
    return f"fleet-{_text(day)}"


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


def line_of(summary: Summary, policy: Policy) -> FleetLine:
    """The line that the scores of the whole fleet make; it holds from the next UTC day on."""
    enter = {}
    for name, rules in ((DEFAULT, policy.default), *policy.segments.items()):
        line, buckets = rules.line, summary.scores.get(name, {})
        if line.quantile is not None and sum(buckets.values()) >= LEAST_ACCOUNTS:
            highest = math.floor(line.highest * 10 + 1e-6)
            enter[name] = min(quantile(buckets, line.quantile), highest)
    return FleetLine(summary.day, (summary.day + 1 - FIRST_DAY) * DAY_MS, enter)


def onward(
    summary: Summary, partition: int, partitions: int, policy: Policy
) -> list[tuple[int, ControlRecord]]:
    """What a partition writes, and where, once its own accounts are in the summary."""
    if partition + 1 < partitions:
        return [(partition + 1, summary.record())]
    record = line_of(summary, policy).record()
    return [(number, record) for number in range(partitions)]


class _Summary(msgspec.Struct):
    type: str
    day: str
    scores: Mapping[str, Mapping[int, int]]


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
        return Summary(date.fromisoformat(said.day).toordinal(), said.scores)
    except (msgspec.DecodeError, ValueError):
        return None


def read_line(value: bytes) -> FleetLine | None:
    """The line in a control record; None where it is none."""
    try:
        said = _decode_line(value)
        day = date.fromisoformat(said.version.removeprefix("fleet-")).toordinal()
        enter = {name: round(score * 10) for name, score in said.enter.items()}
        line = FleetLine(day, to_ms(said.effective_from), enter)
    except (msgspec.DecodeError, ValueError):
        return None
    return line if all(0 <= tenths <= 1_000 for tenths in enter.values()) else None


def _control(kind: bytes, said: msgspec.Struct) -> ControlRecord:
    return ControlRecord(((CONTROL_HEADER, kind),), _encode(said))


def _text(day: int) -> str:
    return date.fromordinal(day).isoformat()
