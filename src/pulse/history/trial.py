"""What another danger line would have said of the days that are known."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from pulse.engagement.days import DAY_MS
from pulse.engagement.line import Line, Trigger

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MOST_NAMED: Final = 20


class Lines(NamedTuple):
    """The line of all, and those of segments that have one of their own, by name."""

    all: Line
    segments: Mapping[str, Line] = MappingProxyType({})

    def of(self, segment: str) -> Line:
        """By which accounts of a segment are judged."""
        return self.segments.get(segment, self.all)

    @property
    def highest(self) -> float:
        """Who is at or above it is in danger by none of them."""
        return max(line.enter for line in (self.all, *self.segments.values()))


class Scored(NamedTuple):
    """A day of an account: `day` is an ordinal, `is_known` whether a line judges it."""

    account_id: str
    day: int
    score: float | None
    is_known: bool
    has_left: bool
    segment: str = ""


class Verdict(NamedTuple):
    """What one line says of some accounts and days."""

    in_danger: int
    """Accounts, at the end."""
    alerts: int
    """Accounts that went into danger on one of the days, each time."""
    left: int
    """Accounts that have left at the end, though they had not at the beginning."""
    warned: int
    """Of those, how many went into danger before."""


class Trial(NamedTuple):
    """A line beside the one that holds. Accounts are named with their score, the worst first."""

    days: int
    accounts: int
    now: Verdict
    then: Verdict
    newly: list[tuple[str, float]]
    """In danger by the other line alone, at most `MOST_NAMED`."""
    no_longer: list[tuple[str, float]]


class Calm(NamedTuple):
    """Accounts of which no line says anything: they were above all, and have not left."""

    accounts: int = 0
    first: int = 0
    last: int = 0
    """Their days, as ordinals; 0 where there are none."""


NONE_CALM: Final = Calm()


def tried(rows: Iterable[Scored], held: Lines, other: Lines, calm: Calm = NONE_CALM) -> Trial:
    """Both lines over the days of accounts, which come together and in order of their days.

    A day is judged by the line of the segment that the account was in.

    `calm`: accounts besides, whose days need not be gone through.

    The score of a day start stands for the day: crossings within a day are not seen. As in the
    engine, hysteresis and dwell hold (`pulse.engagement.line.Trigger`), and of an account that is
    too young or has left nothing is said.
    """
    counts = ([0, 0, 0, 0], [0, 0, 0, 0])
    newly: list[tuple[str, float]] = []
    no_longer: list[tuple[str, float]] = []
    accounts, first, last = calm
    for account_id, group in groupby(rows, key=itemgetter(0)):
        days = list(group)
        accounts += 1
        first = min(first or days[0].day, days[0].day)
        last = max(last, days[-1].day)
        ons = []
        for lines, count in zip((held, other), counts, strict=True):
            on, times = _followed(days, lines)
            has_left = days[-1].has_left and not days[0].has_left
            count[0] += on
            count[1] += times
            count[2] += has_left
            count[3] += has_left and times > 0
            ons.append(on)
        score = days[-1].score
        if ons[0] != ons[1] and score is not None:
            (newly if ons[1] else no_longer).append((account_id, score))
    newly.sort(key=itemgetter(1))
    no_longer.sort(key=itemgetter(1))
    now, then = (Verdict(*count) for count in counts)
    return Trial(
        last - first + 1 if accounts else 0,
        accounts,
        now,
        then,
        newly[:MOST_NAMED],
        no_longer[:MOST_NAMED],
    )


def _followed(days: Sequence[Scored], lines: Lines) -> tuple[bool, int]:
    """Whether an account is in danger at the end, and how often it went there.

    Who is below the line on the first day was so before: that is no alert of these days.
    """
    trigger, times, is_first = Trigger(), 0, True
    for _, day, score, is_known, has_left, segment in days:
        if has_left or not is_known or score is None:
            trigger.reset()
            continue
        line = lines.of(segment)
        if is_first:
            trigger.on, is_first = score < line.enter, False
            continue
        turned = trigger.follow(score, line.enter, line.exit, line.dwell_ms, day * DAY_MS)
        times += turned and trigger.on
    return trigger.on, times
