"""Plots of a fleet as SVG: what is stacked day by day, and a distribution with the line in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

WIDTH: Final = 720
HEIGHT: Final = 220
_LEFT: Final = 52
_RIGHT: Final = 8
_TOP: Final = 10
_BOTTOM: Final = 26
_LABELS: Final = 6


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

    areas: list[Area]
    days: list[Tick]
    counts: list[Tick]


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

    bars: list[Bar]
    line: float
    approach: float
    scores: list[Tick]
    counts: list[Tick]


def stack(days: Sequence[date], parts: Mapping[str, Sequence[float]]) -> Stack | None:
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
    across = [_LEFT + (WIDTH - _LEFT - _RIGHT) * (day.toordinal() - first) / span for day in days]
    below, areas = [0.0] * len(days), []
    for name, values in parts.items():
        above = [low + value for low, value in zip(below, values, strict=True)]
        up = [f"{x:.1f},{_height(y, top):.1f}" for x, y in zip(across, above, strict=True)]
        down = [f"{x:.1f},{_height(y, top):.1f}" for x, y in zip(across, below, strict=True)]
        areas.append(Area(name, " ".join([*up, *reversed(down)])))
        below = above
    step = max(1, (len(days) - 1) // (_LABELS - 1))
    labels = [Tick(across[at], f"{days[at]:%-d %b}") for at in range(0, len(days), step)]
    return Stack(areas, labels, _counts(top))


def distribution(counts: Sequence[int], enter: float, approach: float) -> Distribution:
    """How many accounts have which score: `counts` of equal parts of the scale.

    >>> drawn = distribution([0, 4, 2, 0], enter=40, approach=70)
    >>> [bar.zone for bar in drawn.bars], drawn.bars[1].says
    (['danger', 'danger', 'approaching', 'healthy'], '4 accounts with a score from 25 to 50')
    """
    top = _round_up(max([*counts, 1]))
    part = 100.0 / len(counts)
    wide = (WIDTH - _LEFT - _RIGHT) / len(counts)
    bars = []
    for place, count in enumerate(counts):
        low, high = place * part, (place + 1) * part
        middle = (low + high) / 2
        zone = "danger" if middle < enter else "approaching" if middle < approach else "healthy"
        y = _height(count, top)
        noun = "account" if count == 1 else "accounts"
        says = f"{count:,} {noun} with a score from {low:g} to {high:g}"
        x = round(_LEFT + wide * place + 1, 1)
        bars.append(
            Bar(x, round(y, 1), round(wide - 2, 1), round(_height(0, top) - y, 1), zone, says)
        )
    scores = [Tick(_across(score), str(score)) for score in range(0, 101, 20)]
    return Distribution(bars, _across(enter), _across(approach), scores, _counts(top))


def _across(score: float) -> float:
    return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * min(max(score, 0.0), 100.0) / 100.0, 1)


def _height(value: float, top: float) -> float:
    return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * value / top


def _counts(top: float) -> list[Tick]:
    return [Tick(round(_height(top * n / 4, top), 1), _said(top * n / 4)) for n in range(5)]


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
