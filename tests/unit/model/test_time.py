from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.model.time import MAX_MS, format_ms, parse_ts


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2024-10-24T19:33:01Z", 1_729_798_381_000),
        ("2024-10-24T21:33:01+02:00", 1_729_798_381_000),
        ("2024-10-24T19:33:01-00:00", 1_729_798_381_000),
        ("2024-10-24t19:33:01z", 1_729_798_381_000),
        ("2024-10-24T19:33:01.5Z", 1_729_798_381_500),
        ("2024-10-24T19:33:01.123999Z", 1_729_798_381_123),
        ("2024-02-29T12:00:00Z", 1_709_208_000_000),
        ("9999-12-31T23:59:59.999Z", MAX_MS),
    ],
)
def test_rfc_3339_is_read_to_the_millisecond(text: str, ms: int) -> None:
    assert parse_ts(text) == ms


@pytest.mark.parametrize(
    "value",
    [
        "2024-10-24T19:33:01",  # no offset
        "2024-10-24T19:33Z",  # no seconds
        "2024-10-24",
        "2023-02-29T12:00:00Z",
        "2016-12-31T23:59:60Z",  # a leap second
        "2024-10-24T24:00:00Z",
        " 2024-10-24T19:33:01Z",
        "1729798381000",
        "1969-12-31T23:59:59Z",
        "9999-12-31T23:59:59-01:00",
        "",
        "yesterday",
        -1,
        MAX_MS + 1,
        1_729_798_381_000.0,
        True,
        None,
        ["2024-10-24T19:33:01Z"],
    ],
)
def test_anything_else_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"^must "):
        parse_ts(value)


@given(st.integers(0, MAX_MS))
def test_what_is_written_is_read_back(ms: int) -> None:
    assert parse_ts(format_ms(ms)) == ms
    assert parse_ts(ms) == ms


def test_milliseconds_are_written_only_where_there_are_some() -> None:
    assert format_ms(1_729_798_381_000) == "2024-10-24T19:33:01Z"
    assert format_ms(1_729_798_381_040) == "2024-10-24T19:33:01.040Z"
    assert format_ms(MAX_MS) == "9999-12-31T23:59:59.999Z"


@pytest.mark.parametrize("ms", [-1, MAX_MS + 1])
def test_an_instant_outside_of_the_range_is_not_written(ms: int) -> None:
    with pytest.raises(ValueError, match="not between"):
        format_ms(ms)
