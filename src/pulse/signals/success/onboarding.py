"""Stalled onboarding: a step that a new account should have reached by now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from pulse.engagement.days import DAY_MS, NEVER, NO_INSTANT, day_start
from pulse.engagement.facts import STEP
from pulse.model.time import format_ms
from pulse.signals.signal import Finding, Seen, Signal, count

if TYPE_CHECKING:
    from pulse.engagement.account import Account, OpenAlert

REASON: Final = "stalled_onboarding"


class Step(NamedTuple):
    """A step of the onboarding: reached with the first event of that name."""

    event: str
    within_ms: int
    """After the account's start."""


class StalledOnboarding(Signal):
    """A step was not reached in its time; due at the very instant.

    A step whose time was over before pulse knew of the account is left alone.
    """

    def __init__(self, steps: tuple[Step, ...]) -> None:
        super().__init__(REASON)
        self.steps = steps
        self.longest_ms = max([step.within_ms for step in steps], default=0)

    def look(self, seen: Seen, opened: OpenAlert | None) -> Finding | str | None:
        account = seen.account
        if opened is None and not self._concerns(account, seen.at_ms):
            return None
        start_ms, missing = account.started_ms(), list[Step]()
        known_ms = _known_ms(account)
        if opened is not None and opened.since_ms < known_ms:
            known_ms = opened.since_ms
        if start_ms != NO_INSTANT:
            for step in self.steps:
                due_ms = start_ms + step.within_ms
                if known_ms <= due_ms <= seen.at_ms and not _has_reached(account, step):
                    missing.append(step)
        if opened is not None:
            return None if missing else "recovered"
        if not missing:
            return None
        first = missing[0]
        days = first.within_ms // DAY_MS
        return Finding(
            start_ms + first.within_ms,
            f"has not reached {first.event} within {count(days, 'day')} of its start",
            {
                "missing": [step.event for step in missing],
                "reached": [step.event for step in self.steps if _has_reached(account, step)],
                "started_at": format_ms(start_ms),
                "due_at": format_ms(start_ms + first.within_ms),
            },
        )

    def next_ms(self, account: Account, after_ms: int) -> int:
        next_ms = NEVER
        if self._concerns(account, after_ms):
            start_ms, known_ms = account.started_ms(), _known_ms(account)
            if start_ms == NO_INSTANT:
                return NEVER
            for step in self.steps:
                due_ms = start_ms + step.within_ms
                if (
                    after_ms < due_ms < next_ms
                    and known_ms <= due_ms
                    and not _has_reached(account, step)
                ):
                    next_ms = due_ms
        return next_ms

    def _concerns(self, account: Account, at_ms: int) -> bool:
        """Whether a step may be due; for the many that it does not concern, at little cost."""
        # The profile may say another start than the first use.
        if account.profile is not None:
            return True
        first_ms = account.first_ms
        if first_ms == NO_INSTANT:
            return False
        if at_ms - first_ms <= self.longest_ms:
            return True
        # What fell due while its sources were stopped is told when they run again.
        unseen = account.sources.unseen
        if not unseen:
            return False
        return first_ms + self.longest_ms >= day_start(unseen[0], account.calendar.timezone)


def _known_ms(account: Account) -> int:
    """Since when it is known that the account began: its first use, or the profile's word on it."""
    known_ms, profile = account.first_ms, account.profile
    said = None if profile is None else profile.said().get("started_at")
    if said is not None and said[2] is not None and (known_ms == NO_INSTANT or said[0] < known_ms):
        known_ms = said[0]
    return known_ms


def _has_reached(account: Account, step: Step) -> bool:
    facts = account.facts
    return facts is not None and facts.word(STEP + step.event) is not None
