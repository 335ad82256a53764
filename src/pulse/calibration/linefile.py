"""The line as a file that `pulse.yaml` can name (`line_file`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulse.calibration.choice import Choice


def line_of(enter: float, gap: float, band: float) -> dict[str, float]:
    """The scores of a line: `gap` from enter to exit, `band` from enter to approach.

    >>> line_of(30.0, 10.0, 15.0)
    {'enter': 30.0, 'exit': 40.0, 'approach': 45.0}
    """
    enter = round(min(enter, 100 - 2 * gap - 1), 1)
    approach = min(enter + band, 100 - gap)
    return {"enter": enter, "exit": round(enter + gap, 1), "approach": round(approach, 1)}


def document(
    choice: Choice,
    segments: Mapping[str, Choice],
    gap: float,
    band: float,
    made: Mapping[str, Any],
) -> dict[str, Any]:
    """What stands in the file, as plain data."""
    text: dict[str, Any] = {"line": line_of(choice.enter, gap, band)}
    if segments:
        text["segments"] = {name: line_of(each.enter, gap, band) for name, each in segments.items()}
    text["made"] = dict(made)
    return text
