"""The danger line from the scores of the fleet: counted, laid, and taken at a day's start."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pulse.config import Config
from pulse.config.policy import policy
from pulse.engagement.days import DAY_MS, FIRST_DAY
from pulse.engine import Effects, Engine, PartitionState, fleet
from pulse.engine.fleet import FleetLine, Summary, line_of, onward, quantile, told
from pulse.model.time import format_ms, parse_ts
from pulse.testing.histories import Log, profile, usage
from pulse.testing.playing import Play

if TYPE_CHECKING:
    from pulse.engine import Policy

START_MS = parse_ts("2024-01-01T00:00:00Z")
TODAY = FIRST_DAY + START_MS // DAY_MS
SCORECARD = [{"measure": "active_days", "window": "28d", "weight": 1, "floor": 0, "target": 28}]


def rules(**changes: Any) -> Policy:
    line = {"from": "fleet", "min_history_days": 7, "min_active_days": 1, "dwell": "0s"}
    return policy(Config.model_validate({"scorecard": SCORECARD, "line": line, **changes}))


POLICY = rules()


def summary(scores: Any, **moved: int) -> Summary:
    return Summary(fleet.version(TODAY), START_MS, scores, moved)


def laid(scores: Any, by: Policy = POLICY) -> FleetLine:
    line = line_of(summary(scores), by)
    assert line is not None
    return line


def at(day: float) -> int:
    return START_MS + round(day * DAY_MS)


def day_of_fleet(add: Any, day: int, accounts: int) -> None:
    """Account n is used on n + 1 days of every 28; all are counted by 28 days later."""
    for number in range(accounts):
        if (day + number * 5) % 28 <= number:
            name = f"a{number:02}"
            add(usage(f"{day}-{name}", name, at(day + 10 / 24)))


def lived(until: int, accounts: int = 24, by: Policy = POLICY) -> Play:
    play = Play(by)
    for day in range(until):
        for hour in (1, 9, 17):
            play.tick(at(day + hour / 24))
            if hour == 9:
                day_of_fleet(play.add, day, accounts)
    return play


# -- pure numbers --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_a_quantile_of_tenths_is_that_of_the_sorted_scores(seed: int) -> None:
    chance = random.Random(seed)
    scores = [chance.randrange(1_001) for _ in range(chance.randrange(1, 200))]
    share = chance.choice([0.01, 0.1, 0.25, 0.5, 0.9])
    buckets = {score: scores.count(score) for score in scores}

    assert quantile(buckets, share) == sorted(scores)[max(math.ceil(share * len(scores)), 1) - 1]


def test_summaries_merge_in_any_order() -> None:
    parts = [{"": {10: 1, 20: 2}}, {"": {20: 1}, "smb": {5: 1}}, {}, {"smb": {5: 2, 6: 1}}]
    merged = []
    for order in (parts, parts[::-1], parts[2:] + parts[:2]):
        whole = summary({})
        for part in order:
            whole = whole.merged(part, {"healthy → danger": 1})
        merged.append(whole)

    assert merged[0] == merged[1] == merged[2]
    assert merged[0].moved == {"healthy → danger": 4}
    assert merged[0].scores == {"": {10: 1, 20: 3}, "smb": {5: 3, 6: 1}}


def test_exit_and_approach_keep_their_distances() -> None:
    line = laid({"": {312: 30}})
    found = POLICY.default.line.at(line.enter[""] / 10, fleet.version(line.day))

    assert (found.enter, found.exit, found.approach) == (31.2, 41.2, 46.2)
    assert found.version == "fleet-2024-01-01"
    assert line.effective_ms == START_MS + DAY_MS


def test_the_line_of_a_fleet_that_does_well_leaves_room_above_it() -> None:
    enter = laid({"": {1_000: 30}}).enter[""] / 10
    assert POLICY.default.line.at(enter, "").approach_exit == 100


def test_a_small_segment_keeps_the_line_that_is_configured() -> None:
    by = rules(segments={"large": {"line": {"enter": 30}}, "fixed": {"line": {"from": "fixed"}}})
    scores = {"": {500: 20}, "large": {400: 19}, "fixed": {300: 50}}

    assert laid(scores, by).enter == {"": 500}


def test_a_segment_has_a_quantile_of_its_own() -> None:
    by = rules(segments={"large": {"line": {"quantile": 0.5}}})
    scores = {name: {100: 10, 200: 10, 300: 20} for name in ("", "large")}

    assert laid(scores, by).enter == {"": 100, "large": 200}


def test_what_is_written_is_read() -> None:
    said = summary({"": {412: 3}, "smb": {0: 1}}, moved=2)
    line = FleetLine(TODAY, START_MS, {"": 412, "smb": 0})

    assert fleet.read_summary(said.record().value) == said
    assert fleet.read_line(line.record().value) == line
    assert line.record().value == (
        b'{"type":"line","version":"fleet-2024-01-01","effective_from":"2024-01-01T00:00:00Z",'
        b'"enter":{"":41.2,"smb":0.0}}'
    )


@pytest.mark.parametrize("value", [b"", b"{}", b"[]", b"\xff", b'{"type":"line","version":"x"}'])
def test_what_cannot_be_read_is_counted_and_changes_nothing(value: bytes) -> None:
    play = Play(POLICY)
    for kind in ("line", "summary"):
        play.log.control(kind, value)
    play.apply(play.log.records)

    assert play.outcome.counts == {"unknown_control": 2}
    assert play.state.lines == []


# -- one log ---------------------------------------------------------------------------------------


def test_an_account_is_judged_by_the_line_of_the_fleet_from_its_next_day_on() -> None:
    play = lived(60)
    line = play.status("a12")["line"]

    # The line made on a day holds from the next UTC day on.
    assert line["version"] == f"fleet-{format_ms(at(58))[:10]}"
    scores = sorted(status["score"] for status in play.statuses().values())
    assert line["enter"] == pytest.approx(scores[5], abs=0.1)
    below = [each for each in play.statuses().values() if each["score"] < line["enter"] - 4]
    assert len(below) >= 3
    assert {status["zone"] for status in below} == {"danger"}


def test_an_alert_says_the_version_of_the_line_that_made_its_score() -> None:
    play = lived(40)
    made = {alert.line.version for alert in play.outcome.alerts if alert.reason == "danger"}

    assert any(version and version.startswith("fleet-") for version in made)
    assert {alert.line.version for alert in lived(40, 5).outcome.alerts} == {POLICY.version}


def test_a_small_fleet_keeps_the_configured_line() -> None:
    play = lived(40, accounts=19)

    assert play.outcome.counts["lines"] > 0
    assert play.status("a12")["line"] == {
        "enter": 40, "exit": 50, "approach": 55, "version": POLICY.version
    }  # fmt: skip


def test_the_line_never_moves_within_a_day() -> None:
    play = lived(40)
    seen: dict[str, set[str]] = {}
    for hour in range(1, 49):
        play.tick(at(40) + hour * 3_600_000)
        for name in ("a05", "a20"):
            day = format_ms(at(40) + hour * 3_600_000)[:10]
            seen.setdefault(f"{name} {day}", set()).add(play.status(name)["line"]["version"])

    assert {len(versions) for key, versions in seen.items() if not key.endswith("02-12")} == {1}


def test_an_account_takes_the_line_when_its_own_day_starts() -> None:
    play = lived(40)
    play.add(profile("p", "a20", at(39.72), timezone="America/New_York"))
    versions = {}
    for hour in range(24, 72):
        play.tick(at(40) + hour * 3_600_000 + 2_000)
        versions[hour] = play.status("a20")["line"]["version"]

    # Its midnight is five o'clock UTC.
    assert [hour for hour in range(25, 72) if versions[hour] != versions[hour - 1]] == [29, 53]
    assert versions[29] == f"fleet-{format_ms(at(40))[:10]}"


def test_a_line_that_comes_late_holds_from_the_next_day_start() -> None:
    play = lived(40)
    before = play.status("a20")["line"]
    late = FleetLine(TODAY + 100, at(39.5), {"": 990})
    record = late.record()
    play.log.add(record.value, *record.headers)
    play.apply(play.log.records[-1:])
    play.tick(at(39.99))
    assert play.status("a20")["line"] == before
    play.tick(at(40) + 2_000)

    assert play.status("a20")["line"]["version"] == fleet.version(TODAY + 100)


def test_who_left_and_who_is_unknown_is_not_counted() -> None:
    ring = Ring(1)
    ring.live(0, 40)
    for number in range(4):
        name = f"a{number:02}"
        ring.add(usage(f"left {number}", name, at(39.72), event="subscription_cancelled"))
    ring.add(usage("young", "a99", at(39.72)))
    ring.tick(at(40.1))

    last = [r for r in ring.effects.summaries if r.scores]
    assert [sum(each.scores[""].values()) for each in last[-2:] if each.scores] == [24, 20]


def test_an_account_nobody_uses_any_more_follows_the_line_until_it_has_left() -> None:
    play = lived(30)
    for day in range(30, 200):
        play.tick(at(day) + 3_600_000)
        day_of_fleet(lambda line: None if b'"a20"' in line else play.add(line), day, 24)

    assert play.status("a20")["lifecycle"] == "dormant"
    assert play.status("a20")["line"]["version"] == f"fleet-{format_ms(at(198))[:10]}"
    play.tick(at(230))
    assert play.status("a20")["lifecycle"] == "churned"


# -- several partitions ----------------------------------------------------------------------------


class Ring:
    """Partitions whose logs get what each of them writes, as on Kafka."""

    def __init__(self, partitions: int, by: Policy = POLICY) -> None:
        self.engine = Engine(by, lambda name: int(name[1:]) % partitions)
        self.states = [PartitionState(number) for number in range(partitions)]
        self.logs = [Log() for _ in range(partitions)]
        self.away: set[int] = set()
        self.effects = Effects()

    def tick(self, at_ms: int) -> None:
        for log in self.logs:
            log.tick(at_ms)
        self.work()

    def add(self, line: bytes) -> None:
        number = int(line.split(b'"account_id":"a')[1][:2]) % len(self.logs)
        self.logs[number].add(line)
        self.work()

    def work(self) -> None:
        moved = True
        while moved:
            moved = False
            for number, state in enumerate(self.states):
                records = self.logs[number].records[state.position :]
                if number in self.away or not records:
                    continue
                effects = self.engine.apply(state, records)
                self.effects.alerts += effects.alerts
                self.effects.summaries += effects.summaries
                for said in effects.summaries:
                    self._hand_on(said, number)
                moved = True

    def _hand_on(self, said: Summary, number: int) -> None:
        partitions, by = len(self.logs), self.engine.policy
        for target, record in onward(said, number, partitions, by):
            self.logs[target].add(record.value, *record.headers)
        alert = told(said, number, partitions, by)
        self.effects.alerts += [] if alert is None else [alert]

    def live(self, first: int, last: int) -> None:
        for day in range(first, last):
            for hour in (1, 9, 17):
                self.tick(at(day + hour / 24))
                if hour == 9:
                    day_of_fleet(self.add, day, 24)

    def statuses(self) -> dict[str, dict[str, Any]]:
        found = {}
        for state in self.states:
            for name in state.ids():
                clock_ms = state.clock_ms or 0
                found[name] = self.engine.status(state.account(name), clock_ms, state.lines)
        return found


@pytest.mark.parametrize("partitions", [1, 2, 5])
def test_several_partitions_lay_the_line_that_one_log_does(partitions: int) -> None:
    ring = Ring(partitions)
    ring.live(0, 60)

    assert ring.statuses() == lived(60).statuses()


def test_a_partition_that_is_away_leaves_the_old_line_and_ends_no_other_round() -> None:
    ring = Ring(3)
    ring.live(0, 40)
    ring.away = {1}
    ring.live(40, 44)
    assert {state.lines[-1].day for n, state in enumerate(ring.states) if n != 1} == {TODAY + 39}

    ring.away = set()
    ring.live(44, 47)
    assert [state.lines[-1].day for state in ring.states] == [TODAY + 46] * 3
    # What it had missed was of no use any more.
    assert {line.day for line in ring.states[1].lines} <= {
        TODAY + 39,
        *range(TODAY + 43, TODAY + 47),
    }


def test_what_is_handed_on_twice_makes_one_line() -> None:
    ring = Ring(2)
    ring.live(0, 40)
    before = [len(log.records) for log in ring.logs]
    for log in ring.logs:
        for record in log.records[:]:
            if any(value in (b"summary", b"line") for _, value in record.headers):
                log.add(record.value, *record.headers)
    added = [len(log.records) - n for log, n in zip(ring.logs, before, strict=True)]
    ring.work()

    assert [len(log.records) - n for log, n in zip(ring.logs, before, strict=True)] == added


def test_history_that_is_played_lays_no_line() -> None:
    play = Play(POLICY)
    play.control("history")
    for day in range(40):
        play.tick(at(day) + 3_600_000)
        day_of_fleet(play.add, day, 24)
    assert play.state.lines == []
    play.control("live")
    play.tick(at(40) + 3_600_000)

    assert play.state.lines[-1].day == TODAY + 40


def test_a_fixed_line_makes_no_rounds() -> None:
    fixed = replace(POLICY, default=rules(line={"min_history_days": 7}).default)
    play = lived(30, by=fixed)

    assert play.outcome.counts["lines"] == 0
    assert play.status("a12")["line"]["version"] == fixed.version


def test_crossings_that_a_line_caused_are_marked_and_told_in_one_alert() -> None:
    ring, play = Ring(3), lived(60)
    ring.live(0, 60)
    alone = {(a.id, a.status): a for a in play.outcome.alerts}
    together = {(a.fields["id"], a.status): a.model() for a in ring.effects.alerts}

    assert together == alone
    summaries = [a for a in play.outcome.alerts if a.reason == "configuration"]
    marked = [a for a in play.outcome.alerts if a.caused_by == "configuration"]
    assert summaries
    assert marked
    assert {a.account_id for a in summaries} == {"*"}
    last_ms = max(a.at for a in summaries)
    crossed = {(a.account_id, a.at) for a in marked if a.at <= last_ms}
    # And who only left the band above danger, of whom no alert spoke.
    assert sum(int(str(a.evidence["accounts"])) for a in summaries) >= len(crossed) > 5
    assert "another zone because the line of the fleet moved (fleet-2024-" in summaries[-1].summary
