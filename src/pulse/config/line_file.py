"""A file that a configuration takes its line from: what `pulse calibrate` writes."""

from pathlib import Path
from typing import Any

from pydantic import Field

from pulse.config.fields import Section, Text
from pulse.config.line import LineChange
from pulse.config.loading import load


class LineFile(Section):
    """Scores for the line of all, and for segments; they go before those of the configuration."""

    line: LineChange = LineChange()
    """The line of all."""
    segments: dict[Text, LineChange] = Field(default_factory=dict)
    """Lines of segments."""
    made: dict[Text, Any] = Field(default_factory=dict)
    """How it was made, for whoever reads it."""


def read_line_file(named: str, config: Path) -> LineFile:
    """The file that a configuration names, a path relative to the configuration's own.

    Raises `ConfigError` with the mistakes of the file.
    """
    return load(LineFile, config.parent / named)
