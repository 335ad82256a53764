"""A load into a live system: events of the past, while ticks and events of now go on.

Control records say that a load goes on, and that it has ended; lines of it have a header that says
so (`LOAD_HEADER`). An account that such a line touches is marked (`pulse.engagement.load`), and its
alerts are held until the load has ended. Then it is brought to where its score puts it: what a load
brings is no news that a dwell should keep for later. A load of which nothing more comes has ended
too: nobody stays muted because it was interrupted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pulse.alerting.alert import build
from pulse.engagement.days import DAY_MS
from pulse.engine.control import LOAD, read_load
from pulse.engine.placing import place
from pulse.engine.seeing import circumstances

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulse.engagement.account import Account
    from pulse.engine.evaluate import Evaluator
    from pulse.engine.policy import Policy
    from pulse.engine.rounds import Rounds
    from pulse.engine.state import Effects, PartitionState
    from pulse.engine.timekeeper import Timekeeper

PATIENCE_MS: Final = DAY_MS
"""A load has ended when for so long no record said that it goes on, by the log's clock."""


class Loading:
    """Takes what is said of loads, by one policy."""

    def __init__(
        self, policy: Policy, evaluator: Evaluator, time: Timekeeper, rounds: Rounds
    ) -> None:
        self._policy = policy
        self._evaluator = evaluator
        self._time = time
        self._rounds = rounds

    def take(
        self, state: PartitionState, kind: bytes, value: bytes, offset: int, fx: Effects
    ) -> bool:
        """Take a control record; False where it cannot be read."""
        said = read_load(value)
        if said is None:
            return False
        load = said.load
        if kind == LOAD:
            state.loads = {**state.loads, load: state.clock_ms or 0}
        elif load in state.loads:
            self._end(state, load, offset, fx)
        return True

    def ticked(self, state: PartitionState, offset: int, fx: Effects) -> None:
        """End what has been interrupted for too long; called after each tick while loads go on."""
        clock_ms = state.clock_ms or 0
        # What was said before the first tick counts from there.
        state.loads = {load: last_ms or clock_ms for load, last_ms in state.loads.items()}
        for load, last_ms in sorted(state.loads.items()):
            if clock_ms - last_ms >= PATIENCE_MS:
                self._end(state, load, offset, fx)

    def _end(self, state: PartitionState, load: str, offset: int, fx: Effects) -> None:
        # What was due before was so within it.
        self._time.work_off(state, fx, limit=None)
        state.loads = {each: at_ms for each, at_ms in state.loads.items() if each != load}
        for account_id in sorted(_marked(state, load)):
            if not state.is_ahead(account_id, offset):
                self._release(state, account_id, load, fx)
        self._rounds.digest(state, load, offset, fx)

    def _release(self, state: PartitionState, account_id: str, load: str, fx: Effects) -> None:
        """Tell what is to be told of an account, and let its alerts be sent from here on."""
        account = state.live.get(account_id)
        was_folded = account is None
        if account is None:
            account = state.folded[account_id].unfold()
        mark = account.load
        if mark is None or load not in mark.on:
            return
        if mark.on != [load]:
            mark.release(load)  # another one goes on
            state.touch(account)
            if was_folded:
                state.fold(account)
            return
        # What its last lines changed belongs to the load, and so does where that puts it: at once,
        # since a dwell would tell of it later as if it were news.
        self._time.close_minute(state, account, fx)
        clock_ms = state.clock_ms or 0
        if not account.parked and clock_ms:
            at_ms = max(clock_ms, account.front_ms, account.calendar.start_ms)
            place(self._evaluator, account, at_ms, state.historical, fx)
            self._time.look_again(state, account, clock_ms, fx)
        self._tell(state, account, fx)
        mark.release(load)
        mark.ended = []
        if mark.is_over():
            account.load = None
        state.touch(account)
        self._time.schedule(state, account)
        if was_folded:
            state.fold(account)

    def _tell(self, state: PartitionState, account: Account, fx: Effects) -> None:
        """Tell the ends of alerts of which receivers know that they began."""
        mark, policy = account.load, self._policy
        if mark is None or not mark.ended:
            return
        at_ms = max(state.clock_ms or 0, account.front_ms, account.calendar.start_ms)
        view, holidays = self._evaluator.view(account, at_ms), self._evaluator.holidays_of(account)
        what = circumstances(
            account, view, account.zone, at_ms, state.historical, holidays, policy.activity
        )
        for reason, opened, resolution in mark.ended:
            how: Any = resolution
            play = policy.plays.get(reason)
            fx.alerts.append(build(reason, opened, how, what, play, policy.version))


def _marked(state: PartitionState, load: str) -> Iterator[str]:
    """The accounts that may be marked, as their bytes tell."""
    name = load.encode()
    for account_id, folded in state.folded.items():
        if name in folded.past:
            yield account_id
    for account_id, account in state.live.items():
        if account.load is not None:
            yield account_id
