"""The danger line and what segments change of it."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from pulse.config.fields import DAY_MS, Days, Duration, Score, Section
from pulse.config.mistakes import Place, refuse
from pulse.config.scoring import Scorecard, check_scorecard

Source = Literal["fixed", "fleet"]
Quantile = Annotated[float, Field(gt=0, lt=1)]


class LineSettings(Section):
    """Where danger begins and ends, in scores from 0 to 100."""

    source: Source = Field(default="fixed", alias="from")
    """`fixed`: the scores below hold. `fleet`: once a day `enter` becomes a quantile of the scores
    of the fleet, and the other scores keep their distances from it."""
    quantile: Quantile = 0.25
    """With `from: fleet`: the share of the accounts that are below `enter`."""
    enter: Score = 40.0
    """Below it an account is in danger."""
    exit: Score = 50.0
    """At or above it the account is out of danger again; above `enter`, so that nothing flaps."""
    approach: Score = Field(default=55.0, validate_default=True)
    """Below it an account approaches danger."""
    dwell_ms: Duration = Field(default=DAY_MS, alias="dwell")
    """For how long a score must stay beyond the line before it counts."""
    min_history_days: Days = 28
    """An account known for fewer days is `unknown`: too young to judge."""
    min_active_days: Days = 5
    """An account active on fewer days is `unknown`: too little data."""
    forecast_days: Annotated[int, Field(ge=0, le=84)] = 14
    """An account approaches also if its scores fall so that they reach `enter` in so many days; 0:
    only in the band."""

    @field_validator("approach")
    @classmethod
    def _scores_are_in_order(cls, approach: float, info: ValidationInfo) -> float:
        if "enter" in info.data and "exit" in info.data:
            for mistake in order_mistakes(info.data["enter"], info.data["exit"], approach):
                raise mistake
        return approach


def order_mistakes(
    enter: float, exit: float, approach: float, place: Place = ()
) -> Iterator[PydanticCustomError]:
    """What is wrong with the order of the three scores of the line at `place`."""
    if exit <= enter:
        yield refuse(
            f"exit ({exit:g}) must be above enter ({enter:g})",
            suggestion="the gap keeps accounts from flapping; 10 points are usual",
            at=(*place, "exit"),
            or_at=(*place, "enter"),
        )
    elif approach <= enter:
        yield refuse(
            f"approach ({approach:g}) must be above enter ({enter:g})",
            suggestion="accounts approach danger from above",
            at=(*place, "approach"),
            or_at=(*place, "enter"),
        )
    elif approach + (exit - enter) > 100:
        yield refuse(
            "an account could never stop approaching: it would need a score of approach + "
            f"(exit - enter) = {approach + exit - enter:g}",
            suggestion=f"set approach to {100 - (exit - enter):g} or less",
            at=(*place, "approach"),
            or_at=(*place, "exit"),
        )


class LineChange(Section):
    """What a segment changes of the line; what is not said is as in `line`."""

    source: Source | None = Field(default=None, alias="from")
    """Instead of `line.from`."""
    quantile: Quantile | None = None
    """Instead of `line.quantile`."""
    enter: Score | None = None
    """Instead of `line.enter`."""
    exit: Score | None = None
    """Instead of `line.exit`."""
    approach: Score | None = None
    """Instead of `line.approach`."""
    dwell_ms: Duration | None = Field(default=None, alias="dwell")
    """Instead of `line.dwell`."""
    min_history_days: Days | None = None
    """Instead of `line.min_history_days`."""
    min_active_days: Days | None = None
    """Instead of `line.min_active_days`."""
    forecast_days: Annotated[int, Field(ge=0, le=84)] | None = None
    """Instead of `line.forecast_days`."""

    def applied_to(self, line: LineSettings) -> LineSettings:
        """The line with these changes."""
        changes = {name: value for name, value in dict(self).items() if value is not None}
        return line.model_copy(update=changes)


class Segment(Section):
    """What holds for the accounts whose profile names this segment."""

    line: LineChange = LineChange()
    """What differs from the line of all."""
    scorecard: Scorecard | None = None
    """A scorecard of its own, instead of that of all."""

    @field_validator("scorecard", mode="wrap")
    @classmethod
    def _scorecard_holds_together(cls, value: Any, check: Any) -> Any:
        return check_scorecard(value, check)


def segment_mistakes(
    segments: dict[str, Segment], line: LineSettings
) -> Iterator[PydanticCustomError]:
    """Segments whose changes bring the scores of their line out of order."""
    for name, segment in segments.items():
        merged = segment.line.applied_to(line)
        place = ("segments", name, "line")
        yield from order_mistakes(merged.enter, merged.exit, merged.approach, place)
