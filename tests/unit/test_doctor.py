"""What `pulse doctor` makes of what it sees."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pulse.config import Kafka
from pulse.doctor import judge
from pulse.doctor.found import Cluster, Fresh, Group, Letters, Reason, Stream
from pulse.doctor.judge import Finding, Verdict, worst
from pulse.topics.plan import FoundTopic, plan
from pulse.topics.wanted import wanted_topics

NOW_MS = 1_729_798_381_000
MINUTE_MS = 60_000
QUIET_MS = 30 * MINUTE_MS
OK, WARNING, PROBLEM = Verdict.ok, Verdict.warning, Verdict.problem


def stream(**said: dict[int, int] | dict[str, int]) -> Stream:
    """Two partitions, looked at for half an hour."""
    found = Stream(2, NOW_MS - QUIET_MS, NOW_MS)
    for name, value in said.items():
        setattr(found, name, value)
    return found


def test_the_brokers() -> None:
    there = judge.kafka(Cluster("4.0", ["kafka-1:9092", "kafka-2:9092"]))
    away = judge.kafka(Cluster("4.0", ["kafka-1:9092"], ["kafka-1:9092"]))

    assert there == Finding("kafka", OK, "Kafka 4.0, 2 brokers (kafka-1:9092, kafka-2:9092)")
    assert (away.verdict, "advertised.listeners" in away.advice) == (PROBLEM, True)


def test_the_topics() -> None:
    wanted = wanted_topics(Kafka(partitions=4))
    found = {
        each.name: FoundTopic(each.name, each.partitions, 1, dict(each.settings)) for each in wanted
    }
    events = found["pulse.events"]

    def judged(**changes: FoundTopic | None) -> Finding:
        named = {f"pulse.{name}": topic for name, topic in changes.items()}
        there = {name: topic for name, topic in (found | named).items() if topic is not None}
        return judge.topics(plan(wanted, there))

    assert judged() == Finding("topics", OK, "14 are there and right")
    assert judged(keys=None).verdict is PROBLEM
    assert "pulse.keys" in judged(keys=None).says
    assert judged(events=replace(events, partitions=3)).verdict is PROBLEM
    short = {**events.settings, "retention.ms": "60000"}
    assert judged(events=replace(events, settings=short)).says == (
        "pulse.events has retention.ms=60000, not 1209600000"
    )
    assert judged(events=replace(events, settings=short)).verdict is WARNING


@pytest.mark.parametrize(
    ("events", "verdict", "says"),
    [
        ({0: NOW_MS - 5_000, 1: NOW_MS - MINUTE_MS}, OK, "the last one 5 s ago"),
        ({0: NOW_MS - 5_000}, OK, "the last one 5 s ago; none within 30 min in partition 1"),
        ({}, WARNING, "none within 30 min"),
    ],
)
def test_the_events(events: dict[int, int], verdict: Verdict, says: str) -> None:
    found = judge.events(stream(events=events), QUIET_MS)

    assert (found.verdict, found.says) == (verdict, says)


def test_the_ticks() -> None:
    def judged(**ticks: int) -> Finding:
        found = stream(ticks={int(name[1:]): NOW_MS - age_ms for name, age_ms in ticks.items()})
        return judge.ticks(found, 1.0, has_worker=True)

    assert judged(p0=800, p1=1_200) == Finding("ticks", OK, "the last one 1 s ago")
    assert judged(p0=800, p1=-400).verdict is OK
    assert judged(p0=800).says == "none in partition 1: nothing falls due there"
    assert judged(p0=20_000, p1=30_000).says.startswith("the last one 30 s ago in partition 0, 1:")
    assert judged(p0=800, p1=11_000).verdict is PROBLEM
    assert judge.ticks(stream(), None, has_worker=False).verdict is OK


@pytest.mark.parametrize(
    ("fresh", "verdict"),
    [
        (Fresh(NOW_MS, NOW_MS + 100, NOW_MS - 3), OK),
        (Fresh(NOW_MS, NOW_MS + 100, None), OK),
        (Fresh(NOW_MS, NOW_MS + 7_000, NOW_MS), WARNING),
        (Fresh(NOW_MS, NOW_MS - 7_000, NOW_MS), WARNING),
        (Fresh(NOW_MS, NOW_MS, NOW_MS - 7_000), WARNING),
        (Fresh(NOW_MS, NOW_MS, NOW_MS + 7_000), PROBLEM),
        (None, WARNING),
    ],
)
def test_the_clocks(fresh: Fresh | None, verdict: Verdict) -> None:
    assert judge.clocks(fresh).verdict is verdict


def test_the_worker() -> None:
    runs = Group("pulse", 2, "Stable", {0: 900, 1: 0}, {0: 2, 1: 0}, 3_000)

    assert judge.worker(runs) == Finding(
        "worker",
        OK,
        "2 members in the group pulse; 900 records not committed, 2 records not dealt with, the "
        "oldest 3 s old",
    )
    # What is not committed may have been dealt with long ago; what is not dealt with may not.
    assert judge.worker(replace(runs, oldest_age_ms=11 * MINUTE_MS)).verdict is WARNING
    assert judge.worker(replace(runs, state="PreparingRebalance")).verdict is WARNING
    assert judge.worker(replace(runs, members=0, state="Empty")).verdict is PROBLEM


def test_the_notifier() -> None:
    none = Group("pulse-notifier", 0, "Dead", {0: 0}, {0: 0})
    slow = Group("pulse-notifier", 1, "Stable", {0: 5}, {0: 5}, 2 * MINUTE_MS)

    assert judge.notifier(none, receivers=0).verdict is OK
    assert judge.notifier(none, receivers=1).verdict is PROBLEM
    assert judge.notifier(slow, receivers=1).verdict is WARNING


def test_the_dead_letters() -> None:
    bad = Reason(7, 3, NOW_MS, "ts: must be RFC 3339", "pulse.events/3/17/1", '{"ts":"yes')
    old = Reason(2, 0, 0, "byte 3", "pulse.events/1/5/1", "x")
    unlinked = Reason(9, 9, NOW_MS, "of user ada", "", "{}")
    letters = Letters({"not_utf8": old, "wrong_shape": bad, "unlinked": unlinked}, False)

    newer, older = judge.letters(letters)
    assert (newer.verdict, older.verdict) == (WARNING, OK)
    assert newer.says == (
        "wrong_shape: at least 3 in the last day, 7 looked at. The last from pulse.events/3/17/1: "
        'ts: must be RFC 3339; {"ts":"yes'
    )
    assert judge.unlinked(letters).verdict is WARNING
    assert judge.unlinked(letters).says.startswith("at least 9 in the last day")
    assert [each.verdict for each in judge.letters(Letters({}))] == [OK]
    assert judge.unlinked(Letters({})).verdict is OK


def test_the_sources() -> None:
    running = {"web": NOW_MS - 5_000}

    def judged(**said: dict[str, int]) -> tuple[Verdict, str]:
        found = judge.sources(stream(**said), QUIET_MS)
        return found.verdict, found.says

    assert judged() == (OK, "none is known yet")
    assert judged(sources=running) == (OK, "web 5 s ago")
    assert judged(sources=running, known={"mobile": 0}) == (
        WARNING,
        "mobile not within 30 min; web 5 s ago",
    )
    assert judged(sources=running, stopped={"web": NOW_MS - 60 * MINUTE_MS}) == (
        WARNING,
        "web has stopped 60 min ago",
    )
    # What was looked at does not go back far enough to tell.
    short = stream(known={"mobile": 0})
    short.since_ms = NOW_MS - MINUTE_MS
    assert judge.sources(short, QUIET_MS).verdict is OK


def test_keys_tokens_and_redis() -> None:
    assert judge.keys(["web", "mobile", "web"]).says == "3 keys: mobile (1), web (2)"
    assert judge.keys([]).verdict is WARNING
    assert judge.tokens(["viewer", "admin", "viewer"]).says == ("3 tokens: admin (1), viewer (2)")
    assert judge.tokens([]).verdict is WARNING
    assert "pulse tokens make" in judge.tokens([]).advice
    assert judge.users(["member", "admin"], False).says == "2 users: admin (1), member (1)"
    assert judge.users([], False).verdict is WARNING
    assert judge.users([], True).verdict is OK
    assert judge.redis("redis://localhost", None).verdict is OK
    assert judge.redis("redis://localhost", "refused").verdict is PROBLEM


def test_the_worst_of_all_counts() -> None:
    assert worst([]) is OK
    assert worst(Finding("", each, "") for each in (OK, PROBLEM, WARNING)) is PROBLEM
