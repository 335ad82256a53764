"""Thousands of alerts to receivers that misbehave, the notifier killed at random meanwhile.

Two receivers fail 30 % of their requests, throttle now and then, and are down for the middle third
of the alerts; one of them is gone for good after a while (410). Each alert is delivered or
accounted for, as `reckoning` says.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaProducer

from pulse.alerting.everybody.unreachable import REASON
from pulse.testing.alerts import sample_alert
from pulse.testing.clock import settle
from pulse.testing.deliveries import outcomes
from pulse.testing.kafka import KafkaServer
from pulse.testing.system import System
from pulse.testing.webhooks import EXAMPLE_SECRET, GONE, OK, Answer, WebhookReceiver, throttle

from .reckoning import State, Witnesses, alone, grouped, said_in, waits_for_digest
from .scenes import now_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pulse.alerting.records.reader import Deliveries
    from pulse.model import Alert
    from pulse.testing.webhooks import ReceivedRequest

pytestmark = pytest.mark.timeout(600)

log = logging.getLogger(__name__)

_FAILS = 0.3
_OWNERS = 20
_AT_ONCE = 16
"""Half of `notifier.concurrency`, since there are two receivers."""
_SETTLES_S = 1.0
"""Between an answer and its record, on a machine that is busy."""
_STUCK_S = 60.0
"""Longer than a notifier takes to start, with the broker's restart in between."""


class Endpoint:
    """A receiver that fails, throttles every `throttles` requests, and may be gone after some."""

    def __init__(self, seed: int, *, throttles: int, gone_after: int | None = None) -> None:
        self._chance = random.Random(seed)
        self._throttles = throttles
        self._gone_after = gone_after
        self._throttled_until_s = 0.0
        self.is_gone = False
        self.took = 0
        self.accepted: set[str] = set()
        self.heard: set[State] = set()
        self.server = WebhookReceiver(behaviour=self._answer, listener=self._note)

    @property
    def problems(self) -> list[str]:
        """What was wrong with signatures."""
        return [each.problem for each in self.server.requests if each.problem]

    def comes_back(self) -> None:
        """The notifier died: it may not know that the endpoint is gone."""
        self.is_gone = False

    def _answer(self, request: ReceivedRequest) -> Answer:
        self.took += 1
        if self._gone_after is not None and self.took > self._gone_after and not self.is_gone:
            self.is_gone = True
            return GONE
        if self.took % self._throttles == 0:
            self._throttled_until_s = time.monotonic() + 0.2
        if time.monotonic() < self._throttled_until_s:
            return throttle(1)
        answer = Answer(500) if self._chance.random() < _FAILS else OK
        return Answer(answer.status, after_s=0.01)

    def _note(self, request: ReceivedRequest) -> None:
        if request.accepted:
            self.accepted.add(request.id)
            self.heard.update(said_in(request))


class Flood:
    """Alerts in a topic, their receivers, and a notifier that dies now and then.

    `lost`: when answers may have been lost, spans of Unix time. `killed_at`: how many states
    of alerts the first receiver had heard of at each kill.
    """

    def __init__(self, system: System, endpoints: dict[str, Endpoint], seed: int) -> None:
        self.system = system
        self.endpoints = endpoints
        self.lost: list[tuple[float, float]] = []
        self.killed_at: list[int] = []
        self.states: list[tuple[str, Any]] = []
        self.is_broker_away = False
        self._chance = random.Random(seed)
        self._endless: dict[str, Alert] = {}
        self._notifier = system.process("notify")

    def knows(self, alerts: Sequence[Alert]) -> None:
        """All that will be produced: what has no end in it may get one after a kill."""
        ended = {alert.id for alert in alerts if alert.status == "resolved"}
        self._endless = {each.id: each for each in alerts if each.id not in ended}

    async def produce(self, alerts: Sequence[Alert], over_s: float = 0.0) -> None:
        """Write alerts to the topic, evenly over some seconds."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.system.bootstrap, acks="all", linger_ms=5
        )
        await producer.start()
        pieces = 20 if over_s else 1
        try:
            for number in range(pieces):
                for alert in _piece(alerts, number, pieces):
                    topic = self.system.config.kafka.topics.alerts
                    await producer.send(topic, alert.to_json(), alert.account_id.encode())
                    self.states.append((alert.id, alert.status))
                await asyncio.sleep(over_s / pieces)
        finally:
            await producer.stop()

    async def live_and_die(self, kills: int, tells: int) -> None:
        """Kill the notifier so often: while it starts, leads, or sends; then let it live.

        The kills are spread over the first 95 % of the states of alerts that it tells the first
        receiver, about `tells`; some of them come soon after the one before, while it starts or
        takes over. The third comes as soon as it has committed how far it read.
        """
        first = next(iter(self.endpoints.values()))
        for number in range(kills):
            self._notifier.dies_at = ("committed", 1) if number == 2 else None
            self._notifier.launch()
            if number == 2:
                await _until(self._notifier.ended)
            elif number % 3 == 2:
                await asyncio.sleep(self._chance.uniform(0, 9))
            else:
                share = (number + self._chance.random()) / kills
                await self._until_it_told(round(0.95 * share * tells))
            killed_s = time.time()
            self._notifier.kill()
            await settle()  # what it had sent is taken now, if nobody came to it before
            self.lost.append((killed_s - _SETTLES_S, time.time() + _SETTLES_S))
            for endpoint in self.endpoints.values():
                endpoint.comes_back()
            await self._end_what_was_told_last()
            self.killed_at.append(len(first.heard))
            said = {name: len(each.heard) for name, each in self.endpoints.items()}
            log.info("death %d, heard so far: %s", number + 1, said)
        self._notifier.launch()

    async def _end_what_was_told_last(self) -> None:
        """Its answer may be lost, so that it is not known to be told; its end has to be."""
        if self.is_broker_away:
            return
        first = next(iter(self.endpoints.values()))
        last = [r for r in first.server.requests[-_AT_ONCE:] if r.accepted]
        names = {name for request in last for name, status in said_in(request)}
        ends = [self._endless.pop(name) for name in sorted(names & self._endless.keys())]
        said = {"status": "resolved", "resolution": "recovered", "zone": "healthy"}
        await self.produce([each.model_copy(update=said) for each in ends])

    async def _until_it_told(self, least: int) -> None:
        """Until the first receiver heard of so many in all, or long hears of none."""
        heard = next(iter(self.endpoints.values())).heard
        before, deadline = len(heard), time.monotonic() + _STUCK_S
        while len(heard) < least and time.monotonic() < deadline:
            if len(heard) > before:
                before, deadline = len(heard), time.monotonic() + _STUCK_S
            await asyncio.sleep(0.02)

    async def down(self, work: Callable[[], Any]) -> None:
        """All endpoints are away while something is done."""
        began_s = time.time()
        for endpoint in self.endpoints.values():
            await endpoint.server.stop()
        self.lost.append((began_s - _SETTLES_S, time.time() + _SETTLES_S))
        await work()
        for endpoint in self.endpoints.values():
            await endpoint.server.start()

    async def without_broker(self, kafka: KafkaServer) -> None:
        """`kill -9` of the broker, and its restart on the same disk."""
        began_s = time.time()
        self.is_broker_away = True
        await asyncio.to_thread(kafka.kill)
        await asyncio.to_thread(kafka.start)
        self.is_broker_away = False
        self.lost.append((began_s - _SETTLES_S, time.time() + 20))
        log.info("the broker was away for %.1f s", time.time() - began_s)

    async def until_accounted(self, waits_s: float, within_s: float = 150) -> Deliveries:
        """What is recorded, once all is read and nothing is left, nor waits in a group.

        `waits_s`: how long a group waits at most before it says something more.
        """
        deadline = time.monotonic() + within_s
        while True:
            await self._until_nothing_is_left(waits_s, deadline)
            known = await asyncio.to_thread(self.system.known_deliveries)
            is_open = sum(each.is_open for each in known.notifications.values())
            if not is_open and not self._unread(known):
                return known
            what = f"{is_open} are open, {len(self._unread(known))} are recorded nowhere"
            assert time.monotonic() < deadline, f"{what}:\n{self._notifier.log_tail()}"
            await asyncio.sleep(0.5)

    async def _until_nothing_is_left(self, for_s: float, deadline: float) -> None:
        """Until the notifier leads and has had nothing to send for so long, by its own metrics:
        to read all that is recorded takes much longer.
        """
        since = time.monotonic()
        while time.monotonic() < min(since + for_s, deadline):
            if not await asyncio.to_thread(self._has_nothing_left):
                since = time.monotonic()
            await asyncio.sleep(0.2)

    def _has_nothing_left(self) -> bool:
        try:
            leads = self._notifier.metric("pulse_notifier_leads")
            return leads == 1 and self._notifier.metric("pulse_notifications_undelivered") == 0
        except OSError:
            return False  # it starts

    def _unread(self, known: Deliveries) -> list[str]:
        """Alerts whose last state is not recorded."""
        last = dict(self.states)
        return [
            name
            for name, status in last.items()
            if name not in known.alerts or known.alerts[name].entry.brief.status != status
        ]

    def witnesses(self, known: Deliveries) -> list[Witnesses]:
        """What is to be held against each other, for each receiver."""
        own: list[tuple[str, Any]] = [(name, "firing") for name in said_by_pulse(known)]
        states = [*self.states, *own]
        return [
            Witnesses(name, states, each.server.requests, known, self.lost, _AT_ONCE)
            for name, each in self.endpoints.items()
        ]


def said_by_pulse(known: Deliveries) -> list[str]:
    """The ids of the alerts that a receiver gets nothing any more."""
    return [k for k, each in known.alerts.items() if each.entry.brief.reason == REASON]


def _piece(alerts: Sequence[Alert], number: int, pieces: int) -> Sequence[Alert]:
    size = -(-len(alerts) // pieces)
    return alerts[number * size : (number + 1) * size]


def story(count: int, seed: int) -> list[Alert]:
    """So many alerts that begin, and the ends of a third of them, soon or much later."""
    chance = random.Random(seed)
    at_ms = now_ms()
    said: list[tuple[float, Alert]] = []
    for number in range(count):
        account = f"a{number}"
        more: dict[str, Any] = {
            "started_at_ms": at_ms,
            "at_ms": at_ms,
            "reason": chance.choice(["danger", "usage_drop", "payment_failed"]),
            "profile": {
                "name": account,
                "owner": f"owner-{number % _OWNERS}",
                "segment": f"segment-{number % 3}",
                "mrr": chance.randrange(10_000),
            },
        }
        said.append((number, sample_alert(account, **more)))
        if chance.random() < 0.3:
            after = chance.choice([1, count / 20, count / 3, count / 3, count / 2])
            said.append((number + after, sample_alert(account, "resolved", **more)))
    return [alert for _, alert in sorted(said, key=lambda each: each[0])]


def _system(
    bootstrap: str, folder: Path, prefix: str, flood: dict[str, Endpoint], **more: Any
) -> System:
    settings = {
        "receivers": [
            {
                "name": name,
                "kind": "webhook",
                "url": each.server.url,
                "secret_env": "PULSE_TEST_SECRET",
                "allow_private": True,
                "retry": {"schedule_s": [0, *[0.2] * 49]},
            }
            for name, each in flood.items()
        ],
        "notifier": {"fleet_guard": {"enabled": False}},
        **more,
    }
    system = System(bootstrap, folder, prefix=prefix, settings=settings)
    system.create_topics()
    return system


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_TEST_SECRET", EXAMPLE_SECRET)


async def test_each_alert_alone(tmp_path: Path, unique: str, seed: int) -> None:
    cs = Endpoint(seed, throttles=3_000)
    crm = Endpoint(seed + 1, throttles=400, gone_after=1_500)
    alerts = story(10_000, seed)
    thirds = [_piece(alerts, number, 3) for number in range(3)]
    async with AsyncExitStack() as stack:
        for each in (cs, crm):
            await stack.enter_async_context(each.server)
        kafka = stack.enter_context(KafkaServer(tmp_path / "kafka"))
        system = _system(kafka.bootstrap, tmp_path, unique, {"cs": cs, "crm": crm})
        stack.callback(system.stop)
        flood = Flood(system, {"cs": cs, "crm": crm}, seed)
        flood.knows(alerts)
        await flood.produce(thirds[0])
        dying = asyncio.create_task(flood.live_and_die(10, tells=9_000))
        await _until(lambda: len(cs.accepted) > 0.8 * 10_000 / 3)
        await flood.down(lambda: flood.produce(thirds[1], over_s=10))
        await flood.produce(thirds[2])
        await _until(lambda: len(cs.accepted) > 0.5 * 10_000)
        await flood.without_broker(kafka)
        await dying
        known = await flood.until_accounted(waits_s=0.5)

    for seen in flood.witnesses(known):
        assert alone(seen) == []
    # All the way: as it begins, in the outage, near the end.
    assert flood.killed_at[0] < 2_000
    assert flood.killed_at[-1] > 7_500
    assert cs.problems == crm.problems == []
    # There must have been something to account for.
    found = list(outcomes(known, "cs").values())
    assert found.count("superseded") > 50
    assert found.count("succeeded") > 5_000  # the slower the machine, the more is superseded
    assert list(outcomes(known, "crm").values()).count("disabled") > 5_000
    assert known.endpoints["crm"].http_status == 410
    gone = [each for each in crm.server.requests if each.status == 410]
    assert 1 <= len(gone) <= 2
    # That it is disabled is recorded before the others are told: a kill in between, and nobody is.
    assert len(said_by_pulse(known)) <= len(gone)
    assert len(crm.server.requests) < 1_500 + 3 * _AT_ONCE


async def test_in_groups_with_a_budget(
    kafka: KafkaServer, tmp_path: Path, unique: str, seed: int
) -> None:
    cs = Endpoint(seed, throttles=100)
    crm = Endpoint(seed + 1, throttles=100, gone_after=60)
    alerts = story(2_000, seed)
    thirds = [_piece(alerts, number, 3) for number in range(3)]
    weekly = 60
    at = datetime.now(UTC) + timedelta(hours=12)
    async with AsyncExitStack() as stack:
        for each in (cs, crm):
            await stack.enter_async_context(each.server)
        system = _system(
            kafka.bootstrap,
            tmp_path,
            unique,
            {"cs": cs, "crm": crm},
            route={"group_by": ["owner"], "group_wait": "1s", "group_interval": "1s"},
            budget={"weekly": weekly, "digest": {"at": f"{at:%H:%M}"}},
            timezone="UTC",
        )
        stack.callback(system.stop)
        flood = Flood(system, {"cs": cs, "crm": crm}, seed)
        flood.knows(alerts)
        dying = asyncio.create_task(flood.live_and_die(5, tells=1_000))
        await flood.produce(thirds[0], over_s=15)
        await flood.down(lambda: flood.produce(thirds[1], over_s=10))
        await flood.produce(thirds[2], over_s=15)
        await dying
        known = await flood.until_accounted(waits_s=2.5)

    waiting = 0
    for seen in flood.witnesses(known):
        assert grouped(seen) == []
        told = {state[0] for each in seen.told() for state in each.states}
        by_owner = [
            sum(known.alerts[name].entry.brief.owner == f"owner-{number}" for name in told)
            for number in range(_OWNERS)
        ]
        assert max(by_owner) <= weekly
        waiting += sum(waits_for_digest(seen, name) for name in known.alerts)
    assert cs.problems == crm.problems == []
    assert waiting > 100
    assert len(cs.accepted) > 50
    assert known.endpoints["crm"].http_status == 410


async def _until(condition: Callable[[], bool], within_s: float = 240.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - two servers and a process have no common event
            await asyncio.sleep(0.05)
