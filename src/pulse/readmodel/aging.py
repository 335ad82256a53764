"""Accounts whose stage of life changes by the mere passing of time.

An account that nobody uses any more is not looked at by the engine when nothing can follow from it.
Who reads still wants to see it become dormant, and leave.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pulse.engagement.account import Account
    from pulse.engagement.lifecycle import LifecycleRule


class Aging:
    """Remembers when to look at the accounts of one partition again.

    Call `note` with every account that is described, and describe those that `due` gives.
    """

    def __init__(self, rule: LifecycleRule) -> None:
        self._rule = rule
        self._heap: list[tuple[int, str]] = []
        self._waiting: dict[str, int] = {}

    def note(self, account: Account, at_ms: int) -> None:
        """An account was described as of an instant."""
        account_id, due_ms = account.account_id, next_stage_ms(self._rule, account, at_ms)
        # What is put off, as each event does, is found when it would have been due.
        if due_ms is not None and due_ms < self._waiting.get(account_id, due_ms + 1):
            self._waiting[account_id] = due_ms
            heapq.heappush(self._heap, (due_ms, account_id))

    def due(self, clock_ms: int) -> list[str]:
        """The accounts to describe again, for their stage may have changed by now."""
        found: list[str] = []
        while self._heap and self._heap[0][0] <= clock_ms:
            due_ms, account_id = heapq.heappop(self._heap)
            if self._waiting.get(account_id) == due_ms:
                del self._waiting[account_id]
                found.append(account_id)
        return found


def next_stage_ms(rule: LifecycleRule, account: Account, at_ms: int) -> int | None:
    """The next instant after `at_ms` at which the stage changes without use; None if never."""
    first_ms, last_ms, resurrected_ms = account.first_ms, account.last_ms, account.resurrected_ms
    if first_ms is None or last_ms is None:
        return None
    ends = [
        first_ms + rule.new_ms,
        last_ms + rule.dormant_after_ms,
        last_ms + rule.churned_after_ms,
    ]
    if resurrected_ms is not None:
        ends.append(resurrected_ms + rule.dormant_after_ms)
    return min((end for end in ends if end > at_ms), default=None)
