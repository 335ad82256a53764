"""The state of one account: what its events have left behind.

An account knows arithmetic only: how to take an event, how to begin a day, what it measures. When
things are due, and what follows from a score, is the engine's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pulse.engagement.days import NEVER, NO_INSTANT, Calendar
from pulse.engagement.distinct import LastSeen
from pulse.engagement.facts import FactLog
from pulse.engagement.line import Trigger, Zone
from pulse.engagement.measures import MICRO, NEVER_USED, Measures
from pulse.engagement.notes import Notes
from pulse.engagement.profile import Profile, ProfileValue
from pulse.engagement.recent import RecentIds
from pulse.engagement.sources import Sources
from pulse.engagement.windows import KEPT_DAYS, THEN_DAYS, W84, Sums, Triple

if TYPE_CHECKING:
    from pulse.engagement.load import LoadMark

EXACT_USERS: Final = 10_000
EXACT_FEATURES: Final = 500

_LONGEST: Final = 2


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
    """What was measured at the start of a day. The score is rounded to a hundredth."""

    day: int
    score: float | None
    measures: Measures


class OpenAlert(NamedTuple):
    """A firing alert of the account."""

    started_ms: int
    since_ms: int
    about: str = ""
    """The user or the feature that it is about; empty if it is about the account."""


class Late(NamedTuple):
    """What came late: noticed on one day, it added to the sums of an earlier one."""

    noticed: int
    day: int
    events: int
    value: int
    active: int


class Account:
    """One account, as it is worked on; `pulse.engagement.packing` makes bytes of it."""

    __slots__ = (
        "account_id", "active", "active_total", "alerts", "approach", "calendar", "danger",
        "day_at", "deadline_ms", "events", "facts", "features", "first_day", "first_ms",
        "force", "forget_ms", "front_ms", "known", "last_day", "last_ms", "late",
        "line_day", "line_enter", "load", "moved", "moved_ms", "notes", "open_ms", "page", "parked",
        "profile", "projected", "quiet", "resurrected_ms", "score", "seen", "soon_at", "sources",
        "stage", "touched_in", "used", "users", "value", "zone",
    )  # fmt: skip

    def __init__(self, account_id: str, calendar: Calendar) -> None:
        self.account_id = account_id
        self.calendar = calendar
        self.events = Sums(MICRO)
        self.value = Sums(MICRO)
        self.active = Sums()
        self.users = LastSeen(EXACT_USERS)
        self.features = LastSeen(EXACT_FEATURES)
        self.active_total = 0
        """Active days over the whole life, today left out."""
        self.first_ms = NO_INSTANT
        self.last_ms = NO_INSTANT
        self.last_day = 0
        self.resurrected_ms = NO_INSTANT
        self.profile: Profile | None = None
        self.facts: FactLog | None = None
        """What was said of it besides use."""
        self.danger = Trigger()
        self.approach = Trigger()
        self.line_day = 0
        """The UTC day of the fleet's line by which it is judged, 0 where by the configured one."""
        self.line_enter = 0
        """Where that line's danger begins, in tenths of a point."""
        self.moved_ms = NO_INSTANT
        """When other rules, or another line, last brought it into another zone."""
        self.moved: tuple[Zone, Zone] = ("unknown", "unknown")
        """Out of which zone, and into which."""
        self.load: LoadMark | None = None
        """That a load touched it, until what it held back is told."""
        self.known = False
        self.zone: Zone = "unknown"
        self.projected = False
        """By its day-start scores it crosses the line soon."""
        self.stage = 0
        """Where it was in its life when it was last evaluated: one more than its place in
        `LIFECYCLES`, 0 before the first time."""
        self.score: float | None = None
        self.notes = Notes()
        self.late: list[Late] | None = None
        """What came late since the day that is "then", to tell a past day as it was, if any did."""
        self.alerts: dict[str, OpenAlert] = {}
        self.sources = Sources()
        self.seen = RecentIds()
        """Hashes of (source, id) with the log's clock when each was first seen."""
        self.forget_ms = 0
        """By the log's clock, no id of `seen` can be forgotten before."""
        self.front_ms = 0
        """Start of the latest minute that an event opened; minutes before it are closed."""
        self.open_ms = NO_INSTANT
        """The minute in which something changed and which is still to be evaluated."""
        self.force = False
        """The open minute must be evaluated even if nothing can have got better."""
        self.deadline_ms = NEVER
        self.parked = False
        """Nothing is left in any window and no day start can change that."""
        self.quiet = True
        """More use can neither raise nor end an alert."""
        # What follows is not state: where the account is written and when it is looked at.
        self.soon_at = NEVER
        self.day_at = NEVER
        self.page: Any = None
        self.touched_in = 0
        """The round of its partition in which it was last among what changed."""
        self.used = True
        """Whether a record touched it since it was last considered for folding."""
        self.first_day = 0
        """The day of `first_ms`, once it has been looked up."""

    # -- what is known of it -------------------------------------------------------------------

    def fact(self, field: str) -> ProfileValue:
        """A field of the profile, None if it is not known."""
        return None if self.profile is None else self.profile.fact(field)

    def merge(self, ts_ms: int, record_id: str, facts: dict[str, Any]) -> bool:
        """Merge a profile record; whether it changed anything."""
        if self.profile is None:
            self.profile = Profile()
        return self.profile.merge(ts_ms, record_id, facts)

    def say(self, matter: str, ts_ms: int, record_id: str, value: Any) -> bool:
        """Take a fact, the latest word on a matter; whether it changed anything."""
        if self.facts is None:
            self.facts = FactLog()
        return self.facts.take(matter, ts_ms, record_id, value)

    def started_ms(self) -> int:
        """When it began: as its profile says, else its first use, if any."""
        said_ms = NO_INSTANT if self.profile is None else self.profile.started_ms
        return self.first_ms if said_ms == NO_INSTANT else said_ms

    def quiet_since_ms(self) -> int:
        """Its last use, or when it came back if that was later; `NO_INSTANT` before its first."""
        last_ms, returned_ms = self.last_ms, self.resurrected_ms
        return last_ms if last_ms == NO_INSTANT or last_ms > returned_ms else returned_ms

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
        if at_ms > self.last_ms:
            self.last_ms = at_ms
            self.last_day = day
        if at_ms < self.first_ms or self.first_ms == NO_INSTANT:
            self.first_ms = at_ms
            self.first_day = 0

    def _correct(self, day: int, today: int, weight: int, value: int, rule: Activity) -> None:
        change = self.add_to_day(day, weight, value, rule)
        if day == today:
            return
        if self.late is None:
            self.late = []
        for n, late in enumerate(self.late):
            if late.noticed == today and late.day == day:
                self.late[n] = Late(
                    today, day, late.events + weight, late.value + value, late.active + change
                )
                return
        self.late.append(Late(today, day, weight, value, change))

    def add_to_day(self, day: int, weight: int, value: int, rule: Activity) -> int:
        """Add to the sums of today, or of a day that is kept; how many more past days are active.

        "Then" is told as if it had been known.
        """
        today = self.calendar.day
        if day == today:
            self.events.today += weight
            self.value.today += value
            return 0
        before = self._is_active(day, today, rule)
        self.events.correct(day, today, weight)
        if value:
            self.value.correct(day, today, value)
        change = self._is_active(day, today, rule) - before
        if change:
            self.active.correct(day, today, change)
            self.active_total += change
        return change

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
        today = calendar.day
        day = old
        while day < today:
            day += 1
            self.events.roll(day)
            self.value.roll(day)
            self.active.roll(day)
            self.users.roll(day)
            self.features.roll(day)
        if today > old + 1:  # a date that the zone skipped was measured as the day before it
            self.notes.repeat(old, today)
        if self.late is not None:
            self.late = [late for late in self.late if late.noticed >= today - THEN_DAYS] or None
        return calendar.start_ms

    def jump(self, at_ms: int) -> None:
        """Go to the day that holds an instant; nothing is left that the days between could end."""
        calendar = self.calendar
        old = calendar.day
        calendar.jump(at_ms)
        if calendar.day > old:
            self.notes.repeat(old, calendar.day + 1)

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
            NEVER_USED,
        )
        return _above_minimum(measures, rule) if rule.has_window_minimum else measures

    def _recency_ms(self, at_ms: int) -> int:
        last_ms = self.last_ms
        if last_ms == NO_INSTANT:
            return NEVER_USED
        return at_ms - last_ms if at_ms > last_ms else 0

    def approximate(self) -> list[str]:
        """The measures that are estimates, because the account has too many ids to keep."""
        return [
            name
            for name, seen in (("active_users", self.users), ("features", self.features))
            if seen.level
        ]

    # -- the days behind it --------------------------------------------------------------------

    def note_day(self, score: float | None) -> None:
        """Keep what was measured at the start of today."""
        self.notes.note(
            self.calendar.day, score, self.users.fixed_windows(), self.features.fixed_windows()
        )

    def row_on(self, day: int, rule: Activity) -> Row | None:
        """What was measured at the start of a day up to `THEN_DAYS` back; None before the first.

        As it was known then: what came late since is left out.
        """
        today, notes = self.calendar.day, self.notes
        if not notes.knows(day, today):
            return None
        late = [each for each in self.late or () if each.noticed >= day]  # not known then
        measures = Measures(
            self.events.windows_at_start(day, today, [(x.day, x.events) for x in late]),
            self.value.windows_at_start(day, today, [(x.day, x.value) for x in late]),
            notes.users_on(day),
            notes.features_on(day),
            self.active.windows_at_start(day, today, [(x.day, x.active) for x in late]),
            NEVER_USED,
        )
        if rule.has_window_minimum:
            measures = _above_minimum(measures, rule)
        return Row(day, notes.score_on(day, today), measures)

    def is_empty(self) -> bool:
        """Whether no window and nothing that is kept holds anything."""
        return (
            self.events.is_empty()
            and self.value.is_empty()
            and self.users.is_empty()
            and self.features.is_empty()
            and not self.events.fixed[_LONGEST]
            and not self.users.fixed[_LONGEST]
            and not self.features.fixed[_LONGEST]
        )

    def baseline_days(self) -> int:
        """Complete days that the account's 84 days really hold."""
        calendar = self.calendar
        if self.first_ms == NO_INSTANT or self.first_ms >= calendar.start_ms:
            return 0
        if not self.first_day:
            self.first_day = calendar.day_of(self.first_ms)
        days = calendar.day - self.first_day
        return days if days < W84 else W84


def _above_minimum(measures: Measures, rule: Activity) -> Measures:
    keep = [
        1 if least is None or (measures.events[i] >= least[0] and measures.value[i] >= least[1])
        else 0
        for i, least in enumerate(rule.windows)
    ]  # fmt: skip
    return Measures(
        _times(measures.events, keep),
        _times(measures.value, keep),
        _times(measures.active_users, keep),
        _times(measures.features, keep),
        _times(measures.active_days, keep),
        measures.recency_ms,
    )


def _times(triple: Triple, by: list[int]) -> Triple:
    return (triple[0] * by[0], triple[1] * by[1], triple[2] * by[2])
