"""The state of one account: what its events have left behind.

An account knows arithmetic only: how to take an event, how to begin a day, what it measures. When
things are due, and what follows from a score, is the engine's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pulse.engagement.days import Calendar
from pulse.engagement.line import Trigger, Zone
from pulse.engagement.measures import Measures
from pulse.engagement.windows import KEPT_DAYS, W84, LastSeen, Sums, Triple

EXACT_USERS = 10_000
EXACT_FEATURES = 500
NEVER = 1 << 62
"""An instant that does not come."""

ProfileValue = str | int | float | None


@dataclass(frozen=True, slots=True)
class Activity:
    """What makes a day, or a window, count as active. Amounts in 10**-6.

    A day always needs an event that counts; a window below its minimum counts as empty.
    """

    day_events: int = 0
    day_value: int = 0
    windows: tuple[tuple[int, int] | None, ...] = (None, None, None)
    """For each window the least (events, value), or None."""
    has_window_minimum: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "has_window_minimum", any(w is not None for w in self.windows))


class Row(NamedTuple):
    """What was measured at the start of a day; it holds until the next row's day."""

    day: int
    score: float | None
    events: Triple
    value: Triple
    active_users: Triple
    features: Triple
    active_days: Triple


PlainRow = tuple[int, float | None, Triple, Triple, Triple, Triple, Triple]


class OpenAlert(NamedTuple):
    """A firing alert of the account."""

    started_ms: int
    since_ms: int


class Account:
    """One account. Every field is plain data; `pack` and `unpack` are exact inverses."""

    __slots__ = (
        "account_id", "active", "active_total", "alerts", "approach", "calendar", "danger",
        "day_at", "deadline_ms", "events", "features", "first_day", "first_ms", "force", "front_ms",
        "known", "last_day", "last_ms", "open_ms", "page", "parked", "profile", "quiet",
        "resurrected_ms", "rows", "score", "seen", "soon_at", "users", "value", "zone",
    )  # fmt: skip

    def __init__(self, account_id: str, timezone: str, day: int) -> None:
        self.account_id = account_id
        self.calendar = Calendar(timezone, day)
        self.events = Sums()
        self.value = Sums()
        self.active = Sums()
        self.users = LastSeen(EXACT_USERS)
        self.features = LastSeen(EXACT_FEATURES)
        self.active_total = 0
        """Active days over the whole life, today left out."""
        self.first_ms: int | None = None
        self.last_ms: int | None = None
        self.last_day = 0
        self.resurrected_ms: int | None = None
        self.profile: dict[str, tuple[int, str, ProfileValue]] = {}
        """Field → (ts in ms, id of the record, value); the latest (ts, id) wins."""
        self.danger = Trigger()
        self.approach = Trigger()
        self.known = False
        self.zone: Zone = "unknown"
        self.score: float | None = None
        self.rows: list[PlainRow] = []
        """The days behind it, oldest first: what a `Row` holds, without the weight of one."""
        self.alerts: dict[str, OpenAlert] = {}
        self.seen: dict[int, int] = {}
        """Hash of (source, id) → the log's clock when it was first seen; oldest first."""
        self.front_ms = 0
        """Start of the latest minute that an event opened; minutes before it are closed."""
        self.open_ms: int | None = None
        """The minute in which something changed and which is still to be evaluated."""
        self.force = False
        """The open minute must be evaluated even if nothing can have got better."""
        self.deadline_ms = NEVER
        self.parked = False
        """Nothing is left in any window and no day start can change that."""
        # What follows is not state: where the account is written and when it is looked at.
        self.quiet = True
        self.soon_at = NEVER
        self.day_at = NEVER
        self.page: Any = None
        self.first_day: int | None = None
        """The day of `first_ms`, once it has been looked up."""

    # -- what is known of it -------------------------------------------------------------------

    def fact(self, field: str) -> ProfileValue:
        """A field of the profile, None if it is not known."""
        got = self.profile.get(field)
        return got[2] if got else None

    def merge(self, field: str, ts_ms: int, record_id: str, value: ProfileValue) -> bool:
        """Merge one field of a profile record; whether it is the latest word."""
        known = self.profile.get(field)
        if known is not None and (ts_ms, record_id) <= known[:2]:
            return False
        self.profile[field] = (ts_ms, record_id, value)
        return True

    # -- events and days -----------------------------------------------------------------------

    def add(
        self, at_ms: int, weight: int, value: int, user: str | None, feature: str, rule: Activity
    ) -> None:
        """Take a meaningful event at an instant up to the end of today."""
        calendar = self.calendar
        today = calendar.day
        if at_ms >= calendar.start_ms:
            day = today
            self.events.today += weight
            if value:
                self.value.today += value
        else:
            day = max(calendar.day_of(at_ms), today - KEPT_DAYS + 1)
            self._correct(day, today, weight, value, rule)
        if user is not None:
            self.users.touch(user, day, today)
        self.features.touch(feature, day, today)
        if self.last_ms is None or at_ms > self.last_ms:
            self.last_ms = at_ms
            self.last_day = day
        if self.first_ms is None or at_ms < self.first_ms:
            self.first_ms = at_ms
            self.first_day = None

    def _correct(self, day: int, today: int, weight: int, value: int, rule: Activity) -> None:
        before = self._is_active(day, today, rule)
        if day == today:
            self.events.today += weight
            self.value.today += value
            return
        self.events.correct(day, today, weight)
        if value:
            self.value.correct(day, today, value)
        change = self._is_active(day, today, rule) - before
        if change:
            self.active.correct(day, today, change)
            self.active_total += change

    def _is_active(self, day: int, today: int, rule: Activity) -> int:
        events = self.events.on(day, today)
        if events <= 0 or events < rule.day_events:
            return 0
        return 1 if not rule.day_value or self.value.on(day, today) >= rule.day_value else 0

    def _is_today_active(self, rule: Activity) -> int:
        events = self.events.today
        if events <= 0 or events < rule.day_events:
            return 0
        return 1 if not rule.day_value or self.value.today >= rule.day_value else 0

    def begin_day(self, timezone: str, rule: Activity) -> int:
        """Begin the next day; returns the instant (ms) at which it starts."""
        calendar = self.calendar
        old = calendar.day
        active = self._is_today_active(rule)
        self.active.today = active
        self.active_total += active
        calendar.step(timezone)
        for day in range(old + 1, calendar.day + 1):
            for windows in (self.events, self.value, self.active, self.users, self.features):
                windows.roll(day)
        return calendar.start_ms

    # -- what it measures ----------------------------------------------------------------------

    def active_days(self, rule: Activity) -> int:
        """Active days over the whole life, today included."""
        return self.active_total + self._is_today_active(rule)

    def measures(self, at_ms: int, rule: Activity) -> Measures:
        """All measures as of an instant of today."""
        self.active.today = self._is_today_active(rule)
        measures = Measures(
            self.events.windows(),
            self.value.windows(),
            self.users.windows(),
            self.features.windows(),
            self.active.windows(),
            self._recency_ms(at_ms),
        )
        return _above_minimum(measures, rule) if rule.has_window_minimum else measures

    def measures_of_day_start(self, at_ms: int, rule: Activity) -> tuple[Measures, Measures]:
        """`measures` and `fixed_measures` at the start of today, when they are nearly the same."""
        if rule.has_window_minimum:
            return self.measures(at_ms, rule), self.fixed_measures(rule)
        self.active.today = 0
        # Only values can be negative, and the days that end today sum to more than fixed.
        value = self.value.windows()
        now = Measures(
            self.events.fixed,
            value,
            self.users.fixed_windows(),
            self.features.fixed_windows(),
            self.active.fixed,
            self._recency_ms(at_ms),
        )
        return now, now if value == self.value.fixed else self.fixed_measures(rule)

    def fixed_measures(self, rule: Activity) -> Measures:
        """The measures over complete days, as they were fixed at the start of today."""
        measures = Measures(
            self.events.fixed,
            self.value.fixed,
            self.users.fixed_windows(),
            self.features.fixed_windows(),
            self.active.fixed,
            None,
        )
        return _above_minimum(measures, rule) if rule.has_window_minimum else measures

    def _recency_ms(self, at_ms: int) -> int | None:
        last_ms = self.last_ms
        if last_ms is None:
            return None
        return at_ms - last_ms if at_ms > last_ms else 0

    def approximate(self) -> list[str]:
        """The measures that are estimates, because the account has too many ids to keep."""
        return [
            name
            for name, seen in (("active_users", self.users), ("features", self.features))
            if seen.level
        ]

    # -- the days behind it --------------------------------------------------------------------

    def note_day(self, score: float | None, now: Measures) -> None:
        """Keep what was measured at the start of today; an unchanged day needs no row."""
        today = self.calendar.day
        rows = self.rows
        events, value, users, features, active, _ = now
        row = (today, score, events, value, users, features, active)
        if not rows or rows[-1][1] != score or rows[-1][2:] != row[2:]:
            rows.append(row)
        while len(rows) > 1 and rows[1][0] <= today - KEPT_DAYS:
            del rows[0]

    def row_on(self, day: int) -> Row | None:
        """What was measured at the start of `day`, None if that is not known."""
        for row in reversed(self.rows):
            if row[0] <= day:
                return Row(*row)
        return None

    def is_empty(self) -> bool:
        """Whether no window and nothing that is kept holds anything."""
        return not (
            self.events.by_day
            or self.events.today
            or self.users.ring
            or self.features.ring
            or any(self.events.fixed)
            or any(self.users.fixed)
            or any(self.features.fixed)
        )

    def baseline_days(self) -> int:
        """Complete days that the account's 84 days really hold."""
        if self.first_ms is None:
            return 0
        calendar = self.calendar
        if self.first_ms >= calendar.start_ms:
            return 0
        if self.first_day is None:
            self.first_day = calendar.day_of(self.first_ms)
        days = calendar.day - self.first_day
        return days if days < W84 else W84

    # -- snapshot ------------------------------------------------------------------------------

    def pack(self) -> tuple[Any, ...]:
        """The whole state as lists and numbers."""
        c, d, a = self.calendar, self.danger, self.approach
        return (
            self.account_id,
            (c.segments, c.day, c.start_ms, c.end_ms),
            [(s.today, s.by_day, s.past, s.fixed) for s in (self.events, self.value, self.active)],
            [(s.level, s.days, s.live, s.fixed) for s in (self.users, self.features)],
            (self.active_total, self.first_ms, self.last_ms, self.last_day, self.resurrected_ms),
            self.profile,
            [(t.on, t.since_ms, t.turning_ms) for t in (d, a)],
            (self.known, self.zone, self.score),
            self.rows,
            self.alerts,
            (list(self.seen.keys()), list(self.seen.values())),
            (self.front_ms, self.open_ms, self.force, self.deadline_ms, self.parked, self.quiet),
        )

    @classmethod
    def unpack(cls, packed: tuple[Any, ...]) -> Account:
        """The account that `pack` wrote."""
        account_id, calendar, sums, seens, life, profile, triggers, verdict, rows, *rest = packed
        self = cls(account_id, calendar[0][-1][2], calendar[1])
        c = self.calendar
        c.segments = [tuple(segment) for segment in calendar[0]]
        c.day, c.start_ms, c.end_ms = calendar[1:]
        for s, (today, by_day, past, fixed) in zip(
            (self.events, self.value, self.active), sums, strict=True
        ):
            s.today, s.by_day, s.past, s.fixed = today, dict(by_day), tuple(past), tuple(fixed)
        for seen, (level, days, live, fixed) in zip(
            (self.users, self.features), seens, strict=True
        ):
            seen.level, seen.days = level, dict(days)
            seen.live, seen.fixed = tuple(live), tuple(fixed)
            for day in days.values():
                seen.ring[day] = seen.ring.get(day, 0) + 1
        self.active_total, self.first_ms, self.last_ms, self.last_day, self.resurrected_ms = life
        self.profile = {field: tuple(value) for field, value in profile.items()}
        for t, (on, since_ms, turning_ms) in zip(
            (self.danger, self.approach), triggers, strict=True
        ):
            t.on, t.since_ms, t.turning_ms = on, since_ms, turning_ms
        self.known, self.zone, self.score = verdict
        self.rows = [
            (day, score, tuple(events), tuple(value), tuple(users), tuple(features), tuple(active))
            for day, score, events, value, users, features, active in rows
        ]
        alerts, (keys, stamps), dues = rest
        self.alerts = {reason: OpenAlert(*alert) for reason, alert in alerts.items()}
        self.seen = dict(zip(keys, stamps, strict=True))
        (
            self.front_ms, self.open_ms, self.force, self.deadline_ms, self.parked, self.quiet,
        ) = dues  # fmt: skip
        return self


def _above_minimum(measures: Measures, rule: Activity) -> Measures:
    keep = [
        least is None or (measures.events[i] >= least[0] and measures.value[i] >= least[1])
        for i, least in enumerate(rule.windows)
    ]
    if all(keep):
        return measures
    a, b, c = keep
    windowed = [(x * a, y * b, z * c) for x, y, z in measures[:5]]
    return Measures._make([*windowed, measures.recency_ms])
