"""Erasing an account, or a user: what a control record in the partition does to its state.

An account goes whole. In its page a tombstone stands in its place: a hash, by which what comes of
it later is dropped. A user's name goes from everything that an account knows, while counts stay as
they are; its tombstone stands in a page too. A tombstone holds for records behind the one that made
it: what is read again from before it is counted as it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pulse.alerting.alert import build
from pulse.engagement.account import Account
from pulse.engagement.days import Calendar, day_of
from pulse.engine.control import read_forget
from pulse.engine.seeing import circumstances
from pulse.engine.tombstones import Tombstone, tombstone_key
from pulse.signals.usage.champion import REASON as CHAMPION
from pulse.signals.voice.detractor import REASON as DETRACTOR

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pulse.engagement.account import OpenAlert
    from pulse.engine.evaluate import Evaluator
    from pulse.engine.policy import Policy
    from pulse.engine.state import Effects, PartitionState
    from pulse.engine.timekeeper import Timekeeper

_OF_USERS: Final = (CHAMPION, DETRACTOR)
"""Reasons of alerts that are about a user."""


class Forgetting:
    """Takes what is to be forgotten, by one policy."""

    def __init__(self, policy: Policy, evaluator: Evaluator, time: Timekeeper) -> None:
        self._policy = policy
        self._evaluator = evaluator
        self._time = time

    def take(self, state: PartitionState, value: bytes, offset: int, fx: Effects) -> bool:
        """Take a control record; False where it cannot be read."""
        said = read_forget(value)
        if said is None:
            return False
        # What was due before was so before it was forgotten.
        self._time.work_off(state, fx, limit=None)
        at_ms = said.ts if state.clock_ms is None else state.clock_ms
        if said.user is None:
            assert said.account is not None
            self._forget_account(state, said.account, at_ms, offset, fx)
            return True
        for account_id in _knowing(state, said.account, said.user):
            if not state.is_ahead(account_id, offset):
                self._forget_user(state, account_id, said.user, at_ms, fx)
        key = tombstone_key(said.account or "", said.user)
        if key not in state.forgotten:
            state.bury(key, Tombstone(offset, at_ms), state.page_for_new(offset))
        return True

    def _forget_account(
        self, state: PartitionState, account_id: str, at_ms: int, offset: int, fx: Effects
    ) -> None:
        key = tombstone_key(account_id, None)
        # Said again, it is also taken again out of what people look at.
        state.gone.add(account_id)
        for each, tombstone in list(state.forgotten.items()):
            if tombstone.to == account_id and tombstone.offset < offset:
                self._lead_nowhere(state, each, offset, at_ms)
        account = state.find(account_id)
        if account is None:
            known = state.forgotten.get(key)
            if known is None:
                state.bury(key, Tombstone(offset, at_ms), state.page_for_new(offset))
            elif known.to and known.offset < offset:
                self._lead_nowhere(state, key, offset, at_ms)
            return
        held = [] if account.load is None else [each[:2] for each in account.load.ended]
        self._end(state, account, [*sorted(account.alerts.items()), *held], at_ms, fx)
        state.replace(account, key, Tombstone(offset, at_ms))

    def _lead_nowhere(self, state: PartitionState, key: str, offset: int, at_ms: int) -> None:
        """Nothing goes on from a renamed account any more, nor is it told where that went."""
        state.forgotten[key] = Tombstone(offset, at_ms)
        state.page_of(key).dirty = True

    def _forget_user(
        self, state: PartitionState, account_id: str, user: str, at_ms: int, fx: Effects
    ) -> None:
        account = state.find(account_id)
        assert account is not None
        changed = account.users.forget(user)
        if account.facts is not None and account.facts.forget_user(user):
            changed = account.force = True
        ending: list[tuple[str, OpenAlert]] = [
            (reason, account.alerts[reason])
            for reason in _OF_USERS
            if reason in account.alerts and account.alerts[reason].about == user
        ]
        mark = account.load
        for reason, _ in ending:
            del account.alerts[reason]
            if mark is not None:
                mark.began.pop(reason, None)
        if mark is not None:
            ending += mark.forget_user(user)
        if ending:
            self._end(state, account, ending, at_ms, fx)
        if changed or ending:
            state.touch(account)
            self._time.schedule(state, account)

    def _end(
        self,
        state: PartitionState,
        account: Account,
        alerts: Sequence[tuple[str, OpenAlert]],
        at_ms: int,
        fx: Effects,
    ) -> None:
        """End alerts, saying nothing of the account any more but its id."""
        timezone = self._policy.timezone
        at_ms = max(at_ms, account.front_ms, account.calendar.start_ms)
        blank = Account(account.account_id, Calendar(timezone, day_of(at_ms, timezone)))
        view = self._evaluator.view(blank, at_ms)
        what = circumstances(
            blank, view, account.zone, at_ms, state.historical, None, self._policy.activity
        )
        what.score, what.contributions = None, {}
        for reason, opened in alerts:
            play = self._policy.plays.get(reason)
            fx.alerts.append(build(reason, opened, "forgotten", what, play, self._policy.version))


def _knowing(state: PartitionState, account_id: str | None, user: str) -> Iterable[str]:
    """The accounts that may have a user's name, as their bytes tell."""
    if account_id is not None:
        return [account_id] if state.knows(account_id) else []
    name = user.encode()
    found = [each for each, folded in state.folded.items() if name in folded.past]
    return sorted([*state.live, *found])
