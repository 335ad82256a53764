"""Unused seats, and the other way round: an account that outgrows its seats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pulse.engagement.days import DAY_MS, NEVER, NO_INSTANT, day_start
from pulse.engagement.windows import W28
from pulse.signals.signal import Finding, Seen, Signal, count

if TYPE_CHECKING:
    from pulse.engagement.account import Account, OpenAlert

UNUSED: Final = "unused_seats"
OUTGROWN: Final = "outgrows_seats"
_APART: Final = 0.1
"""Beyond the share at which it began by that much, it has ended."""
_LEAST_APART: Final = 2
"""And by so many users, of which few seats have few."""


class UnusedSeats(Signal):
    """Users in 28 days over the seats paid for, below what is usual at the account's age.

    `least` are (age in days, share of the seats) from the youngest age on: below the first nothing
    is asked, since a roll-out takes its time. Where many more seats are bought it begins anew.
    Accounts with fewer than `min_seats` are left alone, and those that pulse has not watched for
    all of the 28 days, or only over holidays.
    """

    def __init__(self, least: tuple[tuple[int, float], ...], min_seats: int) -> None:
        super().__init__(UNUSED, daily=True)
        self.least = least
        self.most_asked: float = max([share for _, share in least], default=0.0)
        self.min_seats: float = float(min_seats)

    def look(self, seen: Seen, opened: OpenAlert | None) -> Finding | str | None:
        account = seen.account
        profile = account.profile
        seats = 0.0 if profile is None else profile.seats
        if seats < self.min_seats:
            return None if opened is None else "recovered"
        users = seen.fixed.active_users[1]
        share = users / seats
        if opened is None and (
            share >= self.most_asked
            or account.calendar.day - account.notes.known_from < W28
            or seen.is_mostly_free(W28)
        ):
            return None
        start_ms = _rolled_out_from_ms(account)
        age_days = 0 if start_ms == NO_INSTANT else (seen.at_ms - start_ms) // DAY_MS
        asked = 0.0
        for from_days, least in self.least:
            if age_days >= from_days:
                asked = least
        if opened is not None:
            if not asked:
                return "no_longer"
            return "recovered" if share >= asked + _APART else None
        if share >= asked:
            return None
        return Finding(
            seen.at_ms,
            f"pays for {count(seats, 'seat')} and uses {users} of them ({round(100 * share)} %)",
            {
                "seats": seats,
                "active_users_28d": users,
                "unused": seats - users,
                "share": round(share, 3),
                "asked": asked,
                "age_days": age_days,
            },
        )

    def next_ms(self, account: Account, after_ms: int) -> int:
        profile, start_ms = account.profile, _rolled_out_from_ms(account)
        if (
            profile is None
            or profile.seats < self.min_seats
            or start_ms == NO_INSTANT
            or UNUSED in account.alerts
        ):
            return NEVER
        watched_ms = _watched_ms(account)
        for from_days, _ in self.least:
            due_ms = max(start_ms + from_days * DAY_MS, watched_ms)
            if due_ms > after_ms:
                return due_ms
        return NEVER


class OutgrowsSeats(Signal):
    """Users in 28 days reach `share` of the seats paid for: more could be sold.

    Accounts that pulse has not watched for all of the 28 days are left alone. It ends when they buy
    more seats, or when they were for 28 days on end as many users below as two at least, so that
    one who comes now and then does not end it again and again.
    """

    def __init__(self, share: float, min_seats: int) -> None:
        super().__init__(OUTGROWN, daily=True)
        self.share = share
        self.min_seats = min_seats

    def look(self, seen: Seen, opened: OpenAlert | None) -> Finding | str | None:
        account = seen.account
        profile = account.profile
        seats = 0.0 if profile is None else profile.seats
        users = seen.fixed.active_users[1]
        if opened is not None:
            if profile is None or not seats:
                return "no_longer"
            if profile.grown_ms > opened.started_ms and users < self.share * seats:
                return "recovered"
            return "no_longer" if self._has_shrunk(seen, seats) else None
        if (
            seats < self.min_seats
            or users < self.share * seats
            or account.calendar.day - account.notes.known_from < W28
        ):
            return None
        return Finding(
            seen.at_ms,
            f"outgrows its {count(seats, 'seat')}: {count(users, 'user')} in 28 days",
            {"seats": seats, "active_users_28d": users, "share": round(users / seats, 3)},
        )

    def _has_shrunk(self, seen: Seen, seats: float) -> bool:
        """Whether there were far fewer users at the start of each of the last 28 days."""
        least = min((self.share - _APART) * seats, self.share * seats - _LEAST_APART)
        if seen.fixed.active_users[1] >= least or seen.is_mostly_free(W28):
            return False
        notes, today = seen.account.notes, seen.account.calendar.day
        return max([notes.users_on(day)[1] for day in range(today - W28 + 1, today)]) < least


def _watched_ms(account: Account) -> int:
    """From when on all of the last 28 days were watched; of use before that nothing is known."""
    first_day = account.notes.known_from
    return NEVER if first_day == NEVER else day_start(first_day + W28, account.calendar.timezone)


def _rolled_out_from_ms(account: Account) -> int:
    """Since when its seats are given out: its start, or when it bought many more of them."""
    start_ms, profile = account.started_ms(), account.profile
    if start_ms == NO_INSTANT or profile is None or profile.grown_ms < start_ms:
        return start_ms
    return profile.grown_ms
