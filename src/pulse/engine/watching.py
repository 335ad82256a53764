"""The signals of a policy: whose turn it is to look at an account, and what follows from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulse.engagement.account import Account, OpenAlert
from pulse.engagement.days import NEVER
from pulse.engagement.windows import THEN_DAYS
from pulse.signals.billing.cancelled import REASON as CANCELLED
from pulse.signals.signal import Finding, Seen, Signal
from pulse.signals.usage.drop import REASON as USAGE_DROP

if TYPE_CHECKING:
    from pulse.model.alert import Resolution

Change = tuple[str, OpenAlert, "Resolution | None", Finding | None]
"""A reason whose alert has opened or, with a resolution, closed; and what a signal found."""


class Watch:
    """Signals by when they look; silence, which has a rule of its own, is not among them."""

    def __init__(self, signals: tuple[Signal, ...]) -> None:
        self._daily = [each for each in signals if each.daily]
        self._of_facts = [each for each in signals if each.of_facts]
        self._always = [each for each in signals if not each.daily and not each.of_facts]

    def is_needed(self, account: Account, day: bool) -> bool:
        """Whether any of them is to look at the account, at the start of its day or not."""
        return account.facts is not None or bool(self._always) or (day and bool(self._daily))

    def next_due(self, account: Account, after_ms: int) -> int:
        """The next instant after `after_ms` at which one begins or ends without any event."""
        next_ms = _first(self._always, account, after_ms, NEVER)
        if account.facts is not None:
            next_ms = _first(self._of_facts, account, after_ms, next_ms)
        return next_ms

    def next_finding(self, account: Account, after_ms: int) -> int:
        """The next instant from which on a day start may find something without any event."""
        return _first(self._daily, account, after_ms, NEVER)

    def look(self, seen: Seen, day: bool, changes: list[Change]) -> None:
        """Let the signals look at an account, each when it is its turn."""
        if seen.stage == "churned":
            # It has left. Nothing more is raised but that it said so.
            for signal in self._of_facts:
                if signal.reason == CANCELLED:
                    _ask(signal, seen, changes)
            return
        if seen.account.facts is not None:
            if day:
                seen.account.facts.forget(seen.at_ms)
            for signal in self._of_facts:
                _ask(signal, seen, changes)
        sources = seen.account.sources
        if sources.frozen:
            return
        for signal in self._always:
            _ask(signal, seen, changes)
        if day:
            lacks = sources.missed(seen.account.calendar.day, THEN_DAYS) > 0
            alerts = seen.account.alerts
            for signal in self._daily:
                # Who was not seen on a day may have been there; a drop is told without it. That
                # somebody is back is certain.
                if not lacks or signal.reason == USAGE_DROP or signal.reason in alerts:
                    _ask(signal, seen, changes)


def _first(signals: list[Signal], account: Account, after_ms: int, next_ms: int) -> int:
    for signal in signals:
        due_ms = signal.next_ms(account, after_ms)
        next_ms = due_ms if due_ms < next_ms else next_ms
    return next_ms


def _ask(signal: Signal, seen: Seen, changes: list[Change]) -> None:
    alerts, reason = seen.account.alerts, signal.reason
    opened = alerts.get(reason) if alerts else None
    found = signal.look(seen, opened)
    if found is None:
        return
    if isinstance(found, Finding):
        if opened is not None:
            if not found.again:
                return
            changes.append((reason, opened, "escalated", None))
        since_ms = min(found.since_ms, seen.at_ms)
        alerts[reason] = OpenAlert(seen.at_ms, since_ms, found.about)
        changes.append((reason, alerts[reason], None, found))
    elif opened is not None:
        del alerts[reason]
        resolution: Any = found
        changes.append((reason, opened, resolution, None))
