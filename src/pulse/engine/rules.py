"""The rules of one segment, as accounts are judged by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pulse.engine.fleet import DEFAULT, version
from pulse.engine.policy import SegmentPolicy

if TYPE_CHECKING:
    from pulse.engagement.account import Account
    from pulse.engagement.line import Line
    from pulse.engagement.scorecard import Scorecard
    from pulse.engine.policy import Policy

_MOST_LAID: Final = 100
"""Lines of the fleet that are kept at hand."""


class Rules:
    """The rules of one segment, with everything looked up that is needed for each account."""

    __slots__ = (
        "approach", "approach_exit", "dwell_ms", "enter", "exit", "follows_fleet", "forecast_days",
        "laid", "line", "min_active_days", "min_history_ms", "name", "scorecard",
    )  # fmt: skip

    def __init__(self, policy: SegmentPolicy, name: str = DEFAULT) -> None:
        line: Line = policy.line
        self.name: str = name
        """The segment's."""
        self.follows_fleet: bool = line.quantile is not None
        self.laid: dict[tuple[int, int], Rules] = {}
        """The same rules with lines of the fleet."""
        self.scorecard: Scorecard = policy.scorecard
        self.line: Line = line
        self.enter: float = float(line.enter)
        self.exit: float = float(line.exit)
        self.approach: float = float(line.approach)
        self.approach_exit: float = float(line.approach_exit)
        self.dwell_ms: int = line.dwell_ms
        self.forecast_days: int = line.forecast_days
        self.min_history_ms: int = line.min_history_ms
        self.min_active_days: int = line.min_active_days

    def with_line(self, day: int, enter: int) -> Rules:
        """The rules with the line of a UTC day, whose `enter` is in tenths."""
        found = self.laid.get((day, enter))
        if found is None:
            if len(self.laid) >= _MOST_LAID:
                self.laid.clear()
            line = self.line.at(enter / 10.0, version(day))
            found = self.laid[day, enter] = Rules(SegmentPolicy(self.scorecard, line), self.name)
        return found


class Rulebook:
    """Which rules hold for which account."""

    def __init__(self, policy: Policy) -> None:
        self._default = Rules(policy.default)
        self._segments = {name: Rules(each, name) for name, each in policy.segments.items()}

    def of(self, account: Account) -> Rules:
        """The rules of the account's segment."""
        rules = self.configured(account)
        if account.line_day and rules.follows_fleet:
            return rules.with_line(account.line_day, account.line_enter)
        return rules

    def configured(self, account: Account) -> Rules:
        """The same, with the line as it is configured."""
        profile = account.profile
        if profile is None or not profile.segment:
            return self._default
        return self._segments.get(profile.segment, self._default)

    def lay(self, account: Account, lines: list[Any]) -> bool:
        """Give an account whose day begins the latest of the fleet's lines that holds by then.

        Whether its danger begins elsewhere now.
        """
        was = self.of(account).enter
        start_ms = account.calendar.start_ms
        for n in range(len(lines) - 1, -1, -1):
            line = lines[n]
            if line.effective_ms <= start_ms:
                enter = line.enter.get(self.configured(account).name)
                if enter is None:
                    account.line_day = account.line_enter = 0
                else:
                    account.line_day, account.line_enter = line.day, enter
                break
        return self.of(account).enter != was
