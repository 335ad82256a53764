"""Which lines hold, as the days of accounts say, and which would if one were moved.

The configuration does not say it: a line may follow the fleet, and another configuration may hold.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pulse.calibration.linefile import line_of
from pulse.config.line import Segment
from pulse.config.policy import engine_line
from pulse.history import Lines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulse.config import Config
    from pulse.config.line import LineSettings
    from pulse.engagement.line import Line
    from pulse.history import HeldLine


def held_lines(config: Config, found: Mapping[str, HeldLine]) -> Lines:
    """The lines that hold by what was `found` of segments; as configured, where nothing was."""
    others = [each for name, each in found.items() if _follows(config, name)]
    line = _held(config.line, max(others, key=lambda each: each.accounts, default=None))
    of_segments = {
        name: _held(config.line_for(name), found.get(name)) for name in {*config.segments, *found}
    }
    return Lines(line, {name: each for name, each in of_segments.items() if each != line})


def moved(config: Config, segment: str | None, enter: float) -> Config:
    """The configuration with another `enter`, for a segment or for all that have none of their own.

    The other scores are as far above it as before, where there is room; it follows no fleet.
    """
    settings = config.line_for(segment)
    change: dict[str, Any] = line_of(
        enter, settings.exit - settings.enter, settings.approach - settings.enter
    )
    if settings.source == "fleet":
        change["source"] = "fixed"
    segments = dict(config.segments)
    if segment is not None:
        segments[segment] = _changed(segments.get(segment, Segment()), change)
        return config.model_copy(update={"segments": segments})
    for name, each in segments.items():
        # One with a quantile of its own goes on following.
        if each.line.quantile is not None and config.line_for(name).source == "fleet":
            segments[name] = _changed(each, {"source": "fleet"})
    line = config.line.model_copy(update=change)
    return config.model_copy(update={"line": line, "segments": segments})


def moved_lines(held: Lines, config: Config, after: Config) -> Lines:
    """The lines with the configuration `after`, which go on where it changes nothing."""

    def line(segment: str | None, now: Line) -> Line:
        settings = after.line_for(segment)
        # Who follows the fleet does not follow what a configuration says.
        stays = settings.source == "fleet" or settings == config.line_for(segment)
        return now if stays else engine_line(settings)

    names = {*after.segments, *held.segments}
    return Lines(line(None, held.all), {name: line(name, held.of(name)) for name in names})


def of_their_own(lines: Lines, found: Mapping[str, HeldLine]) -> list[tuple[str, float]]:
    """The segments in which danger begins elsewhere than for all, and where, by name."""
    return [
        (name, lines.of(name).enter)
        for name in sorted(found)
        if lines.of(name).enter != lines.all.enter
    ]


def _follows(config: Config, segment: str) -> bool:
    """Whether a segment has the line of all. By a fleet, each with rules of its own has its own."""
    if segment not in config.segments:
        return True
    return config.line.source == "fixed" and config.line_for(segment) == config.line


def _held(settings: LineSettings, found: HeldLine | None) -> Line:
    line = engine_line(settings)
    if found is None:
        return line
    return replace(line.at(found.enter, ""), approach=found.approach)


def _changed(segment: Segment, change: Mapping[str, Any]) -> Segment:
    return segment.model_copy(update={"line": segment.line.model_copy(update=change)})
