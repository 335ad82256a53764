"""What was opened and is not closed after a while: a ticket, a bug."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pulse.engagement.days import HOUR_MS, NEVER
from pulse.engagement.facts import BUG, TICKET
from pulse.engagement.working import earlier, later
from pulse.model.time import format_ms
from pulse.signals.signal import Finding, Seen, Signal, count

if TYPE_CHECKING:
    from pulse.engagement.account import Account, OpenAlert
    from pulse.engagement.holidays import HolidayBook

SUPPORT: Final = "support_waiting"
BUG_OPEN: Final = "bug_open"


class OpenThreads(Signal):
    """Something of `kind` was opened `after_ms` ago and is still open; due at the very instant.

    One alert for all of them, which ends when none of them waits so long any more.
    """

    def __init__(self, reason: str, kind: str, after_ms: int) -> None:
        super().__init__(reason, of_facts=True)
        self.kind = kind
        self.after_ms = after_ms

    def look(self, seen: Seen, opened: OpenAlert | None) -> Finding | str | None:
        facts = seen.account.facts
        waiting = [] if facts is None else facts.open(self.kind)
        if waiting:
            by_ms = self._due_if_by_ms(seen.account, seen.at_ms)
            waiting = [each for each in waiting if each[1] <= by_ms]
        if not waiting:
            return None if opened is None else "recovered"
        ref, since_ms = waiting[0]
        hours = (seen.at_ms - since_ms) // HOUR_MS
        others = f", and {len(waiting) - 1} more" if len(waiting) > 1 else ""
        return Finding(
            since_ms,
            self._says(f" {ref}" if ref else "", hours) + others,
            {
                "oldest": ref,
                "opened_at": format_ms(since_ms),
                "open_hours": hours,
                "waiting": len(waiting),
            },
        )

    def next_ms(self, account: Account, after_ms: int) -> int:
        facts = account.facts
        found = [] if facts is None else facts.open(self.kind)
        if found:
            by_ms = self._due_if_by_ms(account, after_ms)
            for _, since_ms in found:
                if since_ms > by_ms:
                    return self._due_ms(account, since_ms)
        return NEVER

    def _due_ms(self, account: Account, since_ms: int) -> int:
        """When what was opened at an instant has been open for too long."""
        return since_ms + self.after_ms

    def _due_if_by_ms(self, account: Account, at_ms: int) -> int:
        """What was opened by then is due at an instant: the inverse of `_due_ms`."""
        return at_ms - self.after_ms

    def _says(self, ref: str, hours: int) -> str:
        raise NotImplementedError  # tickets and bugs say it differently


class SupportWaiting(OpenThreads):
    """A ticket without a first answer; with `holidays`, only the time of working days counts."""

    def __init__(self, after_ms: int, holidays: HolidayBook | None = None) -> None:
        super().__init__(SUPPORT, TICKET, after_ms)
        self.holidays = holidays

    def _due_ms(self, account: Account, since_ms: int) -> int:
        if self.holidays is None:
            return since_ms + self.after_ms
        free = self.holidays.of(account.profile)
        return later(since_ms, self.after_ms, account.calendar.timezone, free)

    def _due_if_by_ms(self, account: Account, at_ms: int) -> int:
        if self.holidays is None:
            return at_ms - self.after_ms
        free = self.holidays.of(account.profile)
        return earlier(at_ms, self.after_ms, account.calendar.timezone, free)

    def _says(self, ref: str, hours: int) -> str:
        return f"a ticket{ref} has waited {count(hours, 'hour')} for a first answer"


class BugOpen(OpenThreads):
    """A bug that they reported and that is not closed."""

    def __init__(self, after_ms: int) -> None:
        super().__init__(BUG_OPEN, BUG, after_ms)

    def _says(self, ref: str, hours: int) -> str:
        return f"a bug{ref} that they reported has been open for {count(hours // 24, 'day')}"
