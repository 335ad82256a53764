"""Payment failed: the latest word on the account's payments is that one failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pulse.engagement.facts import PAYMENT
from pulse.model.time import format_ms
from pulse.signals.signal import Finding, Seen, Signal

if TYPE_CHECKING:
    from pulse.engagement.account import OpenAlert

REASON: Final = "payment_failed"


class PaymentFailed(Signal):
    """Begins with a failed payment, ends with one that succeeds."""

    def __init__(self) -> None:
        super().__init__(REASON, of_facts=True)

    def look(self, seen: Seen, opened: OpenAlert | None) -> Finding | str | None:
        facts = seen.account.facts
        word = None if facts is None else facts.word(PAYMENT)
        if word is None or not word.value:
            return None if opened is None else "recovered"
        at = format_ms(word.ts_ms)
        return Finding(word.ts_ms, f"a payment failed at {at}", {"failed_at": at})
