"""Accounts of the product: what they bought, where they are, who works there and what happens."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from pulse.simulation.places import PLACES, Place, midnight_s
from pulse.simulation.product import PLANS, Plan, weekday
from pulse.simulation.story import YEAR, Story, told
from pulse.simulation.users import Staffing, User, team

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulse.simulation.setting import Setting

NEVER_S: Final = 1 << 62
"""The second of what does not happen."""
_OLDEST_DAYS: Final = 900
"""Of the accounts that were there before, the oldest."""
_THERE_BEFORE: Final = 0.5
"""Share of the accounts that were there before the history begins."""
_OWNERS: Final = ("ana", "ben", "chloe", "dev", "emre", "fatima", "greta", "hugo")
_COLOURS: Final = (
    "Amber", "Azure", "Birch", "Cedar", "Copper", "Coral", "Delta", "Ember", "Fern", "Granite",
    "Harbor", "Indigo", "Juniper", "Keystone", "Lumen", "Maple", "North", "Orchid", "Pine",
)  # fmt: skip
_THINGS: Final = (
    "Analytics", "Bakeries", "Clinics", "Design", "Energy", "Foods", "Freight", "Gardens",
    "Hotels", "Insurance", "Kitchens", "Logistics", "Media", "Optics", "Press", "Robotics",
    "Studios", "Textiles", "Travel", "Ventures", "Water", "Works", "Yachts",
)  # fmt: skip
_KINDS: Final = ("", " Ltd", " Inc", " Group", " Partners", " Labs", " International")


class Fact(NamedTuple):
    """What a system besides the product says of an account."""

    source: str
    event: str
    properties: Mapping[str, str | int]
    user_id: str | None = None


@dataclass(slots=True)
class Account:
    """A customer of the product. Days are its own, counted from 1970 on."""

    account_id: str
    name: str
    plan: Plan
    place: Place
    owner: str
    started: int
    seats: int
    users: list[User]
    story: Story
    left_at: int
    """The second at which it leaves; beyond every history if it stays."""
    rng: random.Random
    """Its own, so that nobody else's days change it."""
    due: dict[int, list[Fact]] = field(default_factory=dict)
    """What is said of it on days to come."""
    grows_on: int = 0
    """The day on which it buys more seats; 0: never."""
    mood: float = 0.0
    """How this week differs from a usual one, as a logarithm."""
    made: int = 0
    """How many lines were made of it."""


def make_account(setting: Setting, number: int) -> Account:
    """The account with a number, from 1 on: the same for the same setting."""
    rng = random.Random(f"{setting.seed}/{number}")
    first = setting.first
    plan = rng.choices(PLANS, [each.share for each in PLANS])[0]
    place = rng.choices(PLACES, [each.share for each in PLACES])[0]
    seats = int(rng.triangular(plan.seats[0], plan.seats[1] + 1, plan.seats[0]))
    if rng.random() < _THERE_BEFORE:
        started = first - rng.randint(1, _OLDEST_DAYS)
    else:
        # More come as time goes on.
        started = first + int(setting.days * rng.random() ** 0.8)
        while weekday(started) >= 5:
            started -= 1
    story = told(rng, setting, plan, seats, started)
    account_id = f"acc-{number:05}"
    grows_on, bought = 0, seats
    if not story.leaves and rng.random() < 0.2:
        grows_on = rng.randint(max(started, first) + 90, max(started, first) + YEAR)
        bought = seats + max(1, seats * 3 // 10)
    left_at = NEVER_S
    if story.leaves:
        left_at = midnight_s(place.timezone, story.over) + rng.randint(9 * 3600, 17 * 3600)
    staffing = Staffing(max(started, first), started >= first, seats, bought, grows_on)
    users = team(rng, account_id, plan, story, staffing)
    owner = _OWNERS[rng.randrange(len(_OWNERS))]
    return Account(
        account_id, _name(number), plan, place, owner, started, seats, users, story, left_at, rng,
        grows_on=grows_on,
    )  # fmt: skip


def _name(number: int) -> str:
    """A name for people; none comes twice among the first three thousand.

    >>> _name(1), _name(20), _name(1000)
    ('Azure Bakeries', 'Azure Water', 'Juniper Logistics Inc')
    """
    colour, thing = _COLOURS[number % len(_COLOURS)], _THINGS[number % len(_THINGS)]
    kind = number // (len(_COLOURS) * len(_THINGS)) % len(_KINDS)
    return f"{colour} {thing}{_KINDS[kind]}"
