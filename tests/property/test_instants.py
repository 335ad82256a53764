"""The fast reading of instants against the one of the edges."""

from __future__ import annotations

from datetime import date

from hypothesis import example, given
from hypothesis import strategies as st

from pulse.engagement.days import FIRST_DAY, LAST_DAY
from pulse.model.instants import to_ms
from pulse.model.time import MAX_MS, format_ms, parse_ts

parts = st.tuples(
    st.sampled_from(["1969", "1970", "1972", "1999", "2000", "2024", "2100", "9999"]),
    *(st.integers(0, most).map("{:02}".format) for most in (13, 32, 24, 60, 61)),
    st.sampled_from(["", ".5", ".500", ".123456", "."]),
    st.sampled_from(["Z", "z", "+00:00", "-01:30", ""]),
).map(lambda p: f"{p[0]}-{p[1]}-{p[2]}T{p[3]}:{p[4]}:{p[5]}{p[6]}{p[7]}")


def read(ts: str) -> int | None:
    try:
        return to_ms(ts)
    except ValueError:
        return None


def slowly(ts: str) -> int | None:
    try:
        return parse_ts(ts)
    except ValueError:
        return None


@given(parts)
@example("2023-02-29T00:00:00Z")
@example("2100-02-29T00:00:00Z")
@example("2000-02-29T23:59:59.999Z")
@example("2024-04-31T00:00:00Z")
@example("2024-12-31T23:59:60Z")
@example("1969-12-31T23:59:59Z")
@example("2024-10-24 19:33:01Z")
@example("2024-10-24t19:33:01Z")
@example("2024-1\u0660-24T19:33:01Z")
@example("")
def test_both_read_the_same(ts: str) -> None:
    assert read(ts) == slowly(ts)


@given(parts, st.data())
def test_also_what_is_nearly_an_instant(ts: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(ts) - 1))
    spoilt = ts[:at] + data.draw(st.sampled_from("0:-T.Z /\uff19")) + ts[at + 1 :]
    assert read(spoilt) == slowly(spoilt)


@given(st.integers(0, MAX_MS))
def test_what_is_written_is_read(ms: int) -> None:
    assert to_ms(format_ms(ms)) == to_ms(ms) == ms


def test_days_of_all_centuries() -> None:
    for day in range(FIRST_DAY, LAST_DAY, 13):
        text = f"{date.fromordinal(day).isoformat()}T00:00:00Z"
        assert to_ms(text) == (day - FIRST_DAY) * 86_400_000
