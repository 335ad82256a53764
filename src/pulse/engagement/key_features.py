"""Key features: those that set the product apart, and how many of them an account uses."""

from __future__ import annotations

import re
from fnmatch import translate
from typing import TYPE_CHECKING, Final

from pulse.engagement.measures import NOT_COUNTED
from pulse.engagement.windows import W7, W28, W84

if TYPE_CHECKING:
    from pulse.engagement.distinct import LastSeen
    from pulse.engagement.windows import Triple

_NEVER: Final = 0
_CANNOT_TELL: Final = -1
_MOST_NAMES: Final = 10_000
"""Names of features of which it is remembered what they match."""


class KeyFeatures:
    """Counts key features over windows.

    Each is a feature's name, or a shell pattern that makes one key feature of all whose names
    match. It was used over W if that was on one of the W complete days before today, or today:
    growth shows at once, midnight makes no dip, and a fall is seen at a day's start. (Of a feature
    only its last day is kept, so the larger of "complete days" and "days that end today", which
    other measures are, cannot be told. It is this number, but for a day on which one key feature
    comes and another falls out.)

    Beyond the features that an account keeps exactly, those that can be in its sample stand for all
    (`LastSeen`), and a pattern is used if any that is in the sample matches.

    >>> from pulse.engagement.distinct import LastSeen
    >>> features = LastSeen(limit=500)
    >>> for name, day in (("sso", 100), ("export.pdf", 80), ("export.csv", 95), ("list", 100)):
    ...     _ = features.touch(name, day, 100)
    >>> key = KeyFeatures(("sso", "export.*", "api"))
    >>> key.windows(features, 100), key.given_up(features, 130)
    ((2, 2, 2), ['sso', 'export.*'])
    """

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self.patterns = patterns
        self._names = [(n, each) for n, each in enumerate(patterns) if not _has_wildcard(each)]
        self._wild = [
            (n, re.compile(translate(each)))
            for n, each in enumerate(patterns)
            if _has_wildcard(each)
        ]
        self._matches: dict[str, list[int]] = {}

    def windows(self, features: LastSeen, today: int) -> Triple:
        """How many of them were used over each window; `NOT_COUNTED` where nothing can be said."""
        a, b, c, told = 0, 0, 0, 0
        for last in self._lasts(features):
            if last == _CANNOT_TELL:
                continue
            told += 1
            if last >= today - W84:
                c += 1
                if last >= today - W28:
                    b += 1
                    if last >= today - W7:
                        a += 1
        if not told:
            return NOT_COUNTED
        every = len(self.patterns)
        if told == every:
            return (a, b, c)
        return (_scaled(a, every, told), _scaled(b, every, told), _scaled(c, every, told))

    def given_up(self, features: LastSeen, today: int) -> list[str]:
        """Those that were used as far back as days are kept, and not over the last 28 days."""
        lasts = self._lasts(features)
        if features.level:  # what a pattern matches besides may be used
            for n, _ in self._wild:
                lasts[n] = _CANNOT_TELL
        return [
            each
            for each, last in zip(self.patterns, lasts, strict=True)
            if _NEVER < last < today - W28
        ]

    def _lasts(self, features: LastSeen) -> list[int]:
        """The last day on which each was used."""
        lasts = [_NEVER] * len(self.patterns)
        for n, name in self._names:
            lasts[n] = features.last_of(name) if features.can_keep(name) else _CANNOT_TELL
        if self._wild:
            for name, last in features.days.items():
                for n in self._matched(name):
                    if last > lasts[n]:
                        lasts[n] = last
        return lasts

    def _matched(self, name: str) -> list[int]:
        """Which patterns a feature's name matches."""
        found = self._matches.get(name)
        if found is None:
            if len(self._matches) >= _MOST_NAMES:
                self._matches.clear()
            found = [n for n, pattern in self._wild if pattern.match(name)]
            self._matches[name] = found
        return found


def _has_wildcard(pattern: str) -> bool:
    return any(each in pattern for each in "*?[")


def _scaled(number: int, every: int, told: int) -> int:
    """What `number` of `told` is of all, rounded."""
    return (2 * number * every + told) // (2 * told)
