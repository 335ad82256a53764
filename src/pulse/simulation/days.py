"""What the people of an account do in the product on one of its days."""

from __future__ import annotations

import math
from bisect import bisect
from itertools import accumulate
from operator import mul
from typing import TYPE_CHECKING, Final, NamedTuple

from pulse.simulation.instants import text_of
from pulse.simulation.places import bustle, midnight_s
from pulse.simulation.product import AUTOMATION, FEATURES, season, weekday
from pulse.simulation.users import key_feature

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulse.simulation.accounts import Account
    from pulse.simulation.product import Feature
    from pulse.simulation.users import User

EARLIEST_S: Final = 6 * 3_600
"""Nobody works before, by the account's own clock."""
_LATEST_S: Final = 22 * 3_600
_WORK_S: Final = 7 * 3_600
"""In which a day's events lie, for the most part."""
_VACATION: Final = 1 / 160
"""How likely somebody's vacation begins on a day."""


class _Made(NamedTuple):
    """What a feature's events have, as bytes; and the inverse of their average value."""

    event: bytes
    feature: bytes
    rate: float


def _made(feature: Feature) -> _Made:
    return _Made(feature.event.encode(), feature.name.encode(), 1 / feature.value)


_MADE: Final = tuple(_made(each) for each in FEATURES)
_RUN: Final = _made(AUTOMATION)
_EVENT: Final = b'{"id":"%s-%d",%s,"event":"%s","ts":"%s","properties":{"feature":"%s","value":%d}}'


def seasons(day: int) -> tuple[float, ...]:
    """How much more each of `FEATURES` is used on a day than it usually is."""
    return tuple(season(each.season, day) for each in FEATURES)


def use(account: Account, day: int, seasons: tuple[float, ...]) -> Iterator[tuple[int, bytes]]:
    """The second and the line of each event of an account's day; those of one user in order."""
    rng, story = account.rng, account.story
    is_weekend = weekday(day) >= 5
    if weekday(day) == 0:
        account.mood = 0.5 * account.mood + rng.gauss(0, 0.1)
    usual = bustle(account.place, day)
    level = story.level(day) * usual * math.exp(account.mood)
    users = account.users
    if story.users(day) < 1:
        users = users[: math.ceil(len(users) * story.users(day))]
    # Less use is fewer days of use, and less on each of them.
    part = math.sqrt(level)
    if story.cause == "feature_abandoned" and story.has_begun(day):
        key = key_feature(account.plan)
        seasons = tuple(0.0 if n == key else each for n, each in enumerate(seasons))
    begins_s = midnight_s(account.place.timezone, day)
    for user in users:
        if not user.joined <= day < user.left or day < user.back:
            continue
        chance = user.activity * part * (user.weekend if is_weekend else 1.0)
        if rng.random() < _VACATION / usual and user.user_id:
            user.back = day + rng.randint(4, 12)
        elif rng.random() < chance:
            events = _by_itself if not user.user_id else _at_work
            yield from events(account, user, begins_s, part, seasons)


def _at_work(
    account: Account, user: User, begins_s: int, part: float, seasons: tuple[float, ...]
) -> Iterator[tuple[int, bytes]]:
    """The events of somebody who comes on a day."""
    rng = account.rng
    tastes = list(accumulate(map(mul, user.tastes, seasons)))
    total = tastes[-1]
    mean = user.intensity * part * total / sum(user.tastes)
    # Two halves vary less than one whole: nobody's days are as different as chance would have it.
    halves = 2 / max(mean, 0.01)
    times = 1 + int(rng.expovariate(halves) + rng.expovariate(halves))
    pause = times / _WORK_S
    at = begins_s + max(EARLIEST_S, int((user.hour + rng.gauss(0, 0.4)) * 3_600))
    until, who = min(begins_s + _LATEST_S, account.left_at), _who(account, user)
    for _ in range(times):
        if at >= until:
            return
        feature = bisect(tastes, rng.random() * total, 0, len(tastes) - 1)
        yield at, _line(account, who, _MADE[feature], at)
        at += 1 + int(rng.expovariate(pause))


def _by_itself(
    account: Account, user: User, begins_s: int, part: float, seasons: tuple[float, ...]
) -> Iterator[tuple[int, bytes]]:
    """What the account's automations do on a day, of which no user knows."""
    rng, who = account.rng, _who(account, user)
    for _ in range(int(rng.expovariate(1 / (user.intensity * part)) + 0.5)):
        at = begins_s + rng.randrange(EARLIEST_S, _LATEST_S)
        if at < account.left_at:
            yield at, _line(account, who, _RUN, at)


def _who(account: Account, user: User) -> bytes:
    """As an event says who it was."""
    name = account.account_id.encode()
    if not user.user_id:
        return b'"account_id":"%s","source":"api"' % name
    return b'"account_id":"%s","user_id":"%s","source":"app"' % (name, user.user_id.encode())


def _line(account: Account, who: bytes, made: _Made, at_s: int) -> bytes:
    account.made += 1
    return _EVENT % (
        account.account_id.encode(),
        account.made,
        who,
        made.event,
        text_of(at_s),
        made.feature,
        1 + int(account.rng.expovariate(made.rate)),
    )
