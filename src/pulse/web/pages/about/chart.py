"""Engagement over time against the danger line, as what an SVG is drawn with.

The line is drawn as it was on each day, the zones are shaded by it. Alerts are marked where they
fired, and the score is drawn on to where it would cross the line, where that was projected.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from pulse.web.pages.about.axis import Axes, Size, Tick
from pulse.web.pages.about.weeks import groups, mean, week_or_day, words_of, worst

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pulse.engagement.forecast import Crossing
    from pulse.history import DayRow

WIDE: Final = Size(760, 320, 30, 64, 32, 40, 52)
NARROW: Final = Size(360, 290, 26, 8, 32, 40, 52)
"""For telephones, on which the wide one's letters could not be read."""

_RIBBON: Final = 8
"""How far below the plot the ribbon of zones is, and how high."""
_AHEAD_DAYS: Final = 28
"""What is projected is drawn for so many days at most."""
_TOO_NEAR: Final = 14.0
"""Marks that are nearer to each other are one."""
_LEAST_BAND: Final = 15.0
"""A band must be so high to have its name in it."""
_ROW: Final = 12.0
"""The height of a row of letters."""


class Fired(NamedTuple):
    """An alert, and on which day it began."""

    day: float
    reason: str
    words: str


class Now(NamedTuple):
    """Where the account stands: the day with its fraction, and its score."""

    day: float
    score: float


class Mark(NamedTuple):
    """Alerts of about the same day: where they are, of which kind, and what to say of them."""

    x: float
    y: float
    """Of the score on that day."""
    kind: str
    """`danger`, `approaching`, or `signal` where there is neither."""
    many: int
    says: str


class Ahead(NamedTuple):
    """What is projected: from where to where, and between which days it crosses (90 %)."""

    path: str
    x: float
    y: float
    soonest: float
    latest: float


class Part(NamedTuple):
    """A part of the ribbon: the days that an account was in one zone."""

    x: float
    width: float
    zone: str


class Tip(NamedTuple):
    """What is said of a day, or of a week, to who points at it."""

    x: float
    width: float
    says: str


class Name(NamedTuple):
    """The name of a zone, and where."""

    y: float
    zone: str


class Chart(NamedTuple):
    """What an SVG is drawn with; positions in pixels, paths as SVG has them."""

    size: Size
    scores: list[Tick]
    days: list[Tick]
    left: float
    right: float
    top: float
    bottom: float
    now_x: float
    """Where today is; what is right of it has not been."""
    danger: str
    approaching: str
    healthy: str
    line: str
    """The danger line."""
    line_y: float
    """Where it is now."""
    line_says: str
    score: str
    """The score; days without one are gaps."""
    end: tuple[float, float, str] | None
    """Where it is now, and how much."""
    now_y: float
    """Where that is written beside the plot, out of the way of the line's words."""
    marks: list[Mark]
    ahead: Ahead | None
    ribbon: list[Part]
    ribbon_y: float
    names: list[Name]
    tips: list[Tip]
    says: str
    """The whole in a sentence, for who does not see it."""


def chart(
    days: Sequence[DayRow],
    fired: Iterable[Fired],
    *,
    size: Size,
    now: Now | None = None,
    crossing: Crossing | None = None,
) -> Chart:
    """The picture of an account's days, the oldest first; there must be one.

    `crossing` counts from the last of the days.
    """
    last = days[-1].day.toordinal()
    if now is not None and now.day < last:  # where a day begins before that of UTC
        now = now._replace(day=float(last))
    end = float(last + 1) if now is None else max(last + 1.0, now.day + 0.5)
    if crossing is not None:
        end = max(end, last + min(crossing.latest, _AHEAD_DAYS) + 1.0)
    first = min(days[0].day.toordinal(), last - 27)
    axes = Axes(size, first, end)
    top, bottom = axes.y(100.0), axes.y(0.0)
    enter, approach = _steps(axes, days, "line"), _steps(axes, days, "approach")
    scored = [(float(day.day.toordinal()), day.score) for day in days]
    if now is not None:
        scored.append((now.day, now.score))
    return Chart(
        size=size,
        scores=axes.scores(),
        days=axes.days(),
        left=axes.x(first),
        right=axes.right,
        top=top,
        bottom=bottom,
        now_x=axes.x(last if now is None else now.day),
        danger=_area(enter, bottom),
        approaching=_path([*approach, *reversed(enter)]) + "Z",
        healthy=_area(approach, top),
        line=_path(enter),
        line_y=enter[-1][1],
        line_says=f"line {days[-1].line:g}",
        score=" ".join(_runs(axes, scored)),
        end=None if now is None else (axes.x(now.day), axes.y(now.score), f"{now.score:.0f}"),
        now_y=_beside(enter[-1][1], axes.y(days[-1].score or 0.0 if now is None else now.score)),
        marks=_marks(axes, fired, scored),
        ahead=None if crossing is None else _ahead(axes, last, now, days[-1], crossing),
        ribbon=list(_ribbon(axes, days, end if now is None else now.day)),
        ribbon_y=bottom + _RIBBON / 2,
        names=_names(enter[0][1], approach[0][1], top, bottom),
        tips=[_tip(axes, group) for group in groups(days)],
        says=_says(days, now, crossing),
    )


def _beside(line_y: float, y: float) -> float:
    """Where words are written about a height, unless the line's words are there.

    >>> _beside(100.0, 50.0), _beside(100.0, 98.0), _beside(100.0, 103.0)
    (54.0, 90.0, 118.0)
    """
    if abs(y - line_y) >= _ROW:
        return y + 4.0
    return line_y + 4.0 + (_ROW + 2.0 if y >= line_y else -_ROW - 2.0)


def _steps(axes: Axes, days: Sequence[DayRow], what: str) -> list[tuple[float, float]]:
    """A line that may be another one each day, to the end of the plot."""
    points = [(axes.x(axes.first), axes.y(getattr(days[0], what)))]
    for day in days[1:]:
        y = axes.y(getattr(day, what))
        if y != points[-1][1]:
            x = axes.x(day.day.toordinal())
            points += [(x, points[-1][1]), (x, y)]
    return [*points, (axes.right, points[-1][1])]


def _path(points: Iterable[tuple[float, float]]) -> str:
    """Through these points.

    >>> _path([(1.0, 2.0), (3.5, 4.0)])
    'M1 2L3.5 4'
    """
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points)


def _area(points: list[tuple[float, float]], y: float) -> str:
    """Between these points and a height."""
    return _path([*points, (points[-1][0], y), (points[0][0], y)]) + "Z"


def _runs(axes: Axes, scored: Sequence[tuple[float, float | None]]) -> Iterator[str]:
    """The score, one path for each stretch of days that follow each other and have one."""
    run: list[tuple[float, float]] = []
    before = 0.0
    for day, score in scored:
        if run and (score is None or day - before > 1.5):
            yield _stretch(run)
            run = []
        if score is not None:
            run.append((axes.x(day), axes.y(score)))
        before = day
    if run:
        yield _stretch(run)


def _stretch(run: list[tuple[float, float]]) -> str:
    # Of a single day there would be nothing to see.
    return _path(run if len(run) > 1 else [run[0], (run[0][0] + 1.0, run[0][1])])


def _marks(
    axes: Axes, fired: Iterable[Fired], scored: Sequence[tuple[float, float | None]]
) -> list[Mark]:
    found: list[list[Fired]] = []
    for each in sorted(fired):
        if not axes.first <= each.day <= axes.last:
            continue
        if found and axes.x(each.day) - axes.x(found[-1][0].day) < _TOO_NEAR:
            found[-1].append(each)
        else:
            found.append([each])
    return [_mark(axes, several, scored) for several in found]


def _mark(axes: Axes, several: list[Fired], scored: Sequence[tuple[float, float | None]]) -> Mark:
    reasons = {each.reason for each in several}
    kind = next((each for each in ("danger", "approaching") if each in reasons), "signal")
    day = several[0].day
    known = [score for at, score in scored if score is not None and at <= day + 0.5]
    later = next((score for _, score in scored if score is not None), 0.0)
    return Mark(
        axes.x(day),
        axes.y(known[-1] if known else later),
        kind,
        len(several),
        "; ".join(each.words for each in several),
    )


def _ahead(axes: Axes, last: int, now: Now | None, day: DayRow, crossing: Crossing) -> Ahead | None:
    score = day.score if now is None else now.score
    if score is None:
        return None
    start = (axes.x(last), axes.y(score)) if now is None else (axes.x(now.day), axes.y(score))
    at = max(min(axes.x(last + crossing.days), axes.right), start[0])
    y = axes.y(day.line)
    return Ahead(
        path=_path([start, (at, y)]),
        x=at,
        y=y,
        soonest=max(axes.x(last + crossing.soonest), start[0]),
        latest=min(axes.x(last + crossing.latest), axes.right),
    )


def _ribbon(axes: Axes, days: Sequence[DayRow], end: float) -> Iterator[Part]:
    begins, zone, before = days[0].day.toordinal(), days[0].zone, days[0].day.toordinal()
    for day in days[1:]:
        at = day.day.toordinal()
        if day.zone != zone or at - before > 1:
            yield _part(axes, begins, before + 1, zone)
            begins, zone = at, day.zone
        before = at
    yield _part(axes, begins, max(end, before), zone)


def _part(axes: Axes, begins: float, ends: float, zone: str) -> Part:
    x = axes.x(begins)
    return Part(x, round(axes.x(ends) - x, 1), zone)


def _names(enter: float, approach: float, top: float, bottom: float) -> list[Name]:
    bands = (("healthy", top, approach), ("approaching", approach, enter))
    names = [
        Name(round((above + below) / 2 + 4.0, 1), zone)
        for zone, above, below in bands
        if below - above >= _LEAST_BAND
    ]
    return [*names, Name(bottom - 8.0, "danger")] if bottom - enter >= _LEAST_BAND else names


def _tip(axes: Axes, group: list[DayRow]) -> Tip:
    x = axes.x(group[0].day.toordinal())
    width = round(axes.x(group[-1].day.toordinal() + 1) - x, 1)
    day, score = group[-1], mean(group)
    words = f"{week_or_day(group)}{', on average ' if len(group) > 1 else ': '}"
    words += "no score" if score is None else f"score {score:.1f}"
    return Tip(x, width, f"{words}, line {day.line:g}, {worst(group)}")


def _says(days: Sequence[DayRow], now: Now | None, crossing: Crossing | None) -> str:
    scores = [day.score for day in days if day.score is not None]
    words = f"Score from {words_of(days[0].day)} to {words_of(days[-1].day)}"
    if scores:
        words += f": between {min(scores):.0f} and {max(scores):.0f}"
    if now is not None:
        words += f", now {now.score:.0f}"
    below = sum(day.zone == "danger" for day in days)
    words += f"; danger line at {days[-1].line:g}; in danger on {below} of {len(days)} days"
    moved = sum(a.line != b.line for a, b in pairwise(days))
    if moved:
        words += f"; the line was moved {moved} times" if moved > 1 else "; the line was moved once"
    if crossing is not None:
        words += f"; projected to cross it in {crossing.days:.0f} days"
    return words + ". The same is in the table below."
