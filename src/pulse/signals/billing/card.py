"""Card expiring: the card on file ends soon, and payments will fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pulse.engagement.days import DAY_MS, NEVER
from pulse.engagement.facts import CARD
from pulse.model.time import format_ms
from pulse.signals.signal import Finding, Seen, Signal, count

if TYPE_CHECKING:
    from pulse.engagement.account import Account, OpenAlert

REASON: Final = "card_expiring"


class CardExpiring(Signal):
    """Told at each of `before_days` (most first) before the card expires.

    Each time as a new alert, and also where another card expires as soon; the one before ends as
    `escalated`. A card that lasts longer ends it.
    """

    def __init__(self, before_days: tuple[int, ...]) -> None:
        super().__init__(REASON, of_facts=True)
        self.before_days = tuple(sorted(before_days, reverse=True))

    def look(self, seen: Seen, opened: OpenAlert | None) -> Finding | str | None:
        expires_ms = _expires_ms(seen.account)
        stage = self._stage(expires_ms, seen.at_ms)
        if not stage:
            return None if opened is None else "recovered"
        since_ms = expires_ms - self.before_days[stage - 1] * DAY_MS
        days = max(-((seen.at_ms - expires_ms) // DAY_MS), 0)
        return Finding(
            since_ms,
            f"the card expires in {count(days, 'day')}" if days else "the card has expired",
            {"expires_at": format_ms(expires_ms), "days_left": days},
            again=opened is not None and opened.since_ms != since_ms,
        )

    def next_ms(self, account: Account, after_ms: int) -> int:
        expires_ms = _expires_ms(account)
        if expires_ms != NEVER:
            for days in self.before_days:
                if after_ms < expires_ms - days * DAY_MS:
                    return expires_ms - days * DAY_MS
        return NEVER

    def _stage(self, expires_ms: int, at_ms: int) -> int:
        """How many of `before_days` have begun."""
        stage = 0
        if expires_ms != NEVER:
            for days in self.before_days:
                if at_ms >= expires_ms - days * DAY_MS:
                    stage += 1
        return stage


def _expires_ms(account: Account) -> int:
    word = None if account.facts is None else account.facts.word(CARD)
    return NEVER if word is None or not isinstance(word.value, int) else word.value
