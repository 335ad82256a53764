"""The fleet falls together: one alert is sent, the accounts' own are held, and none is lost."""

from __future__ import annotations

from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from pulse.alerting.everybody.fleet import FleetRule
from pulse.alerting.records.reader import Deliveries
from pulse.notifier.dispatch import Notifier
from pulse.notifier.fleet.inhibit import FleetGuard, GuardSettings
from pulse.notifier.metrics import NotifierMetrics
from pulse.notifier.reading.arrival import Arrival
from pulse.notifier.reading.lease import Lease
from pulse.notifier.receiver import Attempt, Notification, Outcome, ReceiverSettings, Verdict
from pulse.notifier.state.log import PartitionClosed
from pulse.testing.alerts import sample_alert
from pulse.testing.clock import ManualClock, settle
from pulse.testing.deliveries import MemoryDeliveryLog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from pulse.model import Alert

pytestmark = pytest.mark.long

START_MS = 1_700_000_000_000
SETTINGS = ReceiverSettings(
    name="cs", url="http://cs.example", schedule_s=(0, 5), jitter=0, concurrency=4
)
HOLD_S = 600
GUARD = GuardSettings(FleetRule(0.1, 20, 3_600_000, HOLD_S * 1000))
FLEET = "* fleet_falls"


@dataclass
class Desk:
    """A receiver that takes everything, and notes when."""

    clock: ManualClock
    got: list[tuple[float, str]] = field(default_factory=list)
    takes_s: float = 0.0

    async def send(self, notification: Notification, attempt: Attempt) -> Outcome:
        alert = notification.alert
        said = f"{alert.account_id} {alert.reason} {alert.status}"
        self.got.append(((attempt.at_ms - START_MS) / 1000, said))
        await self.clock.sleep(self.takes_s)
        return Outcome(Verdict.DELIVERED, "ok", 200)

    async def close(self) -> None:
        pass


class Stage:
    """A notifier with two partitions; the alerts topic is kept, and heard again by the next one."""

    def __init__(self, settings: ReceiverSettings = SETTINGS) -> None:
        self.clock = ManualClock(START_MS)
        self.topic = MemoryDeliveryLog(2)
        self.settings = settings
        self.desk = Desk(self.clock)
        self.alerts: dict[int, list[Arrival]] = {0: [], 1: []}
        self.taken = {0: 0, 1: 0}
        self.positions: dict[int, int] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Notifier]:
        receivers = {"cs": (self.settings, self.desk)}
        lease = Lease(5.0, now_s=lambda: 0.0)
        guard, metrics = FleetGuard(GUARD), NotifierMetrics()
        notifier = Notifier(receivers, self.topic, self.clock, lease, metrics, guard=guard)
        await notifier.start()
        for partition, alerts in self.alerts.items():
            notifier.hear(partition, [each.heard() for each in alerts])
        self.positions = dict(await notifier.lead())
        await settle()
        try:
            yield notifier
        finally:
            await notifier.stop()

    async def take(self, notifier: Notifier, alerts: Iterable[Alert]) -> None:
        """The alerts come in, half of them in each partition."""
        self.produce(alerts)
        await self.read(notifier)

    def produce(self, alerts: Iterable[Alert]) -> None:
        for alert in alerts:
            number = int(alert.account_id[1:]) % 2
            kept = self.alerts[number]
            offset = len(kept)
            origin = f"pulse.alerts/{number}/{offset}"
            raw = alert.model_dump_json().encode()
            kept.append(Arrival(alert, raw, alert.at, origin, offset, 50))

    async def read(self, notifier: Notifier, *partitions: int) -> None:
        for number in partitions or (0, 1):
            begin = self.positions.get(number, 0)
            fresh = self.alerts[number][begin:]
            await notifier.take(number, fresh, len(self.alerts[number]))
            self.positions[number] = len(self.alerts[number])
        await settle()

    def sent(self, of: str = "") -> list[str]:
        return [what for _, what in self.desk.got if of in what]

    def known(self) -> Deliveries:
        deliveries = Deliveries()
        for key, value in self.topic.records[0]:
            deliveries.read(key, value)
        return deliveries

    def states(self) -> Counter[str]:
        found = self.known().notifications.values()
        return Counter(f"{each.alerts[0][1]} {each.state} {each.reason}".strip() for each in found)

    def last_steps(self) -> Counter[str]:
        """The last decision on each alert."""
        return Counter(each.beside.path[-1].reason for each in self.known().alerts.values())


def falls(numbers: Iterable[int], status: str = "firing", after_s: int = 0) -> list[Alert]:
    at_ms = START_MS + 1000 * after_s
    return [sample_alert(f"a{number}", status, at_ms=at_ms) for number in numbers]


async def test_twenty_of_a_hundred_are_twenty_alerts() -> None:
    stage = Stage()
    async with stage.running() as notifier:
        await stage.take(notifier, falls(range(20)))

    assert len(stage.sent("danger firing")) == 20
    assert not stage.sent(FLEET)


async def test_more_are_one_alert_and_their_own_are_held() -> None:
    stage = Stage()
    async with stage.running() as notifier:
        await stage.take(notifier, falls(range(60)))
        await stage.take(notifier, [sample_alert("a70", reason="payment_failed")])
        await stage.take(notifier, falls(range(80, 84)))
        assert stage.sent("danger") == []
        assert stage.sent() == [f"{FLEET} firing", "a70 payment_failed firing"]
        assert stage.last_steps() == {"fleet_falls": 64, "told": 2}

        await stage.clock.advance(HOLD_S - 1)
        assert len(stage.sent()) == 2
        await stage.clock.advance(2)

    assert len(stage.sent("danger firing")) == 64
    assert stage.sent(FLEET) == [f"{FLEET} firing", f"{FLEET} resolved"]
    assert min(at for at, what in stage.desk.got if "danger" in what) == HOLD_S


async def test_what_was_not_sent_yet_when_it_was_noticed_is_held_too() -> None:
    stage = Stage()
    stage.desk.takes_s = 1.0
    async with stage.running() as notifier:
        await stage.take(notifier, falls(range(20)))
        assert len(stage.sent("danger")) == 4, "as many as may be under way at once"
        await stage.take(notifier, falls(range(20, 40)))
        await stage.clock.advance(10)

        assert len(stage.sent("danger")) == 4
        assert stage.sent(FLEET) == [f"{FLEET} firing"]


async def test_where_the_fleet_recovers_only_what_still_falls_is_sent() -> None:
    stage = Stage()
    async with stage.running() as notifier:
        await stage.take(notifier, falls(range(60)))
        await stage.clock.advance(60)
        await stage.take(notifier, falls(range(5, 60), "resolved", 60))
        await stage.clock.advance(1)

        assert sorted(stage.sent("danger")) == [f"a{n} danger firing" for n in range(5)]
        assert stage.sent(FLEET) == [f"{FLEET} firing", f"{FLEET} resolved"]
        await stage.clock.advance(2 * HOLD_S)

    assert len(stage.sent()) == 7
    assert stage.states() == {"firing succeeded": 6, "resolved succeeded": 1}
    assert stage.last_steps() == {"told": 6, "resolved_before_sent": 55}


async def test_a_restart_goes_on_with_the_holding_and_tells_it_once() -> None:
    stage = Stage()
    async with stage.running() as notifier:
        await stage.take(notifier, falls(range(60)))
        await stage.clock.advance(60)
    stage.topic.compact()
    async with stage.running() as notifier:
        await stage.clock.advance(60)
        assert stage.sent() == [f"{FLEET} firing"]
        await stage.take(notifier, falls(range(60, 70)))
        assert stage.sent() == [f"{FLEET} firing"]
        await stage.take(notifier, falls(range(2, 60), "resolved", 120))
        await stage.take(notifier, falls(range(60, 70), "resolved", 120))
        await stage.clock.advance(1)

    assert sorted(stage.sent("danger")) == ["a0 danger firing", "a1 danger firing"]
    assert stage.sent(FLEET) == [f"{FLEET} firing", f"{FLEET} resolved"]


async def test_what_was_heard_to_have_ended_is_not_sent_before_its_end_is_read() -> None:
    stage = Stage()
    async with stage.running() as notifier:
        await stage.take(notifier, falls(range(60)))
    stage.produce(falls(range(2, 60), "resolved", 60))
    async with stage.running() as notifier:
        notifier.hear(0, [])
        await stage.clock.advance(60)
        assert sorted(stage.sent("danger")) == ["a0 danger firing", "a1 danger firing"]
        await stage.read(notifier)
        await stage.clock.advance(HOLD_S)

    assert len(stage.sent("danger")) == 2


async def test_a_restart_after_the_end_tells_nothing_again() -> None:
    stage = Stage()
    async with stage.running() as notifier:
        await stage.take(notifier, falls(range(60)))
        await stage.clock.advance(HOLD_S + 5)
    before = len(stage.sent())
    async with stage.running() as notifier:
        await stage.take(notifier, falls(range(60, 63)))
        await stage.clock.advance(HOLD_S + 5)

    assert before == 62
    assert len(stage.sent()) == 65


async def test_another_process_takes_over_what_the_one_that_led_held() -> None:
    stage = Stage()
    async with stage.running() as notifier:
        await stage.take(notifier, falls(range(60)))
        await stage.clock.advance(60)
        assert stage.sent() == [f"{FLEET} firing"]

    async with stage.running():
        await stage.clock.advance(HOLD_S)
    assert stage.sent(FLEET) == [f"{FLEET} firing", f"{FLEET} resolved"]
    assert len(stage.sent("danger firing")) == 60


async def test_who_gets_only_alerts_that_may_be_held_is_told_why_there_are_none() -> None:
    stage = Stage(replace(SETTINGS, reasons=("silence",)))
    async with stage.running() as notifier:
        await stage.take(notifier, falls(range(60)))

    assert stage.sent() == [f"{FLEET} firing"]


@pytest.mark.parametrize("recovers", [True, False])
async def test_a_crash_after_any_record_loses_nothing(recovers: bool) -> None:
    """Whatever was written last: who still falls is told of, and nothing is told twice."""
    for let in [*range(70), *range(70, 260, 9)]:
        stage = Stage()
        stage.topic.let = let

        async def play(stage: Stage, notifier: Notifier) -> None:
            if not stage.alerts[0]:
                stage.produce(falls(range(40)))
            await stage.read(notifier)
            await stage.clock.advance(30)
            if recovers:
                if len(stage.alerts[0]) == 20:
                    stage.produce(falls(range(3, 40), "resolved", 30))
                await stage.read(notifier)
            await stage.clock.advance(HOLD_S + 10)

        try:
            async with stage.running() as notifier:
                await play(stage, notifier)
        except PartitionClosed:
            pass
        stage.topic.let = None
        async with stage.running() as notifier:
            await play(stage, notifier)
            await stage.clock.advance(HOLD_S + 10)

        told = Counter(stage.sent("danger firing"))
        assert {f"a{n} danger firing" for n in range(3 if recovers else 40)} <= set(told), let
        assert stage.sent(FLEET)[0] == f"{FLEET} firing", let
        assert set(stage.sent(FLEET)) <= {f"{FLEET} firing", f"{FLEET} resolved"}, let
        left = [each for each in stage.states() if "pending" in each or "retrying" in each]
        assert not left, let
