"""What happens to alerts and what receivers are told of it, said as Alertmanager's tests say it.

    story = Story(Rules(root=Route(receivers=("cs",), wait_ms=1000), addressees=addressees("cs")))
    story.at(1).fires("acme")
    story.receiver("cs").wants(between(2, 3), fires("acme"))
    story.plays(60)

Seconds count from a Monday's midnight, UTC. Every notification must be wanted, in its order. The
clock stands still but for what happens: it goes from one thing that is due to the next.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from pulse.alerting.brief import Brief
from pulse.alerting.pipeline import Pipeline
from pulse.alerting.stages.matching import Matcher
from pulse.alerting.stages.muting import Silence, Snooze
from pulse.alerting.stages.routing import Addressee
from pulse.model.time import parse_ts

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulse.alerting.book import Rules
    from pulse.alerting.brief import Decision
    from pulse.alerting.stages.grouping import Notice

START_MS = parse_ts("2024-01-01T00:00:00Z")  # a Monday
MINUTE, HOUR, DAY = 60, 3_600, 86_400
RETRY_S = 10


class Said(NamedTuple):
    status: str
    account: str
    reason: str


class Span(NamedTuple):
    from_s: float
    to_s: float


def between(from_s: float, to_s: float) -> Span:
    return Span(from_s, to_s)


def fires(account: str, reason: str = "danger") -> Said:
    return Said("firing", account, reason)


def resolves(account: str, reason: str = "danger") -> Said:
    return Said("resolved", account, reason)


class Told(NamedTuple):
    at_s: float
    notice: Notice
    said: tuple[Said, ...]


@dataclass
class Receiver:
    """What it wants to be told, what it was told, and when it is down."""

    name: str
    wanted: list[tuple[Span, tuple[Said, ...]]] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    attempts: list[tuple[float, str]] = field(default_factory=list)
    down: list[Span] = field(default_factory=list)

    def wants(self, when: Span, *said: Said) -> Receiver:
        self.wanted.append((when, said))
        return self

    def is_down(self, when: Span) -> Receiver:
        self.down.append(when)
        return self

    def answers(self, at_s: float) -> bool:
        return not any(from_s <= at_s < to_s for from_s, to_s in self.down)

    def check(self) -> None:
        found = [f"{each.at_s:g} s: {sorted(each.said)}" for each in self.told]
        assert len(self.told) == len(self.wanted), f"{self.name} was told {found}"
        for told, (when, said) in zip(self.told, self.wanted, strict=True):
            assert sorted(told.said) == sorted(said), f"{self.name} was told {found}"
            assert when.from_s <= told.at_s <= when.to_s, f"{self.name} was told {found}"


class Moment:
    """Something that happens at an instant of a story."""

    def __init__(self, story: Story, at_s: float) -> None:
        self._story = story
        self._at_s = at_s

    def fires(self, account: str, reason: str = "danger", **facts: Any) -> Moment:
        return self._does(lambda: self._story.take("firing", account, reason, facts))

    def resolves(self, account: str, reason: str = "danger", **facts: Any) -> Moment:
        return self._does(lambda: self._story.take("resolved", account, reason, facts))

    def silences(self, name: str, until_s: float, **match: Any) -> Moment:
        silence = Silence(
            id=name, match=Matcher(**match), author="kim", reason="known",
            starts_ms=at(self._at_s), ends_ms=at(until_s),
        )  # fmt: skip
        return self._does(lambda: self._story.mute(silence))

    def lifts(self, name: str) -> Moment:
        return self._does(lambda: self._story.lift(name))

    def snoozes(self, account: str, until_s: float | None, reason: str = "danger") -> Moment:
        until_ms = None if until_s is None else at(until_s)
        return self._does(lambda: self._story.snooze(account, reason, until_ms))

    def acknowledges(self, account: str, reason: str = "danger") -> Moment:
        return self.snoozes(account, None, reason)

    def fleet_falls(self, until_s: float) -> Moment:
        return self._does(lambda: self._story.pipeline.hold_fleet(at(until_s), self._story.now_ms))

    def fleet_recovers(self) -> Moment:
        return self._does(lambda: self._story.pipeline.hold_fleet(None, self._story.now_ms))

    def crashes(self, rules: Rules | None = None) -> Moment:
        """With other rules: the configuration was changed meanwhile."""
        return self._does(lambda: self._story.crash(rules))

    def _does(self, what: Callable[[], object]) -> Moment:
        self._story.events.append((at(self._at_s), len(self._story.events), what))
        return self


class Story:
    """A pipeline, its receivers, a clock, and the log of what it wrote."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.pipeline = Pipeline(rules)
        self.now_ms = START_MS
        self.events: list[tuple[int, int, Callable[[], object]]] = []
        self.log: list[tuple[str, bytes | None]] = []
        self.decisions: list[Decision] = []
        self._receivers = {name: Receiver(name) for name in rules.addressees}
        self._attempts: dict[str, tuple[int, Notice]] = {}
        self._silences: dict[str, Silence] = {}
        self._snoozes: dict[str, Snooze] = {}
        self._episodes: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._briefs: dict[str, Brief] = {}

    def at(self, at_s: float) -> Moment:
        return Moment(self, at_s)

    def receiver(self, name: str) -> Receiver:
        return self._receivers[name]

    def reasons(self, account: str, reason: str = "danger") -> list[str]:
        """The reasons of all decisions on an account's alert, each once, in their order."""
        alert_id = self._id(account, reason)
        return list(dict.fromkeys(d.reason for d in self.decisions if d.alert_id == alert_id))

    def plays(self, until_s: float) -> None:
        """Let everything happen up to an instant; then every receiver must have what it wants."""
        until_ms = at(until_s)
        while (now_ms := self._next_ms()) is not None and now_ms <= until_ms:
            self.now_ms = now_ms
            self._happen()
            self._send(self.pipeline.flush(now_ms))
            self._attempt()
        for each in self._receivers.values():
            each.check()

    # -- what happens --------------------------------------------------------------------------

    def take(self, status: str, account: str, reason: str, facts: dict[str, Any]) -> None:
        if status == "firing":
            self._episodes[account, reason] += 1
        fields = {"severity": "critical", "mrr": 100.0, "risk": 0.5, **facts}
        brief = Brief(
            id=self._id(account, reason), account_id=account, reason=reason, status=status,
            at_ms=self.now_ms, **fields,
        )  # fmt: skip
        self._briefs[brief.id] = brief
        self.pipeline.take(brief, self.now_ms)

    def mute(self, silence: Silence) -> None:
        self._silences[silence.id] = silence
        self.pipeline.mute(self._silences.values(), self._snoozes, self.now_ms)

    def lift(self, name: str) -> None:
        del self._silences[name]
        self.pipeline.mute(self._silences.values(), self._snoozes, self.now_ms)

    def snooze(self, account: str, reason: str, until_ms: int | None) -> None:
        alert_id = self._id(account, reason)
        self._snoozes[alert_id] = Snooze(alert_id=alert_id, author="kim", until_ms=until_ms)
        self.pipeline.mute(self._silences.values(), self._snoozes, self.now_ms)

    def crash(self, rules: Rules | None = None) -> None:
        """The process dies and another one goes on with what was written."""
        self._write()
        self.rules = rules or self.rules
        self.pipeline = Pipeline(self.rules)
        under_way = self.pipeline.restore(self.log, self.now_ms)
        self.pipeline.mute(self._silences.values(), self._snoozes, self.now_ms)
        self._attempts = {each.id: (self.now_ms, each) for each in under_way}

    def _id(self, account: str, reason: str) -> str:
        return f"al_{account}-{reason}-{self._episodes[account, reason]}"

    # -- time ----------------------------------------------------------------------------------

    def _next_ms(self) -> int | None:
        self.events.sort(key=lambda each: each[:2])
        due = [self.events[0][0]] if self.events else []
        due += [at_ms for at_ms, _ in self._attempts.values()]
        next_ms = self.pipeline.next_ms()
        due += [] if next_ms is None else [max(next_ms, self.now_ms)]
        return min(due, default=None)

    def _happen(self) -> None:
        while self.events and self.events[0][0] <= self.now_ms:
            self.events.pop(0)[2]()
            self._write()

    def _send(self, made: list[Notice]) -> None:
        self._write()
        for notice in made:
            self._attempts[notice.id] = self.now_ms, notice

    def _attempt(self) -> None:
        for name, (at_ms, notice) in list(self._attempts.items()):
            if at_ms > self.now_ms:
                continue
            del self._attempts[name]
            if not self.pipeline.begins(name, self.now_ms):
                continue
            receiver = self._receivers[notice.receiver]
            at_s = (self.now_ms - START_MS) / 1000
            receiver.attempts.append((at_s, name))
            if receiver.answers(at_s):
                said = (Said(status, *self._of(alert)) for alert, status in notice.alerts)
                receiver.told.append(Told(at_s, notice, tuple(said)))
                self.pipeline.ended(name, "delivered", self.now_ms)
            else:
                self.pipeline.ended(name, "retry", self.now_ms)
                self._attempts[name] = self.now_ms + 1000 * RETRY_S, notice
            self._write()

    def _of(self, alert_id: str) -> tuple[str, str]:
        brief = self._briefs[alert_id]
        return brief.account_id, brief.reason

    def _write(self) -> None:
        self.log += self.pipeline.changes()
        self.decisions += self.pipeline.decisions()


def at(at_s: float) -> int:
    """The instant, so many seconds after the start."""
    return START_MS + round(1000 * at_s)


def addressees(*names: str, **settings: Any) -> dict[str, Addressee]:
    return {name: Addressee(name, **settings) for name in names}
