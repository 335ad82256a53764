"""The line as a file that `pulse.yaml` can name (`line_file`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def line_of(enter: float, gap: float, band: float) -> dict[str, float]:
    """The scores of a line: `gap` from enter to exit, `band` from enter to approach, less where
    there is no room for it. `enter` is one of `Shape.enters`, or between two of them.

    >>> line_of(30.0, 10.0, 15.0), line_of(89.0, 10.0, 15.0)["approach"]
    ({'enter': 30.0, 'exit': 40.0, 'approach': 45.0}, 90.0)
    """
    enter = round(enter, 1)
    approach = min(enter + band, 100 - gap)
    return {"enter": enter, "exit": round(enter + gap, 1), "approach": round(approach, 1)}


def document(
    lines: Mapping[str | None, Mapping[str, Any]], made: Mapping[str, Any]
) -> dict[str, Any]:
    """What stands in the file, as plain data: the line of all under None, and those of segments."""
    text: dict[str, Any] = {"line": dict(lines[None])}
    segments = {name: dict(line) for name, line in lines.items() if name is not None}
    if segments:
        text["segments"] = segments
    return text | {"made": dict(made)}
