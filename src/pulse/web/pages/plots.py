"""Plots of a fleet as SVG: what is stacked day by day, and a distribution with the line in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from pulse.web.pages.about.weeks import words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

_RIGHT: Final = 16
_TOP: Final = 10
_BOTTOM: Final = 26
_MOST_DAYS: Final = 31
"""That a table has one by one."""


class Size(NamedTuple):
    """Of a plot, in pixels; `left` of it are for the numbers, `labels` the most days named."""

    width: int
    height: int
    left: int
    labels: int

    @property
    def right(self) -> int:
        """Where the plot ends."""
        return self.width - _RIGHT


WIDE: Final = Size(1100, 240, 52, 6)
NARROW: Final = Size(360, 230, 34, 4)
"""On a phone, where letters of the wide one would be too small to read."""


class Tick(NamedTuple):
    """A place on an axis, in pixels, and what is written there."""

    at: float
    says: str


class Area(NamedTuple):
    """One part of what is stacked: its name, and its outline for `<polygon points>`."""

    name: str
    points: str


class Stack(NamedTuple):
    """Areas from the bottom up, and both axes."""

    size: Size
    areas: list[Area]
    days: list[Tick]
    counts: list[Tick]


class Told(NamedTuple):
    """What is stacked, for who does not see it: in a sentence, and as a table."""

    says: str
    names: list[str]
    rows: list[tuple[str, list[float]]]
    """A day in words and its numbers, the newest first."""


class Bar(NamedTuple):
    """One bar of a distribution. `zone` is where most of it lies by the line."""

    x: float
    y: float
    width: float
    height: float
    zone: str
    says: str


class Distribution(NamedTuple):
    """Bars over the scores from 0 to 100, where the line and its band are, and both axes."""

    size: Size
    bars: list[Bar]
    line: float
    approach: float
    scores: list[Tick]
    counts: list[Tick]
    says: str
    """The same in words."""


def stack(
    days: Sequence[date], parts: Mapping[str, Sequence[float]], size: Size = WIDE
) -> Stack | None:
    """Numbers of each day, one upon the other; None where there are fewer than two days.

    >>> from datetime import date
    >>> drawn = stack([date(2025, 1, 1), date(2025, 1, 2)], {"danger": [1, 2], "healthy": [3, 2]})
    >>> [area.name for area in drawn.areas], drawn.counts[-1].says
    (['danger', 'healthy'], '4')
    """
    if len(days) < 2:
        return None
    most = max(sum(values) for values in zip(*parts.values(), strict=True))
    top = _round_up(most)
    first, span = days[0].toordinal(), days[-1].toordinal() - days[0].toordinal()
    wide = size.right - size.left
    across = [size.left + wide * (day.toordinal() - first) / span for day in days]
    below, areas = [0.0] * len(days), []
    for name, values in parts.items():
        above = [low + value for low, value in zip(below, values, strict=True)]
        up = [f"{x:.1f},{_height(y, top, size):.1f}" for x, y in zip(across, above, strict=True)]
        down = [f"{x:.1f},{_height(y, top, size):.1f}" for x, y in zip(across, below, strict=True)]
        areas.append(Area(name, " ".join([*up, *reversed(down)])))
        below = above
    step = max(1, (len(days) - 1) // (size.labels - 1))
    labels = [Tick(across[at], f"{days[at]:%-d %b}") for at in range(0, len(days), step)]
    return Stack(size, areas, labels, _counts(top, size))


def told(what: str, days: Sequence[date], parts: Mapping[str, Sequence[float]]) -> Told:
    """What `stack` draws, in words; where there are many days, one of each week.

    >>> from datetime import date
    >>> days = [date(2025, 1, 1), date(2025, 1, 2)]
    >>> said = told("zone", days, {"danger": [1, 2], "healthy": [3, 3]})
    >>> said.says.partition(": ")[2]
    'danger from 1 to 2, healthy 3 throughout'
    >>> said.rows
    [('2 January 2025', [2, 3]), ('1 January 2025', [1, 3])]
    """
    ways = [f"{name} {_way(values)}" for name, values in parts.items()]
    between = f"from {words_of(days[0])} to {words_of(days[-1])}"
    shown = range(len(days) - 1, -1, -7 if len(days) > _MOST_DAYS else -1)
    rows = [(words_of(days[at]), [values[at] for values in parts.values()]) for at in shown]
    return Told(f"Accounts by {what}, {between}: {', '.join(ways)}", list(parts), rows)


def _way(values: Sequence[float]) -> str:
    first, last = values[0], values[-1]
    if min(values) == max(values):
        return f"{first:,.0f} throughout"
    return f"from {first:,.0f} to {last:,.0f}"


def distribution(
    counts: Sequence[int], enter: float, approach: float, size: Size = WIDE
) -> Distribution:
    """How many accounts have which score: `counts` of equal parts of the scale.

    >>> drawn = distribution([0, 4, 2, 0], enter=40, approach=70)
    >>> [bar.zone for bar in drawn.bars], drawn.bars[1].says
    (['danger', 'danger', 'approaching', 'healthy'], '4 accounts with a score from 25 to 50')
    >>> drawn.says
    '6 accounts by their score, of which the most, 4, have one from 25 to 50; danger below 40'
    """
    top = _round_up(max([*counts, 1]))
    part = 100.0 / len(counts)
    wide = (size.right - size.left) / len(counts)
    bars = []
    for place, count in enumerate(counts):
        low, high = place * part, (place + 1) * part
        middle = (low + high) / 2
        zone = "danger" if middle < enter else "approaching" if middle < approach else "healthy"
        y = _height(count, top, size)
        noun = "account" if count == 1 else "accounts"
        says = f"{count:,} {noun} with a score from {low:g} to {high:g}"
        x = round(size.left + wide * place + 1, 1)
        high_px = round(_height(0, top, size) - y, 1)
        bars.append(Bar(x, round(y, 1), round(wide - 2, 1), high_px, zone, says))
    scores = [Tick(_across(score, size), str(score)) for score in range(0, 101, 20)]
    line, band = _across(enter, size), _across(approach, size)
    return Distribution(size, bars, line, band, scores, _counts(top, size), _peak(counts, enter))


def _peak(counts: Sequence[int], enter: float) -> str:
    most, part = max(counts), 100.0 / len(counts)
    low = counts.index(most) * part
    of_most = f", of which the most, {most:,}, have one from {low:g} to {low + part:g}"
    everybody = sum(counts)
    noun = "account" if everybody == 1 else "accounts"
    return f"{everybody:,} {noun} by their score{of_most if most else ''}; danger below {enter:g}"


def _across(score: float, size: Size) -> float:
    return round(size.left + (size.right - size.left) * min(max(score, 0.0), 100.0) / 100.0, 1)


def _height(value: float, top: float, size: Size) -> float:
    return size.height - _BOTTOM - (size.height - _TOP - _BOTTOM) * value / top


def _counts(top: float, size: Size) -> list[Tick]:
    return [Tick(round(_height(top * n / 4, top, size), 1), _said(top * n / 4)) for n in range(5)]


def _said(value: float) -> str:
    if value >= 1_000_000:
        return f"{value / 1e6:g} M"
    if value >= 10_000:
        return f"{value / 1e3:g} k"
    return f"{value:,g}"


def _round_up(value: float) -> float:
    """A number for the top of an axis that four even steps lead to."""
    scale = 1.0
    while scale * 100 < value:
        scale *= 10
    for step in (4, 8, 12, 16, 20, 40, 60, 80, 100):
        if step * scale >= value:
            return step * scale
    return 100 * scale
