"""Whatever happens to alerts, people and the notifier: what receivers are told holds together."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pulse.alerting.book import Rules
from pulse.alerting.brief import Brief
from pulse.alerting.everybody.fleet import FALLS
from pulse.alerting.pipeline import Pipeline
from pulse.alerting.stages.budget import WEEK_MS, Budget
from pulse.alerting.stages.matching import Matcher
from pulse.alerting.stages.muting import Inhibition, Silence, Snooze
from pulse.alerting.stages.routing import Addressee, Route

if TYPE_CHECKING:
    from pulse.alerting.stages.grouping import Notice

pytestmark = pytest.mark.long

START_MS = 1_704_067_200_000
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
ACCOUNTS = {"a": "kim", "b": "kim"}
REASONS = ("danger", "usage_drop", "payment_failed")
RECEIVER = "cs"

PAYMENT = Inhibition(Matcher(reasons=("usage_drop",)), Matcher(reasons=("payment_failed",)))


def rules(weekly: int | None = None, repeat_ms: int | None = None, **route: Any) -> Rules:
    root = Route(receivers=(RECEIVER,), repeat_ms=repeat_ms, **route)
    return Rules(
        root=root,
        addressees={RECEIVER: Addressee(RECEIVER)},
        inhibitions=(PAYMENT,),
        budget=Budget(weekly=weekly),
    )


RULES = st.builds(
    rules,
    weekly=st.sampled_from([None, None, 1, 2]),
    repeat_ms=st.sampled_from([None, 10 * MINUTE_MS, DAY_MS]),
    group_by=st.sampled_from([("alert",), ("owner",), ("account",), ()]),
    wait_ms=st.sampled_from([0, 30_000]),
    interval_ms=st.sampled_from([0, 5 * MINUTE_MS]),
)

ALERT = st.tuples(st.sampled_from(sorted(ACCOUNTS)), st.sampled_from(REASONS))
_BEGIN = st.tuples(st.just("begin"), ALERT)
_END = st.tuples(st.just("end"), ALERT)
_FLUSH = st.tuples(st.just("flush"), st.none())
_ATTEMPT = st.tuples(st.just("attempt"), st.integers(0, 3))
ANSWERS = ("delivered", "refused", "timeout")
_ANSWER = st.tuples(st.just("answer"), st.sampled_from(ANSWERS))
_PASS = st.tuples(st.just("pass"), st.sampled_from([1_000, 40_000, 6 * MINUTE_MS, HOUR_MS, DAY_MS]))
_RACE = st.tuples(st.just("race"), st.tuples(ALERT, st.sampled_from(ANSWERS)))
STEPS = st.one_of(
    *(_BEGIN, _BEGIN, _BEGIN, _END, _END, _FLUSH, _FLUSH, _FLUSH, _ATTEMPT, _ATTEMPT, _ATTEMPT),
    *(_ANSWER, _ANSWER, _ANSWER, _PASS, _PASS, _RACE, _RACE),
    st.tuples(st.just("silence"), st.sampled_from(["a", "b", "*"])),
    st.tuples(st.just("lift"), st.none()),
    st.tuples(st.just("snooze"), ALERT),
    st.tuples(st.just("acknowledge"), ALERT),
    st.tuples(st.just("fleet"), st.booleans()),
)
STORIES = st.lists(STEPS, min_size=10, max_size=50)
CRASHES = st.sampled_from([None, None, None, 0, 1, 2, 3, 4])
"""After a step nothing happens, or the process dies with so many of its records written."""


DIES_AFTER_A_REPEAT: list[tuple[tuple[str, Any], int | None]] = [
    (("begin", ("a", "danger")), None),
    (("flush", None), None),
    (("attempt", 0), None),
    (("answer", "delivered"), None),
    (("pass", DAY_MS), None),
    (("flush", None), None),
    (("attempt", 0), None),
    (("answer", "delivered"), 1),
]
"""That the repeat was told is written in its group's record, and in its alert's not any more."""


class Run:
    """A pipeline and a receiver, driven step by step; everything that must hold is watched."""

    def __init__(self, rules: Rules, most: int | None = None) -> None:
        self.rules = rules
        self.most = most
        """How many notifications there may be at once."""
        self.pipeline = Pipeline(rules)
        self.now_ms = START_MS
        self.log: list[tuple[str, bytes | None]] = []
        self.last: dict[str, Brief] = {}
        self.unread: list[Brief] = []
        self.queue: dict[str, Notice] = {}
        self.in_flight: str | None = None
        self.heard: dict[str, tuple[int, Notice]] = {}
        """What the receiver was told, by notification: when that was made, in their order."""
        self.lost: set[str] = set()
        """Notifications that may have been heard without the notifier knowing."""
        self.silences: dict[str, Silence] = {}
        self.snoozes: dict[str, Snooze] = {}
        self.fleet_until_ms: int | None = None
        self.episodes: dict[tuple[str, str], int] = defaultdict(int)
        self.muted_when_made: list[tuple[str, Notice]] = []
        self.muted_when_begun: list[tuple[str, Notice]] = []
        self.digest_ms: dict[str, int] = {}
        """By alert over the budget, when its digest is due."""
        self.moved_ms: set[int] = set()
        self.came_ms: dict[tuple[str, str], int] = {}
        """By alert and state, when it came."""
        self.on_time: list[Notice] = []
        """Made when the pipeline wanted to be asked, and all before was delivered."""
        self.made: list[Notice] = []
        self.begun: list[Notice] = []
        self.until_ms = START_MS

    def step(self, what: str, how: Any) -> None:
        getattr(self, f"do_{what}")(how)
        self.log += self.pipeline.changes()
        for each in self.pipeline.decisions():
            if each.reason == "over_budget":
                self.moved_ms.add(self.now_ms)
                self.digest_ms[each.alert_id] = self.rules.budget.digest_at(self.now_ms, "UTC")

    def do_begin(self, alert: tuple[str, str]) -> None:
        if self._is_firing(alert):
            return
        self.episodes[alert] += 1
        self._take(alert, "firing")

    def do_end(self, alert: tuple[str, str]) -> None:
        if self._is_firing(alert):
            self._take(alert, "resolved")

    def do_pass(self, ms: int) -> None:
        self.now_ms += ms

    def do_flush(self, _: None) -> None:
        before = len(self.queue)
        for notice in self.pipeline.flush(self.now_ms, room=self.room):
            self.made.append(notice)
            self.muted_when_made += self._muted_of(notice)
            self.queue[notice.id] = notice
        assert self.most is None or len(self.queue) <= max(self.most, before)

    def room(self, _: str) -> int:
        for each in self.pipeline.withdrawn():
            if each.notice_id != self.in_flight:
                self.queue.pop(each.notice_id, None)
        return 1_000 if self.most is None else self.most - len(self.queue)

    def do_race(self, how: tuple[tuple[str, str], str]) -> None:
        """An alert changes while an attempt is under way."""
        alert, answer = how
        self.do_flush(None)
        self.do_attempt(0)
        (self.do_end if self._is_firing(alert) else self.do_begin)(alert)
        self.do_flush(None)
        self.do_answer(answer)

    def do_attempt(self, which: int) -> None:
        if self.in_flight is not None:
            assert not self.pipeline.begins(self.in_flight, self.now_ms), "twice at once"
            return
        if not self.queue:
            return
        names = list(self.queue)
        name = names[which % len(names)]
        if self.pipeline.begins(name, self.now_ms):
            self.in_flight = name
            self.begun.append(self.queue[name])
            self.muted_when_begun += self._muted_of(self.queue[name])
            for alert_id, status in self.queue[name].alerts:
                assert self.last[alert_id].status == status, "it has ended meanwhile"
        else:
            del self.queue[name]

    def do_answer(self, answer: str) -> None:
        """`timeout`: the receiver heard it, and the notifier cannot know."""
        if self.in_flight is None:
            return
        name, self.in_flight = self.in_flight, None
        if answer != "refused":
            self._hears(name)
        if answer == "timeout":
            self.lost.add(name)
        if answer == "delivered":
            del self.queue[name]
        self.pipeline.ended(name, "delivered" if answer == "delivered" else "retry", self.now_ms)

    def do_silence(self, account: str) -> None:
        self.silences[account] = Silence(
            id=account, match=Matcher(accounts=(account,)), author="kim", reason="known",
            starts_ms=self.now_ms, ends_ms=self.now_ms + HOUR_MS,
        )  # fmt: skip
        self.pipeline.mute(self.silences.values(), self.snoozes, self.now_ms)

    def do_lift(self, _: None) -> None:
        self.silences.clear()
        self.pipeline.mute((), self.snoozes, self.now_ms)

    def do_snooze(self, alert: tuple[str, str]) -> None:
        name = self._id(alert)
        until_ms = self.now_ms + HOUR_MS
        self.snoozes[name] = Snooze(alert_id=name, author="kim", until_ms=until_ms)
        self.pipeline.mute(self.silences.values(), self.snoozes, self.now_ms)

    def do_acknowledge(self, alert: tuple[str, str]) -> None:
        """Somebody takes an alert over that they were told of."""
        self.do_begin(alert)
        self.do_pass(HOUR_MS)
        self.do_flush(None)
        self.do_attempt(0)
        self.do_answer("delivered")
        name = self._id(alert)
        self.snoozes[name] = Snooze(alert_id=name, author="kim")
        self.pipeline.mute(self.silences.values(), self.snoozes, self.now_ms)

    def is_acknowledged(self, name: str) -> bool:
        return name in self.snoozes and self.snoozes[name].until_ms is None

    def do_fleet(self, falls: bool) -> None:
        self.fleet_until_ms = self.now_ms + HOUR_MS if falls else None
        self.pipeline.hold_fleet(self.fleet_until_ms, self.now_ms)

    def crash_in(self, what: str, how: Any, kept: int) -> None:
        """A step of which only a part is written; alerts that were not recorded come again."""
        if what == "race":
            self._die_in_a_race(*how, kept)
            return
        if what == "acknowledge":  # all of it is written before an attempt begins
            self.step(what, how)
            what, how = "flush", None
        answered = self.in_flight if what == "answer" else None
        made_before = len(self.made)
        getattr(self, f"do_{what}")(how)
        self.log += self.pipeline.changes()[:kept]
        if answered is not None and not kept:
            self.lost.add(answered)
        if self.in_flight is not None:
            if kept % 2:
                self._hears(self.in_flight)
            self.lost.add(self.in_flight)
        self._restart()
        # What was not recorded was not made.
        self.made[made_before:] = [n for n in self.made[made_before:] if n.id in self.queue]
        for brief in list(self.last.values()):
            # As the consumer does from its position: a state that was recorded is a repeat.
            if not brief.is_firing:
                begun = Brief(**{**_fields(brief), "status": "firing"})
                self.pipeline.take(begun, self.now_ms)
            self.pipeline.take(brief, self.now_ms)
        self.log += self.pipeline.changes()

    def _die_in_a_race(self, alert: tuple[str, str], answer: str, kept: int) -> None:
        self.step("flush", None)
        self.step("attempt", 0)
        change = "end" if self._is_firing(alert) else "begin"
        if answer == "refused":
            self.crash_in(change, alert, kept)
        else:
            self.step(change, alert)
            self.crash_in("answer", "delivered", kept)

    def _restart(self) -> None:
        self.in_flight = None
        self.pipeline = Pipeline(self.rules)
        under_way = self.pipeline.restore(self.log, self.now_ms)
        self.queue = {each.id: each for each in under_way}
        self.pipeline.mute(self.silences.values(), self.snoozes, self.now_ms)
        self.pipeline.hold_fleet(self.fleet_until_ms, self.now_ms)
        self.log += self.pipeline.changes()

    def drain(self) -> None:
        """All mutes end that have an end, the receiver is there, and what is due happens, for some
        weeks.
        """
        self.step("flush", None)
        self.step("answer", "delivered")
        for account in ACCOUNTS:
            self.step("end", (account, "payment_failed"))
        self.step("lift", None)
        self.snoozes = {name: each for name, each in self.snoozes.items() if not each.until_ms}
        self.step("lift", None)
        self.step("fleet", False)
        until_ms = self.now_ms + 30 * DAY_MS
        if self.rules.root.repeat_ms == 10 * MINUTE_MS:
            until_ms = self.now_ms + 3 * DAY_MS
        self.until_ms = until_ms
        for number in range(5_000):
            before = len(self.made)
            self.step("flush", None)
            self.on_time += self.made[before:] if number else []
            while self.queue:
                self.step("attempt", 0)
                self.step("answer", "delivered")
            next_ms = self.pipeline.next_ms(self.room)
            if next_ms is None or next_ms > until_ms:
                return
            self.now_ms = max(self.now_ms, next_ms)
        raise AssertionError("it never comes to rest")

    # -- what was told -------------------------------------------------------------------------

    def words(self) -> dict[str, list[tuple[str, Notice]]]:
        """By alert what the receiver heard of it, in order."""
        found: dict[str, list[tuple[str, Notice]]] = defaultdict(list)
        for _, notice in self.heard.values():
            for name, status in notice.alerts:
                found[name].append((status, notice))
        return found

    def _hears(self, name: str) -> None:
        notice = self.queue[name]
        assert self.heard.setdefault(name, (self.now_ms, notice))[1].alerts == notice.alerts

    def _take(self, alert: tuple[str, str], status: Any) -> None:
        account, reason = alert
        brief = Brief(
            id=self._id(alert), account_id=account, reason=reason, status=status,
            severity="warning", at_ms=self.now_ms, owner=ACCOUNTS[account], mrr=1.0, risk=0.5,
        )  # fmt: skip
        self.last[brief.id] = brief
        self.came_ms[brief.id, status] = self.now_ms
        self.pipeline.take(brief, self.now_ms)

    def _id(self, alert: tuple[str, str]) -> str:
        return f"al_{alert[0]}-{alert[1]}-{self.episodes[alert]}"

    def _is_firing(self, alert: tuple[str, str]) -> bool:
        brief = self.last.get(self._id(alert))
        return brief is not None and brief.is_firing

    def _muted_of(self, notice: Notice) -> list[tuple[str, Notice]]:
        return [(name, notice) for name, _ in notice.alerts if self._is_muted(name)]

    def _is_muted(self, name: str) -> bool:
        brief = self.last[name]
        if brief.is_firing:
            snooze = self.snoozes.get(name)
            if snooze is not None and (not snooze.until_ms or self.now_ms < snooze.until_ms):
                return True
            if brief.reason in FALLS and self.now_ms < (self.fleet_until_ms or 0):
                return True
            failed = self.last.get(self._id((brief.account_id, "payment_failed")))
            if brief.reason == "usage_drop" and failed is not None and failed.is_firing:
                return True
        return any(
            each.starts_ms <= self.now_ms < each.ends_ms
            for each in self.silences.values()
            if each.id in (brief.account_id, "*")
        )


def _fields(brief: Brief) -> dict[str, Any]:
    return {name: getattr(brief, name) for name in brief.__struct_fields__}


def tells_the_last_state_of_each(run: Run) -> None:
    words = run.words()
    for name, brief in run.last.items():
        said = [status for status, _ in words[name]]
        known = [status for status, notice in words[name] if notice.id not in run.lost]
        if brief.is_firing:
            assert said or run.is_acknowledged(name), f"{name} fires and was never told"
            assert set(said) <= {"firing"}
        elif "firing" in said:
            assert said[-1] == "resolved"
            assert known.count("resolved") <= 1
        assert said == sorted(said), "an end before its beginning"


def keeps_the_budget(run: Run) -> None:
    weekly = run.rules.budget.weekly
    if weekly is None:
        return
    first: dict[str, Notice] = {}
    for notice in sorted(run.begun, key=lambda each: each.made_ms):
        for name, status in notice.alerts:
            if status == "firing":
                first.setdefault(name, notice)
    told: dict[str, list[int]] = defaultdict(list)
    for name, notice in first.items():
        if not notice.is_digest:
            told[ACCOUNTS[run.last[name].account_id]].append(notice.made_ms)
    for instants in told.values():
        instants.sort()
        for number, at_ms in enumerate(instants):
            within = [each for each in instants[number:] if each < at_ms + WEEK_MS]
            assert len(within) <= weekly


def says_nothing_twice(run: Run) -> None:
    """No alert that fires is told again before its time, but where nobody knows if it was told."""
    repeat_ms = run.rules.root.repeat_ms
    for name, said in run.words().items():
        told = [n for status, n in said if status == "firing" and n.id not in run.lost]
        for before, after in pairwise(told):
            assert repeat_ms is not None, f"{name} was told twice"
            assert not after.is_digest
            assert after.made_ms - before.made_ms >= repeat_ms, f"{name} was told again too soon"


def says_again_what_still_fires(run: Run) -> None:
    repeat_ms = run.rules.root.repeat_ms
    for name, said in run.words().items():
        if run.is_acknowledged(name):
            continue
        if repeat_ms is not None and run.last[name].is_firing and not said[-1][1].is_digest:
            last_ms = max(notice.made_ms for _, notice in said)
            assert last_ms + repeat_ms + HOUR_MS > run.until_ms, f"{name} was forgotten"


def waits_between_notifications(run: Run) -> None:
    interval_ms = run.rules.root.interval_ms
    by_group: dict[str, list[Notice]] = defaultdict(list)
    for _, notice in run.heard.values():
        if not notice.is_digest:
            by_group[notice.group].append(notice)
    for notices in by_group.values():
        for before, after in pairwise(notices):
            if before.id not in run.lost:
                assert after.made_ms - before.made_ms >= interval_ms


def tells_nothing_before_its_time(run: Run) -> None:
    """A notification is made once one of its alerts has waited; a digest, once all came to their
    hour, and at no other.
    """
    for notice in run.made:
        if notice.is_digest:
            for name, status in notice.alerts:
                came_ms = run.came_ms[name, status]
                due_ms = run.digest_ms[name]
                if status == "resolved":
                    due_ms = run.rules.budget.digest_at(came_ms, "UTC")
                assert notice.made_ms >= due_ms, f"{name} was told before its digest"
        elif not notice.again:
            waited = [notice.made_ms - run.came_ms[each] for each in notice.alerts]
            # Or who had waited went to the digest in its place.
            assert max(waited) >= run.rules.root.wait_ms or notice.made_ms in run.moved_ms
    for notice in run.on_time:
        if notice.is_digest and run.most is None:
            due_ms = run.rules.budget.digest_at(notice.made_ms - 1, "UTC")
            assert notice.made_ms == due_ms, "a digest at any time"


@settings(max_examples=400, deadline=None)
@given(RULES, STORIES, st.sampled_from([None, None, 1, 2]))
def test_any_interleaving_tells_the_last_state_of_each_alert(
    given_rules: Rules, steps: list[tuple[str, Any]], most: int | None
) -> None:
    run = Run(given_rules, most)
    for what, how in steps:
        run.step(what, how)
    run.drain()

    tells_the_last_state_of_each(run)
    keeps_the_budget(run)
    says_nothing_twice(run)
    says_again_what_still_fires(run)
    waits_between_notifications(run)
    tells_nothing_before_its_time(run)
    assert run.muted_when_made == []
    assert run.muted_when_begun == []


@settings(max_examples=400, deadline=None)
@given(
    RULES,
    st.lists(st.tuples(STEPS, CRASHES), min_size=10, max_size=50),
    st.sampled_from([None, None, 1, 2]),
)
@example(rules(repeat_ms=DAY_MS), DIES_AFTER_A_REPEAT, None)
def test_a_process_that_dies_anywhere_loses_nothing(
    given_rules: Rules, steps: list[tuple[tuple[str, Any], int | None]], most: int | None
) -> None:
    run = Run(given_rules, most)
    for (what, how), kept in steps:
        if kept is None:
            run.step(what, how)
        else:
            run.crash_in(what, how, kept)
    run.drain()

    tells_the_last_state_of_each(run)
    keeps_the_budget(run)
    says_nothing_twice(run)
    says_again_what_still_fires(run)
    assert run.muted_when_begun == []


@settings(max_examples=100, deadline=None)
@given(RULES, STORIES)
def test_nothing_is_said_where_nothing_changes(
    given_rules: Rules, steps: list[tuple[str, Any]]
) -> None:
    run = Run(given_rules)
    for what, how in steps:
        run.step(what, how)
    run.drain()
    told = len(run.made)
    for _ in range(3):
        run.step("flush", None)
        run.crash_in("flush", None, 0)
        run.step("flush", None)

    assert len(run.made) == told


@settings(max_examples=200, deadline=None)
@given(RULES, STORIES)
def test_what_is_told_depends_on_what_happened_alone(
    given_rules: Rules, steps: list[tuple[str, Any]]
) -> None:
    one, other = Run(given_rules), Run(given_rules)
    for what, how in steps:
        one.step(what, how)
        other.step(what, how)

    assert one.made == other.made
    assert one.log == other.log
