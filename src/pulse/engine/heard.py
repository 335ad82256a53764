"""From which sources events came lately, half-hour by half-hour of the log's clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

SLOT_MS: Final = 1_800_000
SLOTS: Final = 48
"""A day."""

_MOST: Final = 200
"""More sources than that are not watched: what names each event anew is no source."""
_ALL: Final = (1 << SLOTS) - 1


class Heard(msgspec.Struct, array_like=True, frozen=True):
    """One source: the clock when an event of it came last, and in which half-hours there were any.

    Bit n of `slots` is the half-hour n before that of `last_ms`.
    """

    last_ms: int
    slots: int

    def again(self, clock_ms: int) -> Heard:
        """The same after an event at a later clock."""
        shift = min(clock_ms // SLOT_MS - self.last_ms // SLOT_MS, SLOTS)
        return Heard(clock_ms, (self.slots << shift | 1) & _ALL)

    def with_other(self, other: Heard) -> Heard:
        """What two partitions heard, together.

        >>> Heard(4 * SLOT_MS, 0b101).with_other(Heard(3 * SLOT_MS + 5, 0b11)) == Heard(
        ...     4 * SLOT_MS, 0b111
        ... )
        True
        """
        first, last = sorted((self, other), key=lambda each: each.last_ms)
        shift = min(last.last_ms // SLOT_MS - first.last_ms // SLOT_MS, SLOTS)
        return Heard(last.last_ms, (last.slots | first.slots << shift) & _ALL)

    def is_regular(self, slots: int) -> bool:
        """Whether there were events in each of so many half-hours up to the last one."""
        wanted = (1 << min(slots, SLOTS)) - 1
        return self.slots & wanted == wanted


Sources = Mapping[str, Heard]


def hear(known: Sources, sources: Iterable[str], clock_ms: int) -> dict[str, Heard]:
    """What is known once events of these sources came."""
    found = dict(known)
    for source in sources:
        before = found.get(source)
        if before is not None:
            found[source] = before.again(clock_ms)
        elif len(found) < _MOST:
            found[source] = Heard(clock_ms, 1)
    return found


class Stop(NamedTuple):
    """A source that stopped, and the clock when an event of it came last."""

    source: str
    since_ms: int


def stops(partitions: Iterable[Sources], clock_ms: int, after_ms: int, slots: int) -> list[Stop]:
    """The sources of which nothing came for `after_ms`, though it did in every half-hour before."""
    together: dict[str, Heard] = {}
    for heard in partitions:
        for source, each in heard.items():
            other = together.get(source)
            together[source] = each if other is None else each.with_other(other)
    return [
        Stop(source, each.last_ms)
        for source, each in sorted(together.items())
        if clock_ms - each.last_ms >= after_ms and each.is_regular(slots)
    ]
