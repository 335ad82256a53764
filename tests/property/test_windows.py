"""Sums, distinct counts and days against the plainest way to have them."""

from __future__ import annotations

import itertools
from zoneinfo import available_timezones

from hypothesis import example, given
from hypothesis import strategies as st

from pulse.engagement.codec import Reader, Writer
from pulse.engagement.days import DAY_MS, Calendar, day_of, day_start
from pulse.engagement.distinct import LastSeen
from pulse.engagement.windows import TILE_DAYS, WINDOWS, Sums
from pulse.model.time import parse_ts

START = 1_000
# (days that pass before, how old the event is in days, how much or which id)
happenings = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 0, 1, 1, 2, 6, 7, 27, 28, 83, 84, 91, 92, 120]),
        st.sampled_from([0, 0, 0, 1, 2, 6, 7, 8, 27, 28, 29, 60, 84, 90, 91]),
        st.integers(-3, 9),
    ),
    max_size=60,
)


@given(happenings)
def test_sums_equal_a_recount(steps: list[tuple[int, int, int]]) -> None:
    sums, today = Sums(), START
    tiles: dict[int, int] = {}
    fixed = dict.fromkeys(WINDOWS, 0)
    for wait, age, amount in steps:
        for _ in range(wait):
            today += 1
            sums.roll(today)
            fixed = {w: sum(tiles.get(today - n, 0) for n in range(1, w + 1)) for w in WINDOWS}
        day = today - age
        tiles[day] = tiles.get(day, 0) + amount
        if age:
            sums.correct(day, today, amount)
        else:
            sums.today += amount
        running = {w: sum(tiles.get(today - n, 0) for n in range(w)) for w in WINDOWS}

        assert sums.windows() == tuple(max(fixed[w], running[w]) for w in WINDOWS)
        assert sums.on(day, today) == tiles[day]
        assert sums.tiles(today) == {
            day: n for day, n in tiles.items() if n and today - TILE_DAYS <= day < today
        }


@given(happenings)
def test_distinct_ids_equal_a_recount(steps: list[tuple[int, int, int]]) -> None:
    ids, today = LastSeen(1_000), START
    seen: set[tuple[int, int]] = set()
    fixed = dict.fromkeys(WINDOWS, 0)

    def count(first: int, last: int) -> int:
        return len({who for day, who in seen if first <= day <= last})

    for wait, age, who in steps:
        for _ in range(wait):
            today += 1
            ids.roll(today)
            fixed = {w: count(today - w, today - 1) for w in WINDOWS}
        seen.add((today - age, who))
        ids.touch(str(who), today - age, today)
        running = {w: count(today - w + 1, today) for w in WINDOWS}

        assert ids.windows() == tuple(max(fixed[w], running[w]) for w in WINDOWS)
        again, lasts, names = LastSeen(1_000), Writer(), Writer()
        ids.write(lasts, names, today)
        again.read(Reader(lasts.done(), 0), Reader(names.done(), 0), today)
        assert (again.days, again.live, again.fixed) == (ids.days, ids.live, ids.fixed)


zones = st.sampled_from(sorted(available_timezones() - {"localtime", "Factory"}))
instants = st.integers(0, parse_ts("2050-01-01T00:00:00Z"))


@given(zones, instants)
@example("Pacific/Apia", parse_ts("2011-12-30T10:00:00Z"))
@example("America/Juneau", parse_ts("1970-01-01T00:00:00Z"))
def test_every_instant_lies_in_the_day_it_is_said_to(timezone: str, at_ms: int) -> None:
    day = day_of(at_ms, timezone)

    assert day_start(day, timezone) <= at_ms < day_start(day + 1, timezone)


@given(
    st.lists(st.tuples(zones, st.integers(1, 4)), min_size=1, max_size=6),
    st.integers(2 * DAY_MS, parse_ts("2050-01-01T00:00:00Z")),
)
@example([("Pacific/Apia", 4), ("Pacific/Honolulu", 1), ("Pacific/Apia", 4)], 1_325_116_800_000)
def test_days_follow_one_another_however_an_account_moves(
    moves: list[tuple[str, int]], start_ms: int
) -> None:
    first_zone = moves[0][0]
    calendar = Calendar(first_zone, day_of(start_ms, first_zone))
    days = [(calendar.day, calendar.start_ms, calendar.end_ms)]
    for timezone, stays in moves:
        for _ in range(stays):
            calendar.step(timezone)
            days.append((calendar.day, calendar.start_ms, calendar.end_ms))

    for (day, start, end), (next_day, next_start, _) in itertools.pairwise(days):
        assert next_day > day
        assert next_start == end > start
        assert end - start <= 3 * DAY_MS
    for day, start, end in days:
        for at_ms in (start, (start + end) // 2, end - 1):
            assert calendar.day_of(at_ms) == day
