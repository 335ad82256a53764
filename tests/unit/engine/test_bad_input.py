"""Bad lines: each in the dead letter with its reason, and everything around it counted."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from pulse.config import Config
from pulse.config.policy import policy
from pulse.engagement.days import DAY_MS
from pulse.engine import DeadLetter, Engine, Misplaced, PartitionState
from pulse.model.time import parse_ts
from pulse.stream.state.pages import Context
from pulse.testing.histories import Log, profile, usage
from pulse.testing.playing import Play

NOW = "2024-06-01T12:00:00Z"
NOW_MS = parse_ts(NOW)
POLICY = policy(Config())


def bad(**changes: Any) -> bytes:
    return usage("bad", "acme", NOW, **changes)


def bad_profile(**facts: Any) -> bytes:
    return profile("bad", "acme", NOW, **facts)


GOOD = usage("good", "acme", NOW)
DEEP = b"[" * 50_000 + b"]" * 50_000

KINDS = (
    "tick", "history", "live", "config", "source", "forget", "rename", "arrival", "load", "loaded",
    "summary", "line",
)  # fmt: skip
HUGE = 10**30


def said(**fields: Any) -> bytes:
    """What might be a control record of any kind."""
    usual = {"type": "x", "ts": NOW_MS, "account": "acme", "to": "globex", "load": "l"}
    return json.dumps(usual | fields).encode()


CONTROLS = {
    "nothing": b"",
    "deep": DEEP,
    "deep where nobody looks": said()[:-1] + b',"other":' + DEEP + b"}",
    "deep in another format": b"\x91" * 5_000,
    "two bytes": b"\x91\x05",
    "true as its form": b"\x92\xc3\xa1a",
    "not UTF-8": b"\xff\xfe",
    "a time that no calendar has": said(ts=HUGE),
    "a late time": said(ts=10**18),
    "a number that no state has": said(
        version="digest-1", at=NOW_MS, scores=None, moved={}, standing=["", HUGE]
    ),
    "a digest of another time": said(
        version="digest-1", at=10**17, scores=None, moved={"a": 1}, standing=["", 1]
    ),
    "a digest of too many": said(
        version="digest-1", at=NOW_MS, scores=None, moved={}, standing=["", 1, HUGE, {"danger": -1}]
    ),
    "a line of another time": said(
        version="fleet-2024-06-01", effective_from="9999999-01-01T00:00:00Z", enter={"": 1e300}
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", CONTROLS.values(), ids=list(CONTROLS))
@pytest.mark.parametrize("is_ticking", [False, True])
def test_no_control_record_stops_a_worker(kind: str, value: bytes, is_ticking: bool) -> None:
    log, origin = Log(), ("pulse-forwarded-from", b"events/1/2/3")
    if is_ticking:
        log.tick(NOW)
    log.add(GOOD)
    log.add(value, ("pulse-control", kind.encode()), origin)
    log.tick(NOW_MS + DAY_MS)
    state, engine = PartitionState(), Engine(POLICY)
    engine.apply(state, log.records)

    if kind != "config":
        assert state.position == len(log.records)
    assert msgspec.msgpack.encode(Context.of(state))


BAD_LINES: dict[str, tuple[bytes, str]] = {
    "truncated": (GOOD[:-9], "not_json"),
    "truncated in a string": (GOOD[:25], "not_json"),
    "no closing bracket": (GOOD[:-1], "not_json"),
    "no JSON at all": (b"hello", "not_json"),
    "another format": (b"<event/>", "not_json"),
    "two objects on one line": (GOOD + GOOD, "not_json"),
    "trailing comma": (GOOD[:-1] + b",}", "not_json"),
    "byte order mark": (b"\xef\xbb\xbf" + GOOD, "not_json"),
    "nul byte": (GOOD[:-1] + b',"user_id":"a\x00b"}', "not_json"),
    "nul byte in what is skipped": (GOOD[:-1] + b',"other":"a\x00b"}', "not_json"),
    "nul byte alone": (b"\x00", "not_json"),
    "nul byte, escaped": (bad(user_id="a\x00b"), "wrong_shape"),
    "half of a surrogate pair": (GOOD[:-1] + b',"user_id":"\\ud800"}', "not_json"),
    "invalid UTF-8": (GOOD[:-1] + b',"user_id":"\xff"}', "not_utf8"),
    "invalid UTF-8 in what is skipped": (GOOD[:-1] + b',"other":"\xc3("}', "not_utf8"),
    "invalid UTF-8 in a name": (GOOD[:-1] + b',"\xff":1}', "not_utf8"),
    "UTF-16": (GOOD.decode().encode("utf-16-le").replace(b"\n", b""), "not_json"),
    "deep": (GOOD[:-1] + b',"other":' + DEEP + b"}", "too_deep"),
    "deep in a property that is read": (
        GOOD[:-1] + b',"properties":{"value":' + DEEP + b"}}",
        "too_deep",
    ),
    "5 MB": (bad(other="x" * (5 << 20)), "too_large"),
    "5 MB of rubbish": (b"\xff" * (5 << 20), "too_large"),
    "number": (b"7", "wrong_shape"),
    "null": (b"null", "wrong_shape"),
    "list": (b"[" + GOOD + b"]", "wrong_shape"),
    "empty object": (b"{}", "wrong_shape"),
    "no event": (json.dumps({"id": "b", "account_id": "a", "ts": NOW}).encode(), "wrong_shape"),
    "number for an id": (bad(id=7), "wrong_shape"),
    "empty account": (bad(account_id=""), "wrong_shape"),
    "account of 257 characters": (bad(account_id="a" * 257), "wrong_shape"),
    "account with a line break": (bad(account_id="a\nb"), "wrong_shape"),
    "id that cannot be printed": (bad(id="a\u202eb"), "wrong_shape"),
    "source that cannot be printed": (bad(source="\x7f"), "wrong_shape"),
    "event that cannot be printed": (bad(event="\x01"), "wrong_shape"),
    "list of users": (bad(user_id=["ada"]), "wrong_shape"),
    "no time": (json.dumps({"id": "b", "account_id": "a", "event": "x"}).encode(), "wrong_shape"),
    "time without a zone": (bad(ts="2024-06-01T12:00:00"), "wrong_shape"),
    "time in words": (bad(ts="yesterday"), "wrong_shape"),
    "time as a fraction": (bad(ts=NOW_MS + 0.5), "wrong_shape"),
    "time before 1970": (bad(ts=-1), "wrong_shape"),
    "time beyond all bounds": (bad(ts=10**40), "wrong_shape"),
    "time of the wrong kind": (bad(ts=True), "wrong_shape"),
    "properties as a list": (bad(properties=[1]), "wrong_shape"),
    "value as text": (bad(properties={"value": "5"}), "wrong_shape"),
    "value as a truth": (bad(properties={"value": True}), "wrong_shape"),
    "value too large": (bad(properties={"value": 1e9 + 1}), "wrong_shape"),
    "value beyond a double": (
        GOOD[:-1] + b',"properties":{"value":1e999}}',
        "wrong_shape",
    ),
    "value of 400 digits": (bad(properties={"value": 10**400}), "wrong_shape"),
    "value of 5,000 digits": (
        GOOD[:-1] + b',"properties":{"value":' + b"9" * 5_000 + b"}}",
        "wrong_shape",
    ),
    "feature of 5,000 digits": (
        GOOD[:-1] + b',"properties":{"feature":' + b"9" * 5_000 + b"}}",
        "wrong_shape",
    ),
    "feature as an object": (bad(properties={"feature": {}}), "wrong_shape"),
    "year 3000": (bad(ts="3000-01-01T00:00:00Z"), "future"),
    "year 9999": (bad(ts="9999-12-31T23:59:59.999+14:00"), "future"),
    "year 1970": (bad(ts=0), "too_late"),
    "profile without a profile": (bad(type="profile"), "wrong_shape"),
    "profile as text": (bad(type="profile", profile="pro"), "wrong_shape"),
    "seats as text": (bad_profile(seats="5"), "wrong_shape"),
    "half a seat": (bad_profile(seats=0.5), "wrong_shape"),
    "less than no money": (bad_profile(mrr=-1), "wrong_shape"),
    "more than all money": (bad_profile(mrr=1e300), "wrong_shape"),
    "empty name": (bad_profile(name=""), "wrong_shape"),
    "plan that cannot be printed": (bad_profile(plan="a\tb"), "wrong_shape"),
    "zone that does not exist": (bad_profile(timezone="Europe/Atlantis"), "wrong_shape"),
    "zone that is a path": (bad_profile(timezone="../../etc/passwd"), "wrong_shape"),
    "zone of this machine": (bad_profile(timezone="localtime"), "wrong_shape"),
    "renewal before 1970": (bad_profile(renewal_at=-5), "wrong_shape"),
    "renewal in words": (bad_profile(renewal_at="soon"), "wrong_shape"),
}
CASES = pytest.mark.parametrize(("raw", "reason"), BAD_LINES.values(), ids=BAD_LINES.keys())


def good(number: int) -> bytes:
    return usage(f"good {number}", f"account {number % 7}", NOW_MS + number)


def counted(play: Play) -> int:
    """Every event weighs one and is recent, so the tiles hold their number."""
    statuses = play.statuses().values()
    return sum(status["measures"]["events"]["84d"] for status in statuses)


def letters(play: Play) -> list[tuple[int, int, bytes, str]]:
    return [(x.offset, x.line, x.raw, x.reason) for x in play.outcome.dead_letters]


@CASES
def test_in_a_record_of_its_own(raw: bytes, reason: str) -> None:
    play = Play(POLICY)
    play.log.tick(NOW)
    for number in range(20):
        play.log.add(good(number))
    offset = play.log.add(raw)
    for number in range(20, 40):
        play.log.add(good(number))
    play.apply(play.log.records)

    assert letters(play) == [(offset, 1, raw, reason)]
    assert play.outcome.dead_letters[0].detail
    assert counted(play) == 40
    assert play.outcome.counts["events"] == 41


@CASES
def test_in_a_record_of_many_lines(raw: bytes, reason: str) -> None:
    play = Play(POLICY)
    play.tick(NOW)
    play.add(good(1), good(2), b"", raw, good(3), raw, good(4))

    assert letters(play) == [(1, 4, raw, reason), (1, 6, raw, reason)]
    assert counted(play) == 4
    assert play.outcome.counts["events"] == 6


@CASES
def test_as_the_first_and_the_last_of_a_batch(raw: bytes, reason: str) -> None:
    play = Play(POLICY)
    play.tick(NOW)
    for value in (raw, good(1), good(2), raw):
        play.log.add(value)
    play.apply(play.log.records[1:])

    assert letters(play) == [(1, 1, raw, reason), (4, 1, raw, reason)]
    assert counted(play) == 2


def test_all_of_them_among_all_kinds_of_records() -> None:
    play = Play(POLICY)
    play.log.tick(NOW)
    numbers = iter(range(100_000))
    wanted = []
    for raw, reason in BAD_LINES.values():
        for _ in range(3):
            play.log.add(good(next(numbers)))
        wanted.append((play.log.add(raw), 1, raw, reason))
        play.log.tick(NOW)
        lines = [good(next(numbers)), raw, good(next(numbers))]
        wanted.append((play.log.add(b"\n".join(lines)), 2, raw, reason))
    for first in range(0, len(play.log.records), 50):
        play.apply(play.log.records[first : first + 50])

    assert letters(play) == wanted
    assert counted(play) == next(numbers)


def test_a_record_without_anything() -> None:
    play = Play(POLICY)
    play.log.add(None)
    play.log.add(b"")
    play.apply(play.log.records)

    assert [(x.raw, x.reason) for x in play.outcome.dead_letters] == [(b"", "empty")] * 2


def test_a_bad_line_makes_no_account() -> None:
    play = Play(POLICY)
    play.add(bad(properties={"value": "5"}))

    assert len(play.state) == 0


def test_a_bad_line_may_be_repaired_and_sent_again() -> None:
    play = Play(POLICY)
    play.tick(NOW)
    play.add(bad(properties={"value": "5"}))
    play.add(bad(properties={"value": 5}))

    assert counted(play) == 1
    assert play.outcome.counts["duplicates"] == 0


# -- misplaced ----------------------------------------------------------------------------------


def placed(*records: tuple[bytes, tuple[tuple[str, bytes], ...]]) -> tuple[Any, PartitionState]:
    """Accounts with an x belong to partition 1; this is partition 0."""
    engine, state, log = (
        Engine(POLICY, lambda account: int("x" in account)),
        PartitionState(0),
        Log(),
    )
    for value, headers in records:
        log.add(value, *headers)
    return engine.apply(state, log.records), state


def test_an_event_of_another_partition_is_handed_on_alone() -> None:
    here, there = usage("a", "here", NOW), usage("b", "x there", NOW)
    effects, state = placed((here, ()), (there, ()), (here + b"\n" + there, ()))

    assert effects.misplaced == [
        Misplaced(1, 1, there, "x there"),
        Misplaced(2, 2, there, "x there"),
    ]
    assert effects.counts == {"events": 4, "duplicates": 1, "misplaced": 2}
    assert list(state.ids()) == ["here"]


def test_one_that_was_handed_on_and_is_still_wrong_is_a_dead_letter() -> None:
    there = usage("b", "x there", NOW)
    effects, _ = placed((there, (("pulse-forwarded-from", b"pulse.events/3/7"),)))

    assert effects.misplaced == []
    assert effects.dead_letters == [
        DeadLetter(0, 1, there, "misplaced", effects.dead_letters[0].detail)
    ]


def test_what_is_handed_on_twice_counts_once_however_far_apart() -> None:
    engine, state, log = Engine(POLICY), PartitionState(0), Log()

    def hand_on(number: int, origin: str) -> None:
        log.add(usage(f"e{number}", "acme", NOW), ("pulse-forwarded-from", origin.encode()))

    log.tick(NOW)
    hand_on(1, "pulse.events/3/7/1")
    hand_on(2, "pulse.events/3/7/2")
    hand_on(3, "pulse.events/2/5/1")
    later_ms = NOW_MS + 3 * DAY_MS
    log.tick(later_ms)  # by now no id is remembered any more
    hand_on(1, "pulse.events/3/7/1")
    hand_on(2, "pulse.events/3/7/2")
    hand_on(3, "pulse.events/2/5/1")
    hand_on(4, "pulse.events/3/8/1")
    effects = engine.apply(state, log.records)

    assert effects.counts["duplicates"] == 3
    assert engine.status(state.account("acme"), later_ms)["measures"]["events"]["7d"] == 4


@pytest.mark.parametrize(
    "origin",
    [
        None,
        b"",
        b"x",
        b"t/0/1",
        b"t/0/-1/1",
        b"t/0/1/+1",
        b"t/0/" + b"9" * 20 + b"/1",
        b"t/\xb2/1/1",
    ],
)
def test_a_header_that_names_no_origin_is_nothing(origin: bytes | None) -> None:
    engine, state, log = Engine(POLICY), PartitionState(0), Log()
    # Kafka's headers may hold None, which the type of those we write does not.
    log.add(usage("a", "acme", NOW), ("pulse-forwarded-from", origin), ("traceparent", None))  # type: ignore[arg-type]  # see above
    log.add(usage("b", "acme", NOW), ("pulse-forwarded-from", origin))  # type: ignore[arg-type]  # see above
    effects = engine.apply(state, log.records)

    assert effects.counts == {"events": 2}
    assert state.forwarded == {}


def test_whoever_hands_on_something_later_hides_nothing() -> None:
    engine, state, log = Engine(POLICY), PartitionState(0), Log()
    for number, offset in enumerate((3, 4, 10**15, 1, 2, 3, 4)):
        log.add(
            usage(f"e{number}", "acme", NOW),
            ("pulse-forwarded-from", b"pulse.events/3/%d/1" % offset),
        )
    effects = engine.apply(state, log.records)

    assert effects.counts["duplicates"] == 2
    assert state.account("acme").events.today == 5_000_000


def test_what_was_handed_on_before_a_restart_is_not_handed_on_again() -> None:
    engine, state, log = (
        Engine(POLICY, lambda account: int("x" in account)),
        PartitionState(0),
        Log(),
    )
    log.add(usage("b", "x there", NOW))
    log.add(b"hello")
    state.settled = 2
    effects = engine.apply(state, log.records)

    assert (effects.misplaced, effects.dead_letters) == ([], [])
    assert effects.counts["skipped"] == 2
