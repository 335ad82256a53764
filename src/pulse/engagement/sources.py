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

    __slots__ = ("before", "frozen", "lately", "unseen")

    def __init__(self) -> None:
        self.lately: list[int] = []
        self.before: list[int] = []
        self.unseen: list[int] = []
        """Days on which all of them were stopped for a while, in order: they were not observed."""
        self.frozen = False
        """They are stopped, or were for most of the last days: nothing can be said just now."""

    def see(self, key: int) -> None:
        """A meaningful event came from a source."""
        lately = self.lately
        if lately and lately[0] == key:
            return
        if key not in lately and OTHERS not in lately:
            lately.append(key if len(lately) < _MOST else OTHERS)

    def turn(self, day: int) -> None:
        """A day has begun: now and then, what is no longer in use is forgotten."""
        if self.lately and day % _TURN_DAYS == 0:
            self.before, self.lately = self.lately, []

    def known(self) -> list[int]:
        """All of them."""
        return self.lately + [key for key in self.before if key not in self.lately]

    def miss(self, day: int, today: int) -> None:
        """A day was not observed."""
        if day not in self.unseen:
            insort(self.unseen, day)
        while self.unseen and self.unseen[0] < today - KEPT_DAYS:
            del self.unseen[0]

    def missed(self, today: int, days: int) -> int:
        """How many of the last complete days were not observed."""
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


def _write(writer: Writer, numbers: list[int]) -> None:
    writer.number(len(numbers))
    for number in numbers:
        writer.number(number)


def _read(reader: Reader) -> list[int]:
    return [reader.number() for _ in range(reader.number())]
