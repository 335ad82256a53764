"""What a signal is: a reason to alert, found by looking at an account at an instant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulse.engagement.days import NEVER

if TYPE_CHECKING:
    from pulse.engagement.account import Account, OpenAlert
    from pulse.engagement.distinct import LastSeen, Mark
    from pulse.engagement.holidays import Holidays
    from pulse.engagement.lifecycle import Lifecycle
    from pulse.engagement.measures import Measures


class Seen:
    """An account at an instant, as a signal sees it."""

    __slots__ = ("account", "active_days", "at_ms", "fixed", "holidays", "now", "score", "stage")

    def __init__(
        self,
        account: Account,
        at_ms: int,
        now: Measures,
        fixed: Measures,
        score: float | None,
        stage: Lifecycle,
        active_days: int,
        holidays: Holidays | None = None,
    ) -> None:
        self.account = account
        self.at_ms = at_ms
        self.now = now
        self.fixed = fixed
        """The measures over complete days."""
        self.score = score
        self.stage = stage
        self.active_days = active_days
        """Over the account's whole life."""
        self.holidays = holidays
        """Those that hold for the account, if any do; days on which it was not observed as well."""

    def is_mostly_free(self, days: int) -> bool:
        """Whether the last so many days were holidays, or not observed, for the most part."""
        if self.holidays is None:
            return False
        today = self.account.calendar.day
        return self.holidays.are_most(today - days, today)

    def is_missed(self, mark: Mark, after_days: int) -> bool:
        """Whether a user or a feature was not seen for so many complete days, holidays aside."""
        today, due = self.account.calendar.day, mark.last + after_days
        if today <= due or self.holidays is None:
            return today > due
        return today > self.holidays.put_off(mark.last, after_days)


class Finding:
    """A signal holds: since when, what shows it, and how it is said after the account's name.

    `again`: it is another than when its alert began, which is told by a new alert. `about`: the
    user or the feature, by which its end is known.
    """

    __slots__ = ("about", "again", "evidence", "says", "since_ms")

    def __init__(
        self,
        since_ms: int,
        says: str,
        evidence: dict[str, Any],
        *,
        again: bool = False,
        about: str = "",
    ) -> None:
        self.since_ms = since_ms
        self.says = says
        self.evidence = evidence
        self.again = again
        self.about = about


class Signal:
    """One reason to alert.

    `daily` ones are looked at when an account's day starts; those `of_facts` whenever the account
    is evaluated and something was said of it besides use; the others whenever it is evaluated.
    """

    def __init__(self, reason: str, *, daily: bool = False, of_facts: bool = False) -> None:
        self.reason = reason
        self.daily = daily
        self.of_facts = of_facts

    def look(self, seen: Seen, opened: OpenAlert | None) -> Finding | str | None:
        """What the account shows; `opened` is the alert that is open for this reason.

        A finding where the signal holds, a resolution (`pulse.model.Resolution`) where it has
        ended, None where neither is so and an alert stays as it is.
        """
        raise NotImplementedError  # which signal it is decides

    def next_ms(self, account: Account, after_ms: int) -> int:
        """The next instant after `after_ms` at which it may begin or end without a record.

        For `daily` ones: from which on a day start may find it to begin.
        """
        return NEVER


def ended(account: Account, ids: LastSeen, opened: OpenAlert, least: float) -> str | None:
    """How the alert about one of the `ids` that was not seen any more has ended; None if not yet.

    It is over when that one is seen again, or has fewer than `least` of the events by now.
    """
    since = account.calendar.day_of(opened.since_ms)
    for each in ids.marks():
        if each.name == opened.about:
            if each.last >= since:
                return "active_again"
            return None if each.events >= least else "settled"
    return "settled"


def count(number: float, noun: str) -> str:
    """A number of things.

    >>> count(1, "day"), count(3, "day"), count(2.5, "seat")
    ('1 day', '3 days', '2.5 seats')
    """
    return f"{number:g} {noun}" if number == 1 else f"{number:g} {noun}s"
