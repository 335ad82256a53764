"""An account's score against the line, as an SVG of a few elements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

WIDTH: Final = 640
_LEFT: Final = 10
_SPAN: Final = WIDTH - 2 * _LEFT


class Gauge(NamedTuple):
    """Where things are on a scale from 0 to 100, in pixels from the left; None where unknown."""

    danger: float
    """Where danger ends."""
    approach: float
    exit: float
    score: float | None
    then: float | None
    says: str
    """The same in words, for who does not see it."""


def gauge(account: Mapping[str, Any]) -> Gauge:
    """The gauge of an account's document.

    >>> line = {"enter": 40, "exit": 45, "approach": 55}
    >>> drawn = gauge({"score": 31.2, "line": line, "then": {"score": 60.0}})
    >>> (drawn.danger, drawn.score, drawn.says)
    (258.0, 203.4, 'score 31.2, danger below 40, 28 days ago 60.0')
    """
    line, score = account["line"], account["score"]
    then = (account.get("then") or {}).get("score")
    says = "no score" if score is None else f"score {score:.1f}"
    says += f", danger below {line['enter']:g}"
    if then is not None:
        says += f", 28 days ago {then:.1f}"
    return Gauge(
        danger=_at(line["enter"]),
        approach=_at(line["approach"]),
        exit=_at(line["exit"]),
        score=None if score is None else _at(score),
        then=None if then is None else _at(then),
        says=says,
    )


def _at(score: float) -> float:
    return round(_LEFT + _SPAN * min(max(score, 0.0), 100.0) / 100.0, 1)
