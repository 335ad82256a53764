from __future__ import annotations

import json
from typing import Any

from pulse.engine.ticks import TICK_STEP_MS
from pulse.model.time import format_ms, parse_ts
from pulse.playback.lines import FileLine
from pulse.playback.script import Cue, Script

NOW_MS = parse_ts("2024-06-01T00:00:00Z")
HOUR = TICK_STEP_MS


def event(ts: Any, account_id: str = "acme", **more: Any) -> bytes:
    fields = {"id": str(ts), "account_id": account_id, "event": "opened", "ts": ts} | more
    return json.dumps(fields).encode()


def script(*raws: bytes, until: str | None = None) -> Script:
    return Script(
        [FileLine("f", number, raw) for number, raw in enumerate(raws, 1)],
        until_ms=None if until is None else parse_ts(until),
        now_ms=NOW_MS,
    )


def told(cues: Script) -> list[str]:
    """`tick TIME` and `line NUMBER`, in the order in which they are played."""
    said = []
    for cue in cues:
        if cue.tick_ms is not None:
            said.append(f"tick {format_ms(cue.tick_ms)}")
        if cue.line is not None:
            said.append(f"line {cue.line.number}")
    return said


def test_a_tick_comes_in_front_of_the_first_event_of_an_hour() -> None:
    played = script(
        event("2024-01-01T10:10:00Z"),
        event("2024-01-01T10:50:00Z"),
        event("2024-01-01T13:00:01Z"),
    )

    assert told(played) == [
        "tick 2024-01-01T10:00:00Z",
        "line 1",
        "line 2",
        "tick 2024-01-01T13:00:00Z",
        "line 3",
        "tick 2024-01-01T13:00:01Z",
    ]
    assert (played.first_ms, played.last_ms) == (
        parse_ts("2024-01-01T10:10:00Z"),
        parse_ts("2024-01-01T13:00:01Z"),
    )


def test_the_order_of_the_file_is_kept() -> None:
    assert told(script(event("2024-01-02T00:00:00Z"), event("2024-01-01T00:00:00Z"))) == [
        "tick 2024-01-02T00:00:00Z",
        "line 1",
        "line 2",
    ]


def test_a_cue_says_whose_event_it_is_and_when() -> None:
    (cue,) = script(event(HOUR, "änne"))

    assert cue == Cue(HOUR, FileLine("f", 1, event(HOUR, "änne")), "änne", HOUR)


def test_until_leaves_later_events_out_and_ends_the_clock_there() -> None:
    played = script(
        event("2024-01-01T00:00:00Z"),
        event("2024-01-03T00:00:01Z"),
        event("2024-01-02T00:00:00Z"),
        event("2024-01-03T00:00:00Z"),
        event("3000-01-01T00:00:00Z"),
        b"{",
        until="2024-01-03T00:00:00Z",
    )

    assert told(played) == [
        "tick 2024-01-01T00:00:00Z",
        "line 1",
        "tick 2024-01-02T00:00:00Z",
        "line 3",
        "tick 2024-01-03T00:00:00Z",
        "line 4",
        "line 6",
    ]
    assert (played.left_out, played.unreadable) == (2, 1)


def test_until_beyond_the_last_event_moves_the_clock_on() -> None:
    played = script(event("2024-01-01T00:00:00Z"), until="2024-02-01T00:00:00Z")

    assert told(played)[-1] == "tick 2024-02-01T00:00:00Z"


def test_a_wrong_year_does_not_move_the_clock() -> None:
    played = script(
        event("2024-01-01T00:00:00Z"),
        event("3000-01-01T00:00:00Z"),
        event("2024-01-01T01:00:00Z"),
    )

    assert told(played) == [
        "tick 2024-01-01T00:00:00Z",
        "line 1",
        "line 2",
        "tick 2024-01-01T01:00:00Z",
        "line 3",
    ]


def test_a_wrong_year_at_the_beginning_meets_a_clock_already() -> None:
    played = script(event("3000-01-01T00:00:00Z"), event("2024-01-01T00:00:00Z"))

    assert told(played) == [
        "tick 1970-01-01T00:00:00Z",
        "line 1",
        "tick 2024-01-01T00:00:00Z",
        "line 2",
    ]


def test_what_cannot_be_read_is_played_and_moves_nothing() -> None:
    bad = [
        b"{",
        b"[1]",
        b"\xff",
        event(-5),
        event(10**18),
        event("yesterday"),
        event("2024-01-01T00:00:00Z", account_id=""),
        b"[" * 100_000,
        event("2024-01-01T00:00:00Z", properties={"x": "y" * (2 << 20)}),
    ]
    played = script(event("2024-01-01T00:00:00Z"), *bad, event("2024-01-01T00:00:01Z"))

    assert told(played) == [
        "tick 2024-01-01T00:00:00Z",
        *(f"line {number}" for number in range(1, len(bad) + 3)),
        "tick 2024-01-01T00:00:01Z",
    ]
    assert played.unreadable == len(bad)


def test_only_bad_lines_make_no_clock() -> None:
    assert told(script(b"{", event(-1))) == ["line 1", "line 2"]


def test_nothing_makes_nothing() -> None:
    assert told(script()) == []
