"""Check-in overdue: nobody of ours has spoken with them for long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pulse.engagement.days import DAY_MS, NEVER
from pulse.engagement.facts import CHECK_IN
from pulse.model.time import format_ms
from pulse.signals.signal import Finding, Seen, Signal, count

if TYPE_CHECKING:
    from pulse.engagement.account import Account, OpenAlert

REASON: Final = "check_in_overdue"


class CheckInOverdue(Signal):
    """`after_ms` without a human touch; for accounts that had one, since others get none."""

    def __init__(self, after_ms: int) -> None:
        super().__init__(REASON, of_facts=True)
        self.after_ms = after_ms

    def look(self, seen: Seen, opened: OpenAlert | None) -> Finding | str | None:
        facts = seen.account.facts
        word = None if facts is None else facts.word(CHECK_IN)
        if word is None or seen.at_ms < word.ts_ms + self.after_ms:
            return None if opened is None else "recovered"
        days = self.after_ms // DAY_MS
        return Finding(
            word.ts_ms,
            f"has had no check-in for {count(days, 'day')}",
            {"last_check_in_at": format_ms(word.ts_ms), "after_days": days},
        )

    def next_ms(self, account: Account, after_ms: int) -> int:
        facts = account.facts
        word = None if facts is None else facts.word(CHECK_IN)
        if word is None or word.ts_ms + self.after_ms <= after_ms:
            return NEVER
        return word.ts_ms + self.after_ms
