"""Renewal near: the contract ends soon, and the account is in danger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pulse.engagement.days import DAY_MS, NEVER, NO_INSTANT
from pulse.model.time import format_ms
from pulse.signals.signal import Finding, Seen, Signal, count

if TYPE_CHECKING:
    from pulse.engagement.account import Account, OpenAlert

REASON: Final = "renewal_at_risk"


class RenewalAtRisk(Signal):
    """In danger within `before_ms` of the renewal that the profile names."""

    def __init__(self, before_ms: int) -> None:
        super().__init__(REASON)
        self.before_ms = before_ms

    def look(self, seen: Seen, opened: OpenAlert | None) -> Finding | str | None:
        account = seen.account
        if opened is None and account.zone != "danger":
            return None
        renewal_ms = _renewal_ms(account)
        if opened is not None:
            if account.zone not in ("danger", "unknown"):
                return "recovered"
            if seen.at_ms >= renewal_ms:
                return "passed"
            return None if seen.at_ms >= renewal_ms - self.before_ms else "recovered"
        if not renewal_ms - self.before_ms <= seen.at_ms < renewal_ms:
            return None
        days = -(-(renewal_ms - seen.at_ms) // DAY_MS)
        return Finding(
            max(renewal_ms - self.before_ms, account.danger.since_ms),
            f"renews in {count(days, 'day')} and is in danger",
            {"renewal_at": format_ms(renewal_ms), "days_left": days},
        )

    def next_ms(self, account: Account, after_ms: int) -> int:
        if account.zone != "danger" and REASON not in account.alerts:
            return NEVER
        renewal_ms = _renewal_ms(account)
        if renewal_ms == NEVER:
            return NEVER
        if after_ms < renewal_ms - self.before_ms:
            return renewal_ms - self.before_ms
        return renewal_ms if after_ms < renewal_ms else NEVER


def _renewal_ms(account: Account) -> int:
    profile = account.profile
    if profile is None or profile.renewal_ms == NO_INSTANT:
        return NEVER
    return profile.renewal_ms
