"""Trend and key features against the plainest way to have them: every event kept."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.engagement.account import Account, Activity
from pulse.engagement.days import DAY_MS, Calendar, day_start
from pulse.engagement.holidays import Holidays
from pulse.engagement.measures import MICRO, NO_TREND, NOT_COUNTED
from pulse.engagement.on_demand import measure_more, row_on
from pulse.engagement.packing import pack, unpack
from pulse.engagement.scorecard import Facts, MeasureRule, Scorecard, Target
from pulse.engagement.windows import WINDOWS

START = 738_000
START_MS = day_start(START, "UTC")
KEY = ("sso", "export.*", "api")
FEATURES = ["sso", "export.pdf", "export.csv", "list", "api"]
CARD = Scorecard(
    (
        MeasureRule("trend", "trend", 0, 1.0, 0.0, Target("absolute", 1.5)),
        MeasureRule("key_features", "key_features", 0, 1.0, 0.0, Target("absolute", 3)),
    ),
    KEY,
)
RULES = [Activity(), Activity(windows=((2 * MICRO, 0), (6 * MICRO, 8 * MICRO), None))]


class Kept(NamedTuple):
    """An event, and on which day it was noticed."""

    noticed: int
    day: int
    weight: int
    value: int
    feature: str


class Oracle:
    """Keeps everything, and counts it again whenever it is asked."""

    def __init__(self, rule: Activity, free: set[int]) -> None:
        self.kept: list[Kept] = []
        self.rule = rule
        self.free = free

    def total(self, first: int, last: int, before: int) -> tuple[int, int]:
        """Events and value on these days, of what was noticed before a day."""
        found = [e for e in self.kept if first <= e.day <= last and e.noticed < before]
        return sum(e.weight for e in found), sum(e.value for e in found)

    def window(self, width: int, today: int, until: int) -> int:
        """Events over a window of a day, by what was noticed before `until`."""
        sums = []
        for first, before in ((today - width, today), (today - width + 1, until)):
            sums.append(self.total(first, first + width - 1, before))
        events, value = (max(each) for each in zip(*sums, strict=True))
        least = self.rule.windows[WINDOWS.index(width)]
        return events if least is None or (events >= least[0] and value >= least[1]) else 0

    def trend(self, today: int, until: int) -> float:
        before, value = self.total(today - 35, today - 8, today)
        reaches_back, _ = self.total(today - 92, today - 35, today)
        least = self.rule.windows[1]
        days = 7 - len([day for day in range(today - 7, today) if day in self.free])
        others = 28 - len([day for day in range(today - 35, today - 7) if day in self.free])
        if not before or not reaches_back or not days or not others:
            return NO_TREND
        if least is not None and (before < least[0] or value < least[1]):
            return NO_TREND
        return (self.window(7, today, until) / days) / (before / others)

    def key_features(self, today: int) -> tuple[int, ...]:
        out = []
        for width in WINDOWS:
            used = {e.feature for e in self.kept if today - width <= e.day <= today}
            found = [each for each in KEY if any(fnmatchcase(name, each) for name in used)]
            out.append(len(found) if self.window(width, today, today + 1) else 0)
        return tuple(out)


happenings = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 0, 1, 1, 2, 6, 7, 14, 28, 35, 57, 92]),
        st.sampled_from([0, 0, 0, 0, 1, 2, 6, 7, 8, 28, 34, 35, 36, 84, 91]),
        st.integers(1, 4),
        st.sampled_from([0, 1, 6]),
        st.sampled_from(FEATURES),
    ),
    max_size=40,
)
"""Days that pass before, the event's age in days, its weight and value, and which feature."""
Steps = list[tuple[int, int, int, int, str]]
steps = st.builds(
    lambda days, after: [(1, 0, 1, 0, "list")] * days + after,
    st.sampled_from([0, 0, 34, 36, 60]),
    happenings,
)
"""Maybe a past of an event a day, without which there is seldom a trend."""
holidays = st.sets(st.integers(0, 200), max_size=30)


@given(steps, st.sampled_from(RULES), holidays)
def test_they_equal_a_recount(steps: Steps, rule: Activity, free: set[int]) -> None:
    closed = {START + day for day in free}
    acme, oracle = Account("acme", Calendar("UTC", START)), Oracle(rule, closed)
    found = Holidays(sorted(closed)) if closed else None
    told: dict[int, float] = {}
    for wait, age, weight, value, feature in steps:
        for _ in range(wait):
            at_ms = acme.begin_day("UTC", rule)
            today = acme.calendar.day
            now, _ = acme.measures_of_day_start(at_ms, rule)
            measure_more(acme, now, CARD, found, rule)
            told[today] = now.trend
            acme.note_day(None)
            assert now.trend == pytest.approx(oracle.trend(today, today))
        today = acme.calendar.day
        day = today - age
        at_ms = START_MS + (day - START) * DAY_MS
        acme.add(at_ms, weight * MICRO, value * MICRO, None, feature, rule)
        oracle.kept.append(Kept(today, day, weight * MICRO, value * MICRO, feature))
        for each in (acme, unpack(*pack(acme))):
            now = each.measures(each.calendar.start_ms, rule)
            measure_more(each, now, CARD, found, rule)
            assert now.trend == pytest.approx(oracle.trend(today, today + 1))
            assert now.key_features == oracle.key_features(today)
            for back in (0, 1, 7, 27, 28):
                row = row_on(each, today - back, CARD, found, rule)
                if row is not None:
                    assert row.measures.trend == told[today - back]
                    assert row.measures.key_features == NOT_COUNTED


ages = st.integers(0, 91)
on_one_day = st.lists(
    st.tuples(ages, st.integers(1, 4), st.sampled_from([0, 1, 6]), st.sampled_from(FEATURES)),
    min_size=1,
    max_size=10,
)


@given(st.integers(30, 60), st.integers(0, 8), on_one_day, st.sampled_from(RULES))
def test_more_use_on_the_same_day_never_lowers_the_score(
    days: int, pause: int, uses: list[tuple[int, int, int, str]], rule: Activity
) -> None:
    assert CARD.rises_with_use
    acme = Account("acme", Calendar("UTC", START))
    for day in range(days + pause):
        if day < days:
            acme.add(START_MS + day * DAY_MS, MICRO, MICRO, None, "list", rule)
        acme.begin_day("UTC", rule)

    def score() -> float:
        now = acme.measures(acme.calendar.start_ms, rule)
        measure_more(acme, now, CARD, None, rule)
        return CARD.value(now, now, Facts(0.0, 0.0, 84))

    before = score()
    for age, weight, value, feature in uses:
        at_ms = acme.calendar.start_ms - age * DAY_MS
        acme.add(at_ms, weight * MICRO, value * MICRO, None, feature, rule)
        after = score()

        assert after >= before
        before = after
