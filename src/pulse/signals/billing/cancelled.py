"""Subscription cancelled: they have said that they leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pulse.engagement.days import NO_INSTANT
from pulse.model.time import format_ms
from pulse.signals.signal import Finding, Seen, Signal

if TYPE_CHECKING:
    from pulse.engagement.account import OpenAlert

REASON: Final = "subscription_cancelled"


class SubscriptionCancelled(Signal):
    """Begins when they cancel, and ends when they come back. The account has churned meanwhile."""

    def __init__(self) -> None:
        super().__init__(REASON, of_facts=True)

    def look(self, seen: Seen, opened: OpenAlert | None) -> Finding | str | None:
        facts = seen.account.facts
        since_ms = NO_INSTANT if facts is None else facts.cancelled_ms
        if since_ms == NO_INSTANT:
            return None if opened is None else "recovered"
        at = format_ms(since_ms)
        return Finding(since_ms, f"the subscription was cancelled at {at}", {"cancelled_at": at})
