"""A partition's part in what is made for the whole fleet: see `pulse.engine.fleet`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from pulse.engagement.days import DAY_MS
from pulse.engine.fleet import (
    LINE,
    SUMMARY,
    FleetLine,
    Summary,
    due_day,
    line_of,
    read_line,
    read_summary,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulse.engagement.account import Account
    from pulse.engine.evaluate import Evaluator
    from pulse.engine.policy import Policy
    from pulse.engine.state import Effects, PartitionState
    from pulse.engine.timekeeper import Timekeeper

KEPT_MS: Final = 2 * DAY_MS
"""A day that began longer ago than that has begun for every account."""


class Rounds:
    """Counts scores, hands summaries on and takes lines, by one policy.

    A partition's state is ahead of its log where the log is read again after a restart. What was
    to be written at such a place was acknowledged before the state was, so it is not written again.
    """

    def __init__(self, policy: Policy, evaluator: Evaluator, time: Timekeeper) -> None:
        self._policy = policy
        self._evaluator = evaluator
        self._time = time

    def ticked(self, state: PartitionState, offset: int, fx: Effects) -> None:
        """Begin a round if it is time; called after each tick where a line follows the fleet."""
        if state.partition or state.clock_ms is None or state.historical:
            return
        day = due_day(state.clock_ms)
        if day <= state.summed_day:
            return
        scores = self._count(state, day, offset, fx)
        if scores is None:
            return
        summary = Summary(day, scores)
        if state.partition is None:
            # One log, so all of the fleet: the line is known where a record would be written.
            self._hold(state, line_of(summary, self._policy), fx)
        else:
            fx.summaries.append(summary)

    def take(
        self, state: PartitionState, kind: bytes, value: bytes, offset: int, fx: Effects
    ) -> bool:
        """Take a control record; False where it is none of these or cannot be read."""
        if kind == SUMMARY:
            summary = read_summary(value)
            if summary is None:
                return False
            self._add_to(state, summary, offset, fx)
            return True
        if kind == LINE:
            line = read_line(value)
            if line is None:
                return False
            self._hold(state, line, fx)
            return True
        return False

    def _add_to(self, state: PartitionState, summary: Summary, offset: int, fx: Effects) -> None:
        if summary.day <= state.summed_day or not self._evaluator.follows_fleet:
            return
        if due_day(state.clock_ms or 0) > summary.day:
            # It is of no use a day late: the next one is under way, or will be.
            state.summed_day = summary.day
            return
        scores = self._count(state, summary.day, offset, fx)
        if scores is not None:
            fx.summaries.append(summary.merged(scores))

    def _hold(self, state: PartitionState, line: FleetLine, fx: Effects) -> None:
        """Keep a line for the accounts whose day begins from now on."""
        if state.lines and line.day <= state.lines[-1].day:
            return  # a repeat
        # Whose day has begun before keeps its line, also where a tick left it for later.
        self._time.work_off(state, fx, limit=None)
        begun_ms = (state.clock_ms or 0) - KEPT_MS
        last = next((e for e in reversed(state.lines) if e.effective_ms <= begun_ms), None)
        kept = [each for each in state.lines if each is last or each.effective_ms > begun_ms]
        state.lines = [*kept, line]
        fx.counts["lines"] += 1

    def _count(
        self, state: PartitionState, day: int, offset: int, fx: Effects
    ) -> dict[str, dict[int, int]] | None:
        """The scores of the partition's accounts; None where they were counted before."""
        self._time.work_off(state, fx, limit=None)
        state.summed_day = day
        if offset < state.guarded:
            return None
        at_ms = state.clock_ms or 0
        found: dict[str, Counter[int]] = {}
        for account in _all(state):
            score = self._judged_score(account, at_ms)
            if score is not None:
                name = self._evaluator.configured_rules_of(account).name
                found.setdefault(name, Counter())[int(score * 10 + 1e-6)] += 1
        return {name: dict(found[name]) for name in sorted(found)}

    def _judged_score(self, account: Account, at_ms: int) -> float | None:
        """The score at the start of the account's day; None where no line judges it."""
        if not account.known or self._evaluator.lifecycle(account, at_ms) == "churned":
            return None
        today = account.calendar.day
        return account.notes.score_on(today, today)


def _all(state: PartitionState) -> Iterator[Account]:
    yield from state.live.values()
    for folded in state.folded.values():
        yield folded.unfold()
