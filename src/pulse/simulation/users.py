"""The people of an account: when they come, how often, and what they do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from pulse.simulation.product import FEATURES

if TYPE_CHECKING:
    import random

    from pulse.simulation.product import Plan
    from pulse.simulation.story import Story

FOREVER: Final = 1 << 40
_TENURE_DAYS: Final = 900
"""How long somebody stays in a job, on average."""
_CHAMPION_SHARE: Final = 0.65
"""Of the events, where an account hangs on one person."""


@dataclass(slots=True)
class User:
    """Somebody's habits for a while. Who changes them is there twice, with the same id."""

    user_id: str
    """Empty for the account itself."""
    joined: int
    left: int
    """The first day on which they are not there any more."""
    activity: float
    """How likely they come on a weekday."""
    intensity: float
    """How many events they make on a day on which they come, on average."""
    hour: float
    """When they begin to work."""
    weekend: float
    """How likely they come on Saturdays and Sundays, beside weekdays."""
    tastes: tuple[float, ...]
    """How much they use each of `FEATURES`, beside the others."""
    back: int = 0
    """The day on which a vacation ends."""


class Staffing(NamedTuple):
    """How many can work in an account, and from when on."""

    from_day: int
    """Its first day in the history."""
    is_new: bool
    """Whether it starts on that day, and its people come one after the other."""
    seats: int
    bought: int
    """So many seats it has from `grows_on` on."""
    grows_on: int


def team(
    rng: random.Random, account_id: str, plan: Plan, story: Story, staffing: Staffing
) -> list[User]:
    """Who works in an account, the most important first; the account itself is the last."""
    from_day, is_new, seats, bought, grows_on = staffing
    habits = _habits(rng, plan, story)
    staffed = max(1, round(seats * rng.uniform(0.75, 0.98)))
    people = staffed + max(0, round((bought - seats) * rng.uniform(0.6, 1.0)))
    users, number = list[User](), 0
    for place in range(people):
        joined = from_day
        if place >= staffed:
            joined = grows_on + int(rng.expovariate(1 / 20))
        elif is_new and place:
            joined += int(rng.expovariate(1 / 10))
        # Those an account hangs on stay, but for the story.
        leaves = FOREVER if place < 2 else joined + 30 + int(rng.expovariate(1 / _TENURE_DAYS))
        for begins, ends in ((joined, leaves), (leaves + rng.randint(3, 20), FOREVER)):
            if begins < FOREVER:
                number += 1
                users.append(_user(rng, f"{account_id}-u{number}", begins, ends, habits))
    if len(users) > 1 and story.cause in ("champion_left", "champion_replaced"):
        _hangs_on_one(users, story)
    if plan.key_feature == "automations":
        itself = User("", from_day + 5, FOREVER, 1.0, 3.0, 8.0, 0.7, habits)
        users.append(itself)
    return users


def _habits(rng: random.Random, plan: Plan, story: Story) -> tuple[float, ...]:
    """How an account uses the features of its plan."""
    shares = [
        each.share * rng.lognormvariate(0, 0.3) if plan.name in each.plans else 0.0
        for each in FEATURES
    ]
    key = key_feature(plan)
    if story.cause == "feature_abandoned":
        shares[key] = 0.8 * (sum(shares) - shares[key])
    return tuple(shares)


def key_feature(plan: Plan) -> int:
    """Which of the `FEATURES` a plan is bought for."""
    return next(n for n, each in enumerate(FEATURES) if each.name == plan.key_feature)


def _user(
    rng: random.Random, user_id: str, joined: int, left: int, habits: tuple[float, ...]
) -> User:
    return User(
        user_id,
        joined,
        left,
        activity=rng.uniform(0.35, 0.95),
        intensity=rng.lognormvariate(0.9, 0.5),
        hour=rng.gauss(9.0, 1.0),
        weekend=rng.choice((0.0, 0.0, 0.02, 0.05, 0.25)),
        tastes=tuple(share * rng.lognormvariate(0, 0.5) for share in habits),
    )


def _hangs_on_one(users: list[User], story: Story) -> None:
    """Let the first do most of the work until the story begins; then nobody, or another."""
    champion, heir = users[0], users[1]
    others = sum(
        each.activity * (1 + each.intensity) for each in users[1:] if each.joined <= story.began
    )
    champion.activity, champion.left = 0.92, story.began
    share = _CHAMPION_SHARE / (1 - _CHAMPION_SHARE)
    champion.intensity = max(share * others / champion.activity - 1, 2.0)
    if story.cause == "champion_replaced":
        takes_over = max(story.began + 4, heir.joined + 1)
        heir.left = takes_over
        users.insert(
            2,
            User(
                heir.user_id, takes_over, FOREVER, champion.activity, champion.intensity,
                heir.hour, heir.weekend, champion.tastes,
            ),
        )  # fmt: skip
