"""The hot decoder's two ways: many lines in one call, and one by one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pulse.model.instants import to_ms
from pulse.model.wire import MAX_DEPTH, BadLine, Decoder, Entry, Line, is_too_deep

EVENT = {"id": "e", "account_id": "acme", "event": "x", "ts": "2024-10-24T19:33:01Z"}
DECODER = Decoder(["properties.feature", "properties.value", "properties.plan.name"])


def event(**more: Any) -> bytes:
    return json.dumps(EVENT | more).encode()


def what(raw: bytes) -> str:
    """The reason for which a line is refused, or its id."""
    line = DECODER.decode_line(raw)
    return line.reason if isinstance(line, BadLine) else line.id


def entries(value: bytes) -> list[tuple[int, bytes, str]]:
    return [
        (e.number, e.raw, e.line.reason if isinstance(e.line, BadLine) else e.line.id)
        for e in DECODER.decode_record(value)
    ]


# -- lines --------------------------------------------------------------------------------------


def test_only_the_properties_asked_for_are_read() -> None:
    line = DECODER.decode_line(event(properties={"value": 5, "plan": {"name": "pro"}, "x": [1]}))

    assert isinstance(line, Line)
    assert DECODER.getter("properties.value")(line) == 5
    assert DECODER.getter("properties.feature")(line) is None
    assert DECODER.getter("properties.plan.name")(line) == "pro"


def test_what_is_not_there_is_none() -> None:
    line = DECODER.decode_line(event(properties={"plan": "pro"}))

    assert isinstance(line, Line)
    assert DECODER.getter("properties.plan.name")(line) is None


@pytest.mark.parametrize(
    ("ts", "ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T01:00:00.001999+01:00", 1),
        ("2024-10-24t19:33:01z", 1_729_798_381_000),
        (1_729_798_381_007, 1_729_798_381_007),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
    ],
)
def test_times(ts: str | int, ms: int) -> None:
    line = DECODER.decode_line(event(ts=ts))

    assert isinstance(line, Line)
    assert to_ms(line.ts) == ms


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "not_json"),
        (event()[:-1], "not_json"),
        (event() + event(), "not_json"),
        (b"\xef\xbb\xbf" + event(), "not_json"),
        (event()[:-1] + b',"u":"\x00"}', "not_json"),
        (event()[:-1] + b',"u":NaN}', "not_json"),
        (event()[:-1] + b',"u":"\xff"}', "not_utf8"),
        (event()[:-1] + b',"\xc3(":1}', "not_utf8"),
        (b"7", "wrong_shape"),
        (b"[" + event() + b"]", "wrong_shape"),
        (b"{}", "wrong_shape"),
        (event(id=5), "wrong_shape"),
        (event(id=""), "wrong_shape"),
        (event(id="x" * 257), "wrong_shape"),
        (event(source=None), "wrong_shape"),
        (event(ts=1.5), "wrong_shape"),
        (event(ts="2024-10-24T19:33:01"), "wrong_shape"),
        (event(properties=None), "wrong_shape"),
        (event(properties=[]), "wrong_shape"),
        (event()[:-1] + b',"u":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too_deep"),
        (b'{"a":' * 100_000, "too_deep"),
        (event(x="y" * (5 << 20)), "too_large"),
    ],
    ids=lambda value: repr(value[:60]) if isinstance(value, bytes) else value,
)
def test_a_line_that_is_no_event_has_a_reason(raw: bytes, reason: str) -> None:
    assert what(raw) == reason


def test_fields_that_are_not_the_lines_own_do_not_count() -> None:
    assert what(event(type=5, profile="none")) == "e"
    record = {"id": "p", "account_id": "a", "ts": 0, "type": "profile", "profile": {"plan": "pro"}}
    line = DECODER.decode_line(json.dumps(record | {"event": 5, "properties": []}).encode())

    assert isinstance(line, Line)
    assert line.profile is not None
    assert line.profile.plan == "pro"


def test_of_a_doubled_field_the_last_counts() -> None:
    assert what(b'{"id":5,' + event(id="last")[1:]) == "last"
    assert what(event()[:-1] + b',"id":5}') == "wrong_shape"


@pytest.mark.parametrize(
    ("levels", "deep"), [(1, False), (MAX_DEPTH, False), (MAX_DEPTH + 1, True), (10**6, True)]
)
def test_how_deep_is_too_deep(levels: int, deep: bool) -> None:
    assert is_too_deep(b"[" * levels + b" " * 2 * MAX_DEPTH + b"]" * levels) is deep


def test_brackets_in_strings_are_no_levels() -> None:
    assert not is_too_deep(json.dumps({"x": "[{" * 1000, "y": '\\"[' * 1000}).encode())
    assert not is_too_deep(json.dumps([[]] * 10_000).encode())


# -- records ------------------------------------------------------------------------------------


def test_a_record_of_several_lines() -> None:
    first, second = event(id="a"), event(id="b")

    for value in (first + b"\n" + second, first + b"\n" + second + b"\n\n"):
        assert entries(value) == [(1, first, "a"), (2, second, "b")]


def test_line_numbers_count_blank_and_bad_lines() -> None:
    first, bad, second = event(id="a"), b'{"id":', event(id="b")
    value = b"\n" + first + b"\n \t\n" + bad + b"\n" + second

    assert entries(value) == [(2, first, "a"), (4, bad, "not_json"), (5, second, "b")]


@pytest.mark.parametrize("first", [event(account_id=7), b'{"id":"b"}', b"[]", b"7"])
def test_a_bad_first_line_takes_nothing_with_it(first: bytes) -> None:
    good = event(id="a")

    assert entries(first + b"\n" + good) == [(1, first, "wrong_shape"), (2, good, "a")]


def test_lines_may_end_as_on_windows() -> None:
    value = event(id="a") + b"\r\n" + event(id="b") + b"\r\n"

    assert [(number, what) for number, _, what in entries(value)] == [(1, "a"), (2, "b")]


def test_one_object_over_several_lines_is_one_line() -> None:
    pretty = json.dumps(EVENT, indent=2).encode()

    assert entries(pretty) == [(1, pretty, "e")]
    assert entries(b"\n" + pretty + b"\n") == [(1, b"\n" + pretty + b"\n", "e")]


def test_a_wrong_object_over_several_lines_is_refused_whole() -> None:
    pretty = json.dumps(EVENT | {"id": 5}, indent=2).encode()

    assert entries(pretty) == [(1, pretty, "wrong_shape")]


@pytest.mark.parametrize("value", [b"", b"\n", b" \r\n\t\n"])
def test_a_record_without_a_line(value: bytes) -> None:
    assert entries(value) == [(1, value, "empty")]


def test_a_huge_line_takes_nothing_with_it() -> None:
    huge = event(x="y" * (5 << 20))
    value = b"\n".join([event(id="a"), huge, event(id="b")])

    assert entries(value) == [
        (1, event(id="a"), "a"),
        (2, huge, "too_large"),
        (3, event(id="b"), "b"),
    ]


def test_a_large_record_of_good_lines_is_read() -> None:
    lines = [event(id=str(n), x="y" * 1000) for n in range(2_000)]

    assert len(DECODER.decode_record(b"\n".join(lines))) == 2_000


# -- many records at once -----------------------------------------------------------------------


def test_many_records_of_one_line_each() -> None:
    decoded = DECODER.decode_lines([event(id="a"), event(id="b", x="\u00e9")])

    assert decoded is not None
    assert [line.id for line in decoded.lines] == ["a", "b"]
    assert not decoded.is_printable  # an escape, as anything may be


def test_plain_texts_are_known_to_be_printable() -> None:
    plain = DECODER.decode_lines([event(id="a")])
    deleted = DECODER.decode_lines([event(id="a\x7f")])

    assert plain is not None
    assert deleted is not None
    assert plain.is_printable
    assert not deleted.is_printable


@pytest.mark.parametrize(
    "values",
    [
        [event(), event()[:-1]],
        [event(), event() + event()],
        [event() + event(), b""],
        [event(), event() + b"\n"],
        [event(), b" " + event()],
        [event(), b""],
        [event(), b"{}"],
        # Wrong each, well-formed together.
        [event()[:-1] + b',"x":{"y":{}', b'{"z":1}}}'],
        [event()[:-1] + b',"x":"}', b'{"}'],
        [event()[:-1] + b',"x":[{}', b"{}]}", event() + event()],
        [event()[:-1] + b',"x":"}', b'{"}' + event()],
        [event()[:-1] + b',"u":"\xff"}'],
        # The two halves of a letter.
        [event()[:-1] + b',"u":"\xc3"}', event()[:-1] + b',"\xa9":1}'],
        [event(x="y" * (1 << 20))],
        [b'{"a":' * 300 + b"1" + b"}" * 300],
    ],
)
def test_what_is_not_plainly_one_event_a_record_is_left_to_the_other_way(
    values: list[bytes],
) -> None:
    assert DECODER.decode_lines(values) is None


def test_records_of_several_lines_are_read_in_one_go() -> None:
    decoded = DECODER.decode_lines([event(id="a") + b"\n" + event(id="b"), event(id="c")])

    assert decoded is not None
    assert [line.id for line in decoded.lines] == ["a", "b", "c"]


def test_both_ways_say_the_same() -> None:
    values = [event(id=str(n), properties={"value": n}) for n in range(100)]
    decoded = DECODER.decode_lines(values)

    assert decoded is not None
    assert decoded.lines == [DECODER.decode_line(value) for value in values]
    assert DECODER.decode_record(b"\n".join(values)) == [
        Entry(n, value, DECODER.decode_line(value)) for n, value in enumerate(values, 1)
    ]
