"""What decides results, compiled from the configuration: one immutable object."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pulse.engagement.holidays import HolidayBook

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulse.engagement.account import Activity
    from pulse.engagement.lifecycle import LifecycleRule
    from pulse.engagement.line import Line
    from pulse.engagement.scorecard import Scorecard
    from pulse.engagement.usage import UsageRules
    from pulse.signals.signal import Signal
    from pulse.signals.usage.silence import Silence


@dataclass(frozen=True, slots=True)
class SegmentPolicy:
    """The scorecard and the line that hold for one segment."""

    scorecard: Scorecard
    line: Line


@dataclass(frozen=True, slots=True)
class Policy:
    """All rules of one configuration. `version` names it in every alert."""

    version: str
    timezone: str
    """The day of accounts whose profile has no time zone."""
    usage: UsageRules
    activity: Activity
    default: SegmentPolicy
    lifecycle: LifecycleRule
    silence: Silence | None
    segments: Mapping[str, SegmentPolicy] = field(default_factory=dict)
    plays: Mapping[str, str] = field(default_factory=dict)
    signals: tuple[Signal, ...] = ()
    """All of them but silence, in the order in which they are told."""
    holidays: HolidayBook = field(default_factory=HolidayBook)

    @property
    def follows_fleet(self) -> bool:
        """Whether a line of these rules is a quantile of the fleet."""
        rules = (self.default, *self.segments.values())
        return any(each.line.quantile is not None for each in rules)

    def of_segment(self, segment: object) -> SegmentPolicy:
        """The rules of a profile's segment; the default ones for an unknown or absent segment."""
        return (
            self.segments.get(segment, self.default) if isinstance(segment, str) else self.default
        )
