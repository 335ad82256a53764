"""An account's score over its last days against the line, small enough to stand in a list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pulse.history import DayRow

DAYS: Final = 90
WIDTH: Final = 180
HEIGHT: Final = 52
_TOP: Final = 3
_RIGHT: Final = 4


class Sparkline(NamedTuple):
    """What is drawn, in pixels, and the same in words. Empty paths are left out."""

    ground: str
    """Where danger is."""
    border: str
    """The line over time."""
    trace: str
    x: float
    y: float
    """Where the score is now."""
    says: str


def sparkline(
    days: Sequence[DayRow], today: int, score: float | None, enter: float, then: float | None
) -> Sparkline | None:
    """The last `DAYS` days up to `today` (an ordinal), and the score and the line of now.

    Without any days it goes from what the score was 28 days ago, where that is known. None where
    there is nothing to draw.

    >>> drawn = sparkline([], 739_000, 31.2, 40.0, 60.0)
    >>> drawn.trace, drawn.says
    ('M121.2 21.4L176.0 34.6', 'score from 60.0 to 31.2 in 28 days, danger below 40')
    """
    points = [(row.day.toordinal(), row.score, row.line) for row in days]
    if not points and then is not None:
        points = [(today - 28, then, enter)]
    known = [each for each in points if today - DAYS <= each[0] < today]
    if score is not None:
        known.append((today, score, enter))
    scores = [(day, value) for day, value, _ in known if value is not None]
    if not scores:
        return None
    line = [f"{_x(day, today):.1f} {_y(value):.1f}" for day, _, value in known]
    # The line of the first day that is known holds for what was before.
    edge = f"0 {_y(known[0][2]):.1f}"
    drawn = "L".join([edge, *line])
    first, last = scores[0], scores[-1]
    return Sparkline(
        ground=f"M{drawn}L{WIDTH} {_y(known[-1][2]):.1f}V{HEIGHT}H0Z",
        border=f"M{drawn}H{WIDTH}",
        trace=_trace(scores, today),
        x=round(_x(last[0], today), 1),
        y=round(_y(last[1]), 1),
        says=f"score from {first[1]:.1f} to {last[1]:.1f} in {last[0] - first[0]} days, "
        f"danger below {enter:g}",
    )


def _trace(scores: Sequence[tuple[int, float]], today: int) -> str:
    parts: list[str] = []
    before: int | None = None
    for day, score in scores:
        # Over days without a score nothing is drawn, unless these two are all there is.
        is_new = before is None or (day - before > 3 and len(scores) > 2)
        parts.append(f"{'M' if is_new else 'L'}{_x(day, today):.1f} {_y(score):.1f}")
        before = day
    return "".join(parts)


def _x(day: int, today: int) -> float:
    return (WIDTH - _RIGHT) * (1.0 - (today - day) / DAYS)


def _y(score: float) -> float:
    return _TOP + (HEIGHT - 2 * _TOP) * (1.0 - min(max(score, 0.0), 100.0) / 100.0)
