"""Why accounts leave, and what only looks like it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pulse.simulation.product import Plan, date_of, weekday

if TYPE_CHECKING:
    import random

    from pulse.simulation.setting import Setting

YEAR: Final = 365
_SETTLED: Final = 0.8
"""Of the time until it is over, after which nothing changes any more."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What happens to the use, from the day on which something begins."""

    share: int
    """How often it happens, beside the others."""
    days: tuple[int, int]
    """How long until it is over: they have left, or it is as it was before."""
    level: tuple[float, float] = (1.0, 1.0)
    """What is left of the use, at its beginning and at its end."""
    users: tuple[float, float] = (1.0, 1.0)
    """What is left of the users."""
    seats: tuple[int, int] = (1, 1_000)
    """Only accounts with so many seats."""


CAUSES: Final = {
    "champion_left": Shape(16, (45, 90), (0.8, 0.08), seats=(4, 14)),
    "never_adopted": Shape(0, (60, 130), (0.3, 0.02), users=(0.3, 0.1)),
    "slow_fade": Shape(24, (60, 150), (1.0, 0.03), users=(1.0, 0.15)),
    "sudden_stop": Shape(12, (26, 45), (0.0, 0.0)),
    "payment_failed": Shape(12, (16, 40), (0.9, 0.6)),
    "support_unanswered": Shape(12, (40, 75), (0.9, 0.1)),
    "bug_open": Shape(10, (45, 90), (0.95, 0.15)),
    "seats_unused": Shape(24, (80, 140), (1.0, 0.6), users=(1.0, 0.1), seats=(8, 1_000)),
    "feature_abandoned": Shape(12, (50, 100), (0.85, 0.12)),
}
"""Why an account leaves. `never_adopted` is only for those that have just come."""

LOOK_ALIKES: Final = {
    "": Shape(62, (1, 1)),
    "vacation": Shape(12, (12, 22), (0.06, 0.06)),
    "quiet_january": Shape(10, (42, 42), (0.2, 0.2)),
    "champion_replaced": Shape(8, (28, 28), seats=(4, 14)),
    "payment_recovered": Shape(8, (3, 9)),
}
"""What looks like leaving and is not; without a name: nothing of the kind."""


@dataclass(frozen=True, slots=True)
class Story:
    """What happens to one account, in days since 1970; `over` is the day on which it leaves, or on
    which all is as before. Both are beyond every history where nothing happens.
    """

    cause: str
    began: int
    over: int
    leaves: bool

    @property
    def shape(self) -> Shape:
        """How the use changes."""
        return (CAUSES if self.leaves else LOOK_ALIKES)[self.cause]

    def has_begun(self, day: int) -> bool:
        """Whether a day lies within it."""
        return self.began <= day and (self.leaves or day < self.over)

    def level(self, day: int) -> float:
        """What is left of the use on a day.

        >>> fade = Story("slow_fade", 100, 200, leaves=True)
        >>> fade.level(99), fade.level(140), fade.level(190)
        (1.0, 0.515, 0.03)
        """
        return self._between(self.shape.level, day)

    def users(self, day: int) -> float:
        """What is left of the users on a day."""
        return self._between(self.shape.users, day)

    def _between(self, ends: tuple[float, float], day: int) -> float:
        if not self.has_begun(day):
            return 1.0
        done = min((day - self.began) / max(_SETTLED * (self.over - self.began), 1), 1.0)
        return round(ends[0] + (ends[1] - ends[0]) * done, 6)


def told(rng: random.Random, setting: Setting, plan: Plan, seats: int, started: int) -> Story:
    """What happens to an account that started on a day.

    It may leave on any day, one as likely as the other; who has just come leaves because it was
    never adopted, or later.
    """
    first, end, rate = setting.first, setting.end, setting.rate
    from_day = max(first, started)
    leaves = from_day + int(rng.expovariate(rate * plan.leaves / YEAR)) if rate else end + YEAR
    is_new = started >= first
    cause = "never_adopted"
    if not (is_new and leaves - started < 150 and rng.random() < 0.5):
        cause = _drawn(rng, CAUSES, seats)
    days = rng.randint(*CAUSES[cause].days)
    if cause == "never_adopted":
        leaves = started + days
    elif is_new:
        # Four weeks in which it is as it should be: else nothing could begin.
        leaves = max(leaves, started + 28 + days)
    while weekday(leaves) >= 5:
        leaves += 1
    began = started if cause == "never_adopted" else leaves - days
    if began < end:
        return Story(cause, began, leaves, leaves=True)
    return _look_alike(rng, seats, from_day, end)


def _look_alike(rng: random.Random, seats: int, from_day: int, end: int) -> Story:
    cause = _drawn(rng, LOOK_ALIKES, seats)
    days = rng.randint(*LOOK_ALIKES[cause].days)
    began = rng.randint(from_day, max(from_day, end - days)) if cause else end + YEAR
    if cause == "quiet_january":
        # The January after it started; where the history has none, nobody sees it.
        began = from_day + 28
        while (date_of(began).month, date_of(began).day) != (12, 20):
            began += 1
    return Story(cause, began, began + days, leaves=False)


def _drawn(rng: random.Random, shapes: dict[str, Shape], seats: int) -> str:
    fitting = [name for name, shape in shapes.items() if shape.seats[0] <= seats <= shape.seats[1]]
    return rng.choices(fitting, [shapes[name].share for name in fitting])[0]
