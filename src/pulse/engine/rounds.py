"""A partition's part in what is made for the whole fleet: see `pulse.engine.fleet`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from pulse.alerting.everybody.digest import REASON as DIGEST
from pulse.alerting.everybody.digest import FleetStanding
from pulse.engagement.days import DAY_MS
from pulse.engine.fleet import (
    LINE,
    SUMMARY,
    FleetLine,
    Summary,
    due_day,
    due_ms,
    line_of,
    read_line,
    read_summary,
    told,
    version,
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
    """Counts accounts, hands summaries on and takes lines, by one policy.

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
        if day > state.summed_day:
            state.summed_day = day
            self._add_to(state, Summary(version(day), due_ms(day), {}, {}), offset, fx)

    def activate(self, state: PartitionState, config: str, offset: int, fx: Effects) -> None:
        """From here on the policy is in force, under the name `config`."""
        was, state.config = state.config, config
        if was is None or was == config:
            return
        self._time.work_off(state, fx, limit=None)
        for account_id in sorted(state.ids()):
            if not state.is_ahead(account_id, offset):
                self._time.evaluate_by_other_rules(state, account_id, fx)
        if not state.partition and not state.historical:
            state.summed_config = config
            self._add_to(state, Summary(config, state.clock_ms or 0, None, {}), offset, fx)

    def digest(self, state: PartitionState, load: str, offset: int, fx: Effects) -> None:
        """Begin to say how the fleet stands; called where a load, or if empty a history, ended."""
        if state.partition or state.historical:
            return
        state.digested += 1
        name, standing = f"{DIGEST}-{state.digested}", FleetStanding(load, state.digested)
        self._add_to(state, Summary(name, state.clock_ms or 0, None, {}, standing), offset, fx)

    def take(
        self, state: PartitionState, kind: bytes, value: bytes, offset: int, fx: Effects
    ) -> bool:
        """Take a control record; False where it is none of these or cannot be read."""
        if kind == SUMMARY and (summary := read_summary(value)) is not None:
            if self._is_new(state, summary):
                self._add_to(state, summary, offset, fx)
            return True
        if kind == LINE and (line := read_line(value)) is not None:
            self._hold(state, line, fx)
            return True
        return False

    def _is_new(self, state: PartitionState, summary: Summary) -> bool:
        day, standing = summary.day, summary.standing
        if standing is not None:
            last, state.digested = state.digested, max(state.digested, standing.number)
            return standing.number > last
        if day is None:
            known, state.summed_config = state.summed_config, summary.version
            return known != summary.version
        if day <= state.summed_day:
            return False
        state.summed_day = day
        return True

    def _add_to(self, state: PartitionState, summary: Summary, offset: int, fx: Effects) -> None:
        """Add the accounts of this partition, and hand the summary on."""
        self._time.work_off(state, fx, limit=None)
        if summary.standing is not None:
            if offset >= state.guarded:
                standing = summary.standing.merged(summary.standing.of(_all(state)))
                # Every partition knows who was erased.
                standing = standing.without(lambda name: state.tombstone_of(name) is not None)
                self._hand_on(state, summary._replace(standing=standing), fx)
            return
        clock_ms, since_ms = state.clock_ms or 0, state.told_ms
        state.told_ms = clock_ms
        if offset < state.guarded:
            return
        # A day late it is of no use for a line: the next one is under way, or will be.
        day = summary.day
        in_time = summary.scores is not None and day is not None and due_day(clock_ms) <= day
        scores: dict[str, Counter[int]] = {}
        moved: Counter[str] = Counter()
        for account in _all(state):
            if since_ms < account.moved_ms <= clock_ms:
                moved[" → ".join(account.moved)] += 1
            score = self._judged_score(account, clock_ms) if in_time else None
            if score is not None:
                name = self._evaluator.rules.configured(account).name
                scores.setdefault(name, Counter())[int(score * 10 + 1e-6)] += 1
        self._hand_on(state, summary.merged(scores if in_time else None, moved), fx)

    def _hand_on(self, state: PartitionState, summary: Summary, fx: Effects) -> None:
        if state.partition is not None:
            fx.summaries.append(summary)
            return
        # One log, so all of the fleet: what would be written is known where it would be.
        alert, line = told(summary, 0, 1, self._policy), line_of(summary, self._policy)
        if alert is not None:
            fx.alerts.append(alert)
        if line is not None:
            self._hold(state, line, fx)

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
