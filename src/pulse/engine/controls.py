"""Control records → state: which room takes which kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pulse.engine.arrival import ARRIVAL
from pulse.engine.control import FORGET, LOAD, LOADED, RENAME, is_of_running_clock, tick_time
from pulse.engine.forgetting import Forgetting
from pulse.engine.loading import Loading
from pulse.engine.outages import Pipeline
from pulse.model.wire import MAX_TS_MS

if TYPE_CHECKING:
    from pulse.engine.columns import Columns
    from pulse.engine.evaluate import Evaluator
    from pulse.engine.intake import Intake
    from pulse.engine.policy import Policy
    from pulse.engine.renaming import Renaming
    from pulse.engine.rounds import Rounds
    from pulse.engine.state import Effects, PartitionState
    from pulse.engine.timekeeper import Timekeeper

TICK_AHEAD_MS: Final = 5_000
"""A tick further ahead of the broker's append time is refused."""


class Controls:
    """Takes control records, by one policy; those that put a configuration in force are the
    engine's, which may stop there.
    """

    def __init__(
        self,
        policy: Policy,
        evaluator: Evaluator,
        time: Timekeeper,
        rounds: Rounds,
        renaming: Renaming,
        intake: Intake,
    ) -> None:
        self._evaluator = evaluator
        self._time = time
        self._rounds = rounds
        self._renaming = renaming
        self._intake = intake
        self._pipeline = Pipeline(policy, time)
        self._forgetting = Forgetting(policy, evaluator, time)
        self._loading = Loading(policy, evaluator, time, rounds)

    def take(
        self, state: PartitionState, kind: bytes, columns: Columns, at: int, fx: Effects
    ) -> None:
        """Take the record at a place; one that nobody can read is counted."""
        if not self._take(state, kind, columns, at, fx):
            fx.counts["unknown_control"] += 1

    def _take(
        self, state: PartitionState, kind: bytes, columns: Columns, at: int, fx: Effects
    ) -> bool:
        value, offset = columns.values[at] or b"", columns.offsets[at]
        latest_ms = _latest_tick_ms(columns.timestamps[at])
        if kind == b"tick":
            ts = tick_time(value)
            if state.historical and is_of_running_clock(value):
                # While the past is played it is not now, whoever else ticks.
                fx.counts["ticks_passed_over"] += 1
            elif ts is None or not 0 <= ts <= latest_ms:
                fx.counts["ticks_refused"] += 1
            else:
                self._tick(state, ts, offset, fx)
            return True
        if kind in (b"history", b"live"):
            # What was due before belongs to what was before, also where a tick left it for later.
            self._time.work_off(state, fx, limit=None)
            was_historical, state.historical = state.historical, kind == b"history"
            if was_historical and not state.historical:
                self._rounds.digest(state, "", offset, fx)
            return True
        if kind == b"source":
            return self._pipeline.take(state, value, offset, latest_ms, fx)
        if kind in (LOAD, LOADED):
            return self._loading.take(state, kind, value, offset, fx)
        if kind == FORGET:
            return self._forgetting.take(state, value, offset, fx)
        if kind == RENAME:
            return self._renaming.take(state, value, offset, fx)
        if kind == ARRIVAL:
            return self._arrive(state, value, columns, at, fx)
        return self._rounds.take(state, kind, value, offset, fx)

    def _tick(self, state: PartitionState, at_ms: int, offset: int, fx: Effects) -> None:
        self._time.tick(state, at_ms, fx)
        if self._evaluator.follows_fleet:
            self._rounds.ticked(state, offset, fx)
        if state.loads:
            self._loading.ticked(state, offset, fx)

    def _arrive(
        self, state: PartitionState, value: bytes, columns: Columns, at: int, fx: Effects
    ) -> bool:
        origin = columns.origin(at)
        if origin is None:
            return False
        if not self._intake.is_first(state, columns, at):
            fx.counts["duplicates"] += 1
            return True
        return self._renaming.arrive(state, value, columns.offsets[at], origin[2], fx)


def _latest_tick_ms(appended_ms: int | None) -> int:
    if appended_ms is None or appended_ms < 0:
        return MAX_TS_MS
    return min(appended_ms + TICK_AHEAD_MS, MAX_TS_MS)
