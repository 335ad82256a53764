"""Where an account's events come from, and the days on which none of them could come."""

from __future__ import annotations

from bisect import insort
from typing import TYPE_CHECKING, Final

from xxhash import xxh3_64_intdigest

from pulse.engagement.windows import KEPT_DAYS

if TYPE_CHECKING:
    from pulse.engagement.codec import Reader, Writer

KEY_MASK: Final = 0x7FFF_FFFF
OTHERS: Final = 0
"""Stands for all sources of an account that has too many of them; it never stops."""

_MOST: Final = 15
_TURN_DAYS: Final = 14
_JUDGED_DAYS: Final = 7


def source_key(source: str) -> int:
    """What is kept of a source's name: 31 bits."""
    return xxh3_64_intdigest(source.encode()) & KEY_MASK


class Sources:
    """The sources of the last two to four weeks in which there were any, by `source_key`.

    >>> sources = Sources()
    >>> sources.see(7)
    >>> sources.turn(day=28), sources.lately
    (None, [])
    >>> sources.turn(day=42), sources.see(8), sources.known()
    (None, None, [8, 7])
    """

    __slots__ = ("_last", "before", "frozen", "has_unseen", "lately", "unseen")

    def __init__(self) -> None:
        self.lately: list[int] = []
        self.before: list[int] = []
        self.unseen: list[int] = []
        """Days on which all of them were stopped for a while, in order: they were not observed."""
        self.has_unseen = False
        """Whether there are any: to reach a list takes longer than this."""
        self._last = OTHERS
        """Whose the last event was, among those of `lately`."""
        self.frozen = False
        """They are stopped, or were for most of the last days: nothing can be said just now."""

    def see(self, key: int) -> None:
        """A meaningful event came from a source."""
        if key == self._last:
            return
        self._last, lately = key, self.lately
        if key not in lately and OTHERS not in lately:
            lately.append(key if len(lately) < _MOST else OTHERS)

    def turn(self, day: int) -> None:
        """A day has begun: now and then, what is no longer in use is forgotten."""
        if day % _TURN_DAYS == 0 and self.lately:
            self.before, self.lately, self._last = self.lately, [], OTHERS

    def known(self) -> list[int]:
        """All of them."""
        return self.lately + [key for key in self.before if key not in self.lately]

    def miss(self, day: int, today: int) -> None:
        """A day was not observed."""
        if day not in self.unseen:
            insort(self.unseen, day)
        while self.unseen and self.unseen[0] < today - KEPT_DAYS:
            del self.unseen[0]
        self.has_unseen = bool(self.unseen)

    def missed(self, today: int, days: int) -> int:
        """How many of the last complete days were not observed."""
        if not self.has_unseen:
            return 0
        return len([day for day in self.unseen if today - days <= day < today])

    def missed_most(self, today: int) -> bool:
        """Whether most of the last week was not observed."""
        return 2 * self.missed(today, _JUDGED_DAYS) > _JUDGED_DAYS

    def write(self, now: Writer, out: Writer) -> None:
        """Write everything; `read` takes it."""
        _write(now, self.lately)
        _write(out, self.before)
        _write(out, self.unseen)

    def read(self, now: Reader, reader: Reader) -> None:
        """Become what `write` wrote."""
        self.lately = _read(now)
        self.before = _read(reader)
        self.unseen = _read(reader)
        self.has_unseen = bool(self.unseen)


def _write(writer: Writer, numbers: list[int]) -> None:
    writer.number(len(numbers))
    for number in numbers:
        writer.number(number)


def _read(reader: Reader) -> list[int]:
    return [reader.number() for _ in range(reader.number())]
