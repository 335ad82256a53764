"""The notifier on a clock turned by hand: what is sent when, and what a crash leaves."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
import structlog

from pulse.alerting.book import Rules
from pulse.alerting.records.delivery import Delivery, State
from pulse.alerting.records.reader import Deliveries
from pulse.alerting.stages.matching import Matcher
from pulse.alerting.stages.routing import Addressee, Route
from pulse.model import Alert
from pulse.notifier.dispatch import Notifier
from pulse.notifier.metrics import NotifierMetrics
from pulse.notifier.reading.arrival import Arrival, Bounds, Fullness
from pulse.notifier.reading.lease import Lease
from pulse.notifier.receiver import Attempt, Notification, Outcome, ReceiverSettings, Verdict
from pulse.notifier.state.log import PartitionClosed, Record
from pulse.testing.alerts import sample_alert
from pulse.testing.clock import ManualClock, settle
from pulse.testing.deliveries import MemoryDeliveryLog

if TYPE_CHECKING:
    from pulse.alerting.people.links import Links

OK = Outcome(Verdict.DELIVERED, "ok", 200)
ERROR = Outcome(Verdict.RETRY, "http_500", 500)
GONE = Outcome(Verdict.GONE, "http_410", 410)
START_MS = 1_700_000_000_000

SETTINGS = ReceiverSettings(
    name="cs", url="http://cs.example", schedule_s=(0, 5, 300), jitter=0, concurrency=4
)


def throttled(retry_after_s: float | None) -> Outcome:
    return Outcome(Verdict.THROTTLED, "http_429", 429, retry_after_s=retry_after_s)


@dataclass
class Desk:
    """A receiver that notes what it gets, with seconds since the start, and answers as told."""

    clock: ManualClock
    answers: list[Outcome] = field(default_factory=list)
    got: list[tuple[float, str]] = field(default_factory=list)
    takes_s: float = 0.0
    at_once: int = 0
    most_at_once: int = 0

    async def send(self, notification: Notification, attempt: Attempt) -> Outcome:
        alert = notification.alert
        self.got.append(((attempt.at_ms - START_MS) / 1000, f"{alert.account_id} {alert.status}"))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.clock.sleep(self.takes_s)
        finally:
            self.at_once -= 1
        return self.answers.pop(0) if self.answers else OK

    async def close(self) -> None:
        pass


class Stage:
    """A notifier with one partition (0), a desk a receiver, and a topic that survives it."""

    def __init__(self, *settings: ReceiverSettings, **bounds: int) -> None:
        self.clock = ManualClock(START_MS)
        self.topic = MemoryDeliveryLog()
        self.settings = settings or (SETTINGS,)
        self.metrics = NotifierMetrics()
        self.standing_still_s = 0.0
        self.lease = Lease(5.0, now_s=lambda: self.standing_still_s)
        self.bounds = Bounds(leave_within_s=0.2, **bounds)
        self.desks = {each.name: Desk(self.clock) for each in self.settings}
        self.offset = 0
        self.position: int | None = None
        self.partitions = 1
        self.rules: Rules | None = None
        self.links: Links | None = None

    @property
    def desk(self) -> Desk:
        return self.desks[self.settings[0].name]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Notifier]:
        receivers = {each.name: (each, self.desks[each.name]) for each in self.settings}
        metrics = self.metrics = NotifierMetrics()
        notifier = Notifier(
            receivers,
            self.topic,
            self.clock,
            self.lease,
            metrics,
            self.bounds,
            partitions=self.partitions,
            rules=self.rules,
            links=self.links,
        )
        await notifier.start()
        self.position = (await notifier.lead()).get(0)
        await settle()
        try:
            yield notifier
        finally:
            await notifier.stop()

    async def take(self, notifier: Notifier, *alerts: Alert) -> None:
        arrivals = [
            Arrival(alert, alert.model_dump_json().encode(), alert.at, f"pulse.alerts/0/{number}")
            for number, alert in enumerate(alerts, self.offset)
        ]
        self.offset += len(alerts)
        await notifier.take(0, arrivals, self.offset)
        await settle()

    def states(self) -> dict[str, str]:
        """State, and the reason of what is not delivered, by receiver and status."""
        return {
            f"{each.receiver} {each.alerts[0][1]}": f"{each.state} {each.reason}".strip()
            for each in self.known().notifications.values()
        }

    def known(self) -> Deliveries:
        """What the topic says, with the alerts."""
        deliveries = Deliveries(keep_json=True)
        for key, value in self.topic.records[0]:
            deliveries.read(key, value)
        return deliveries

    def history(self) -> list[Delivery]:
        """All that was ever said of notifications, in order."""
        found = []
        for key, value in self.topic.records[0]:
            if key.startswith("notification/") and value is not None:
                one = Deliveries()
                one.read(key, value)
                found += one.notifications.values()
        return found

    def path(self, account: str) -> list[str]:
        """The stages and reasons of what was decided on an account's alert."""
        path = self.known().alerts[sample_alert(account).id].beside.path
        return [f"{each.stage} {each.reason}" for each in path]


async def test_an_alert_is_recorded_sent_and_recorded_as_delivered() -> None:
    stage = Stage()
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("acme"))

    assert stage.desk.got == [(0.0, "acme firing")]
    assert stage.states() == {"cs firing": "succeeded"}
    assert [each.state for each in stage.history()] == [State.PENDING, State.SUCCEEDED]


async def test_each_outcome_is_shown_before_there_is_one() -> None:
    stage = Stage()
    async with stage.running():
        read = stage.metrics.registry.get_sample_value
        for outcome in ("succeeded", "retrying", "failed", "superseded", "disabled"):
            labels = {"receiver": "cs", "outcome": outcome}
            assert read("pulse_deliveries_total", labels) == 0


async def test_every_outcome_is_counted_and_no_account_is_a_label() -> None:
    stage = Stage()
    stage.desk.answers = [ERROR]
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("acme"), sample_alert("acme"))
        await stage.take(notifier, sample_alert("old", historical=True))
        read = stage.metrics.registry.get_sample_value
        assert read("pulse_notifications_undelivered") == 1
        await stage.clock.advance(5)

    def count(name: str, **labels: str) -> float | None:
        return read(name, {"receiver": "cs"} | labels)

    def decided(stage: str, reason: str, receiver: str = "") -> float | None:
        labels = {"stage": stage, "reason": reason, "receiver": receiver}
        return read("pulse_notification_decisions_total", labels)

    assert count("pulse_deliveries_total", outcome="retrying") == 1
    assert count("pulse_deliveries_total", outcome="succeeded") == 1
    assert decided("deduplicate", "told", "cs") == 1
    assert decided("group", "repeat") == 1
    assert decided("route", "historical") == 1
    assert count("pulse_delivery_attempt_failures_total", reason="http_500") == 1
    assert count("pulse_delivery_seconds_count") == 2
    assert count("pulse_receiver_disabled") == 0
    assert read("pulse_due_to_webhook_seconds_sum") == 5
    assert read("pulse_alerts_read_total") == 3
    labels = {
        value for m in stage.metrics.registry.collect() for s in m.samples for value in s.labels
    }
    assert labels <= {"receiver", "stage", "reason", "outcome", "le"}


async def test_what_was_not_delivered_to_all_says_so() -> None:
    stage = Stage()
    part = "1 of the recipients were refused: 550"
    stage.desk.answers = [Outcome(Verdict.DELIVERED, "recipients_refused", detail=part)]
    with structlog.testing.capture_logs() as lines:
        async with stage.running() as notifier:
            await stage.take(notifier, sample_alert("acme"))
            await stage.clock.advance(100)
    said = [line for line in lines if line["event"] == "notification delivered, but not to all"]
    assert [(line["log_level"], line["detail"]) for line in said] == [("warning", part)]
    assert stage.states() == {"cs firing": "succeeded recipients_refused"}
    assert len(stage.desk.got) == 1


async def test_a_repeat_on_the_topic_sends_nothing_also_after_a_restart() -> None:
    stage = Stage()
    alert, end = sample_alert("acme"), sample_alert("acme", "resolved")
    async with stage.running() as notifier:
        await stage.take(notifier, alert, alert)
        await stage.take(notifier, alert)
        await stage.take(notifier, end, end)
    stage.topic.compact()
    async with stage.running() as notifier:
        await stage.take(notifier, alert, end)

    assert [what for _, what in stage.desk.got] == ["acme firing", "acme resolved"]


async def test_failures_are_tried_again_on_the_schedule() -> None:
    stage = Stage()
    stage.desk.answers = [ERROR, ERROR]
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("acme"))
        await stage.clock.advance(10)
        assert stage.states() == {"cs firing": "retrying http_500"}
        await stage.clock.advance(300)

    assert [at for at, _ in stage.desk.got] == [0.0, 5.0, 305.0]
    assert stage.states() == {"cs firing": "succeeded"}


async def test_a_schedule_goes_on_where_it_was_after_a_restart() -> None:
    stage = Stage()
    stage.desk.answers = [ERROR, ERROR]
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("acme"))
        await stage.clock.advance(6)
    stage.topic.compact()
    async with stage.running():
        assert stage.position == 1
        await stage.clock.advance(298)
        assert len(stage.desk.got) == 2
        await stage.clock.advance(2)

    assert [at for at, _ in stage.desk.got] == [0.0, 5.0, 305.0]


async def test_what_cannot_be_opened_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()
    async with stage.running() as notifier:
        with monkeypatch.context() as broken:
            broken.setattr("pulse.notifier.dispatch.notification_of", None)
            await stage.take(notifier, sample_alert("acme"))
        assert stage.states() == {"cs firing": "retrying bug"}
        await stage.clock.advance(5)

    assert stage.desk.got == [(5.0, "acme firing")]


async def test_at_the_end_of_the_schedule_it_has_failed_and_its_end_is_still_told() -> None:
    stage = Stage()
    stage.desk.answers = [ERROR, ERROR, ERROR]
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("acme"))
        await stage.clock.advance(1000)
        assert stage.states() == {"cs firing": "failed http_500"}
        await stage.take(notifier, sample_alert("acme", "resolved"))

    assert [what for _, what in stage.desk.got] == ["acme firing"] * 3 + ["acme resolved"]


async def test_a_firing_that_was_not_sent_before_its_end_is_pointless_with_it() -> None:
    stage = Stage(replace(SETTINGS, schedule_s=(30, 5)))
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("acme"))
        await stage.take(notifier, sample_alert("acme", "resolved"))
        await stage.clock.advance(100)

    assert stage.desk.got == []
    assert stage.states() == {"cs firing": "superseded resolved_before_sent"}
    assert stage.path("acme") == ["deduplicate told", "group resolved_before_sent"]


async def test_a_firing_that_may_have_got_through_is_superseded_and_its_end_told() -> None:
    stage = Stage()
    stage.desk.answers = [ERROR]
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("acme"))
        await stage.clock.advance(1)
        await stage.take(notifier, sample_alert("acme", "resolved"))
        await stage.clock.advance(1000)

    assert stage.desk.got == [(0.0, "acme firing"), (1.0, "acme resolved")]
    assert stage.states() == {
        "cs firing": "superseded resolved_before_delivered",
        "cs resolved": "succeeded",
    }


@pytest.mark.parametrize("first", [OK, ERROR])
async def test_an_end_waits_for_a_firing_in_flight(first: Outcome) -> None:
    stage = Stage()
    stage.desk.takes_s, stage.desk.answers = 3, [first]
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("acme"))
        await stage.clock.advance(1)
        await stage.take(notifier, sample_alert("acme", "resolved"))
        await stage.clock.advance(100)

    assert stage.desk.got == [(0.0, "acme firing"), (3.0, "acme resolved")]
    assert stage.states()["cs resolved"] == "succeeded"


async def test_history_is_recorded_as_skipped_and_so_is_its_end() -> None:
    stage = Stage()
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("acme", historical=True))
        await stage.take(notifier, sample_alert("acme", "resolved"))

    assert stage.desk.got == []
    assert stage.states() == {}
    assert stage.path("acme") == ["route historical", "group firing_not_sent"]


async def test_gone_disables_the_endpoint_for_good() -> None:
    stage = Stage(SETTINGS, replace(SETTINGS, name="ops", url="http://ops.example"))
    stage.desk.answers = [ERROR, GONE]
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("acme"))
        await stage.take(notifier, sample_alert("bolt"))
        await stage.take(notifier, sample_alert("cube"))
        await stage.clock.advance(1000)
        assert len(stage.desk.got) == 2
    stage.topic.compact()
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("dune"))
        await stage.clock.advance(1000)

    assert len(stage.desk.got) == 2
    told = [what for _, what in stage.desks["ops"].got]
    assert sorted(told) == [
        "* firing",
        *(f"{each} firing" for each in ("acme", "bolt", "cube", "dune")),
    ]
    known = stage.known()
    ours = [each for each in known.notifications.values() if each.receiver == "cs"]
    assert [each.state for each in ours] == [State.DISABLED] * 5
    assert {sample_alert(each).id for each in ("acme", "bolt", "cube", "dune")} <= set(
        known.json
    ), "kept"
    assert known.endpoints["cs"].why == "gone"


@pytest.mark.parametrize("reasons", [("*",), ("danger",)])
async def test_that_an_endpoint_is_gone_is_told_to_others_also_where_no_route_leads_it_there(
    reasons: tuple[str, ...],
) -> None:
    stage = Stage(SETTINGS, replace(SETTINGS, name="ops", url="http://ops.example"))
    large = Route(match=Matcher(segments=("large",)), receivers=("ops",), key="large")
    stage.rules = Rules(
        root=Route(receivers=("cs",), routes=(large,)),
        addressees={"cs": Addressee("cs"), "ops": Addressee("ops", reasons)},
    )
    stage.desk.answers = [GONE]
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("acme"))

    assert stage.desks["ops"].got == [(0.0, "* firing")]


async def test_who_was_not_told_that_an_alert_began_is_not_told_its_end() -> None:
    stage = Stage()
    stage.desk.answers = [GONE]
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("acme"))
        await stage.take(notifier, sample_alert("bolt"))
    await stage.topic.broadcast(("endpoint/cs", None))
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("acme", "resolved"))
        await stage.take(notifier, sample_alert("bolt", "resolved"))

    # The first was attempted: perhaps it was heard.
    assert [what for _, what in stage.desk.got] == ["acme firing", "acme resolved"]
    assert stage.path("bolt")[-1] == "group firing_not_sent"


async def test_nothing_more_is_sent_while_it_is_recorded_that_an_endpoint_is_gone() -> None:
    stage = Stage(replace(SETTINGS, concurrency=1))
    stage.desk.answers = [GONE]
    recorded = asyncio.Event()
    append = stage.topic.append

    async def slow(partition: int, records: Sequence[Record]) -> None:
        if records[0][0] == "endpoint/cs":
            await recorded.wait()
        await append(partition, records)

    stage.topic.append = slow  # type: ignore[method-assign]  # a Kafka that is slow
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("acme"), sample_alert("bolt"))
        await stage.clock.advance(1000)
        assert len(stage.desk.got) == 1
        recorded.set()
        await stage.clock.advance(1000)

    assert len(stage.desk.got) == 1
    states = [each.state for each in stage.known().notifications.values()]
    assert states == [State.DISABLED] * 2


@pytest.mark.parametrize("let", range(1, 8))
@pytest.mark.parametrize("fails_for_days", [False, True])
async def test_a_crash_while_an_endpoint_is_disabled_leaves_nobody_untold(
    fails_for_days: bool, let: int
) -> None:
    settings = replace(SETTINGS, schedule_s=(0, *[43_200] * 20)) if fails_for_days else SETTINGS
    stage = Stage(settings, replace(SETTINGS, name="ops", url="http://ops.example"))
    stage.desk.answers = [ERROR] * 1_000 if fails_for_days else [GONE] * 2
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("acme"))
        if fails_for_days:
            await stage.clock.advance(4.9 * 86_400)
            stage.topic.let = let
            await stage.clock.advance(0.2 * 86_400)
    if not fails_for_days:
        written = stage.topic.records[0]
        first = next(at for at, (key, _) in enumerate(written) if key == "endpoint/cs")
        del written[first + let :]
    stage.topic.let = None
    for _ in range(2):
        async with stage.running():
            await stage.clock.advance(43_200)
    told = [what for _, what in stage.desks["ops"].got]
    assert "* firing" in told
    briefs = [each.entry.brief for each in stage.known().alerts.values()]
    assert [each.account_id for each in briefs].count("*") == 1
    assert stage.known().endpoints["cs"].why == ("failing" if fails_for_days else "gone")


@pytest.mark.parametrize("let", range(1, 8))
async def test_a_crash_leaves_on_record_what_a_gone_endpoint_was_not_told(let: int) -> None:
    stage = Stage()
    stage.desk.answers = [GONE]
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("acme"))
    written = len(stage.topic.records[0])
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("bolt"))
    del stage.topic.records[0][written + let :]
    async with stage.running() as notifier:
        if (stage.position or 0) < 2:
            stage.offset = 1
            await stage.take(notifier, sample_alert("bolt"))

    found = [
        each
        for each in stage.known().notifications.values()
        if each.alerts[0][0] == sample_alert("bolt").id
    ]
    assert [each.state for each in found] == ["disabled"]


async def test_a_new_url_is_a_new_endpoint() -> None:
    stage = Stage()
    stage.desk.answers = [GONE]
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("acme"))
    stage.settings = (replace(SETTINGS, url="http://new.example"),)
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("bolt"))

    assert [what for _, what in stage.desk.got] == ["acme firing", "bolt firing"]


async def test_gone_is_known_to_alerts_of_all_partitions() -> None:
    stage = Stage()
    stage.desk.answers = [GONE]
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("acme"))
        alert = sample_alert("bolt")
        arrival = Arrival(alert, alert.model_dump_json().encode(), alert.at, "pulse.alerts/1/0")
        await notifier.take(1, [arrival], 1)
        await settle()

    assert len(stage.desk.got) == 1


async def test_a_throttled_endpoint_is_left_alone_and_then_met_gently() -> None:
    stage = Stage()
    stage.desk.answers = [throttled(30)] * 4
    stage.desk.takes_s = 0.5
    async with stage.running() as notifier:
        await stage.take(notifier, *(sample_alert(f"a{number}") for number in range(10)))
        await stage.clock.advance(29)
        assert len(stage.desk.got) == 4, "what was in flight when it said so"
        assert notifier.fullness() is Fullness.ROOM
        await stage.clock.advance(1.6)
        assert stage.desk.at_once == 1
        await stage.clock.advance(0.5)
        assert stage.desk.at_once == 2
        await stage.clock.advance(60)

    assert len(stage.desk.got) == 14
    assert stage.states() == {"cs firing": "succeeded"}


async def test_no_more_requests_at_once_than_allowed_and_the_rest_is_a_backlog() -> None:
    stage = Stage(replace(SETTINGS, concurrency=2), backlog=7, undelivered=100)
    stage.desk.takes_s = 1
    async with stage.running() as notifier:
        await stage.take(notifier, *(sample_alert(f"a{number}") for number in range(6)))
        assert stage.desk.at_once == 2
        assert notifier.fullness() is Fullness.ROOM
        await stage.take(notifier, *(sample_alert(f"b{number}") for number in range(2)))
        assert notifier.fullness() is Fullness.BUSY
        await stage.clock.advance(4)
        assert notifier.fullness() is Fullness.ROOM

    assert stage.desk.most_at_once == 2
    assert len(stage.desk.got) == 8


async def test_too_much_that_is_still_to_be_sent_stops_reading() -> None:
    stage = Stage(undelivered=3)
    stage.desk.answers = [ERROR] * 3
    async with stage.running() as notifier:
        await stage.take(notifier, *(sample_alert(f"a{number}") for number in range(3)))
        assert notifier.undelivered() == 3
        assert notifier.fullness() is Fullness.TOO_MUCH_WAITS
        await stage.clock.advance(5)
        assert notifier.fullness() is Fullness.ROOM


async def test_a_receiver_that_hangs_takes_nothing_from_another() -> None:
    stage = Stage(SETTINGS, replace(SETTINGS, name="ops"))
    stage.desk.takes_s = 1_000
    async with stage.running() as notifier:
        await stage.take(notifier, *(sample_alert(f"a{number}") for number in range(20)))
        assert len(stage.desks["ops"].got) == 20


async def test_a_receiver_that_raises_is_tried_again() -> None:
    class Broken(Desk):
        async def send(self, notification: Notification, attempt: Attempt) -> Outcome:
            await super().send(notification, attempt)
            raise ZeroDivisionError

    stage = Stage()
    stage.desks["cs"] = Broken(stage.clock)
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("acme"))
        await stage.clock.advance(5)

    assert len(stage.desk.got) == 2
    assert stage.states() == {"cs firing": "retrying bug"}


async def test_after_resigning_nothing_is_sent_and_nothing_written() -> None:
    stage = Stage()
    stage.desk.answers = [ERROR]
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("acme"))
        await notifier.resign()
        written = len(stage.topic.records[0])
        await stage.clock.advance(1000)
        with pytest.raises(PartitionClosed):
            await stage.take(notifier, sample_alert("bolt"))
        assert len(stage.topic.records[0]) == written
        assert len(stage.desk.got) == 1
        assert notifier.undelivered() == 0


async def test_a_process_that_stood_still_sends_nothing_more() -> None:
    stage = Stage()
    stage.desk.answers = [ERROR]
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("acme"))
        stage.standing_still_s = 6.0
        await stage.clock.advance(1000)

    assert len(stage.desk.got) == 1


async def test_requests_under_way_when_it_resigns_are_finished_and_recorded() -> None:
    stage = Stage()
    stage.desk.takes_s = 1
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("acme"))
        leaving = asyncio.create_task(notifier.resign())
        await settle()
        await stage.clock.advance(1)
        await leaving

    assert stage.states() == {"cs firing": "succeeded"}


async def test_requests_that_hang_when_it_resigns_are_repeated_by_the_next_lead() -> None:
    stage = Stage()
    stage.desk.takes_s = 1_000
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("acme"))
    assert stage.states() == {"cs firing": "pending"}
    stage.desk.takes_s = 0
    async with stage.running():
        pass

    assert [what for _, what in stage.desk.got] == ["acme firing"] * 2
    assert stage.states() == {"cs firing": "succeeded"}


async def test_notifications_of_a_removed_receiver_wait_for_its_return() -> None:
    stage = Stage()
    stage.desk.answers = [ERROR]
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("acme"))
    kept, stage.settings = stage.settings, ()
    async with stage.running():
        await stage.clock.advance(1000)
    stage.settings = kept
    async with stage.running():
        pass

    assert stage.states() == {"cs firing": "succeeded"}


async def test_what_waits_for_a_removed_receiver_stops_no_reading_and_is_given_up_in_time() -> None:
    ops = replace(SETTINGS, name="ops", url="http://ops.example")
    stage = Stage(SETTINGS, ops, undelivered=2)
    stage.settings = (SETTINGS,)
    stage.desk.answers = [ERROR] * 2
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("acme"), sample_alert("bolt"))
        assert notifier.fullness() is Fullness.TOO_MUCH_WAITS
    stage.settings = (ops,)
    async with stage.running() as notifier:
        assert notifier.undelivered() == 0
        assert notifier.fullness() is Fullness.ROOM
        await stage.take(notifier, sample_alert("acme", "resolved"))
        assert notifier.fullness() is Fullness.ROOM
        await stage.clock.advance(29 * 86_400)
        await notifier.forget_old()
        assert stage.states()["cs firing"] == "retrying http_500"
        await stage.clock.advance(2 * 86_400)
        await notifier.forget_old()

    assert stage.states()["cs firing"] == "disabled receiver_removed"
    assert not [each for each in stage.known().notifications.values() if each.is_open]


async def test_old_alerts_are_forgotten() -> None:
    stage = Stage()
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("acme"), sample_alert("bolt"))
        await stage.take(notifier, sample_alert("acme", "resolved"))
        await stage.clock.advance(31 * 86_400)
        await notifier.forget_old()

        kept = stage.known()
        assert set(kept.alerts) == set(kept.json) == {sample_alert("bolt").id}
        assert not kept.notifications
        # Who was thought dead may still write: tombstones come an hour later.
        await notifier.forget_old()
        await notifier.forget_old()
    stage.topic.compact()

    bolt = sample_alert("bolt").id
    left = {key for key in stage.topic.latest() if not key.startswith("group/")}
    assert left == {f"alert/{bolt}", f"json/{bolt}", "position"}


@pytest.mark.parametrize("sends", ["acme firing", "acme firing, then acme resolved"])
async def test_a_crash_after_any_record_loses_nothing(sends: str) -> None:
    """Whatever was written last: who was told of a firing is told its end, in this order."""

    async def play(stage: Stage, notifier: Notifier) -> None:
        await stage.take(notifier, sample_alert("acme"))
        if "resolved" in sends:
            await stage.take(notifier, sample_alert("acme", "resolved"))

    for let in range(12):
        stage = Stage()
        stage.desk.answers = [ERROR] if let % 2 else []
        stage.topic.let = let
        try:
            async with stage.running() as notifier:
                await play(stage, notifier)
        except PartitionClosed:
            pass
        # A new process: it reads from where the topic says.
        stage.topic.let = None
        async with stage.running() as notifier:
            position, stage.offset = stage.position or 0, 0
            if position < 1:
                await play(stage, notifier)
            elif position < 2 and "resolved" in sends:
                await stage.take(notifier, sample_alert("acme", "resolved"))
            await stage.clock.advance(1000)

        got = [what for _, what in stage.desk.got]
        assert got[0] == "acme firing", let
        assert set(got) == set(sends.split(", then ")), let
        assert got == sorted(got), let
        assert not [s for s in stage.states().values() if s.startswith(("pending", "retrying"))]


async def test_it_says_which_step_has_been_reached_before_the_next_is_taken() -> None:
    stage = Stage()
    steps: list[tuple[str, int | None, str | None]] = []

    def at(step: str, partition: int | None) -> None:
        steps.append((step, partition, stage.states().get("cs firing")))

    async with stage.running() as notifier:
        notifier.at = at
        await stage.take(notifier, sample_alert())

    assert steps == [
        ("recorded", 0, "pending"),
        ("sent", 0, "pending"),
        ("logged", 0, "succeeded"),
    ]


async def test_nothing_is_sent_before_what_leads_to_it_is_recorded() -> None:
    """Also no other attempt, before it is recorded how the one before ended."""
    stage = Stage()
    stage.desk.answers = [ERROR, ERROR]
    writes = asyncio.Semaphore(0)
    append = stage.topic.append

    async def slow(partition: int, records: Sequence[Record]) -> None:
        await writes.acquire()
        await append(partition, records)

    async with stage.running() as notifier:
        stage.topic.append = slow  # type: ignore[method-assign]  # a Kafka that is slow
        taking = asyncio.create_task(stage.take(notifier, sample_alert("acme")))
        for sent in range(3):
            await stage.clock.advance(1000)
            assert len(stage.desk.got) == sent
            writes.release()
        await stage.clock.advance(1000)
        assert len(stage.desk.got) == 3
        writes.release()
        await taking

    assert stage.states() == {"cs firing": "succeeded"}


async def test_an_endpoint_that_fails_again_and_again_is_tried_now_and_then() -> None:
    stage = Stage(replace(SETTINGS, schedule_s=(0, *[1] * 40)))
    stage.desk.answers = [ERROR] * 14
    async with stage.running() as notifier:
        await stage.take(notifier, *(sample_alert(f"a{number}") for number in range(20)))
        assert len(stage.desk.got) == 12, "and those under way when it was clear"
        assert stage.metrics.registry.get_sample_value(
            "pulse_receiver_circuit_open", {"receiver": "cs"}
        )
        assert notifier.fullness() is Fullness.ROOM
        await stage.clock.advance(0.9)
        assert len(stage.desk.got) == 12
        await stage.clock.advance(1.2)
        assert len(stage.desk.got) == 13
        await stage.clock.advance(60)

    assert set(stage.states().values()) == {"succeeded"}
    assert len(stage.desk.got) == 14 + 20


async def test_no_more_requests_a_second_than_the_receiver_takes() -> None:
    stage = Stage(replace(SETTINGS, rate=2.0))
    async with stage.running() as notifier:
        await stage.take(notifier, *(sample_alert(f"a{number}") for number in range(5)))
        await stage.clock.advance(10)

    assert [at for at, _ in stage.desk.got] == [0.0, 0.5, 1.0, 1.5, 2.0]


@pytest.mark.parametrize("step_ms", range(100, 1_000, 100))
async def test_its_turn_comes_also_while_the_clock_is_looked_at(step_ms: int) -> None:
    class Moving(ManualClock):
        def now_ms(self) -> int:
            self._now_ms += step_ms  # so much passes between two looks
            return self._now_ms

    stage = Stage(replace(SETTINGS, rate=0.5))
    stage.clock = Moving(START_MS)
    stage.desks = {each.name: Desk(stage.clock) for each in stage.settings}
    async with stage.running() as notifier:
        await stage.take(notifier, *(sample_alert(f"a{number}") for number in range(5)))
        await stage.clock.advance(60)

    assert len(stage.desk.got) == 5


async def test_what_is_told_long_after_it_was_due_says_so() -> None:
    stage = Stage()
    at_ms = START_MS - 7_200_000
    late, fresh = sample_alert("acme", at_ms=at_ms), sample_alert("bolt", at_ms=START_MS - 60_000)
    said: dict[str, bool] = {}
    send = stage.desk.send

    async def listen(notification: Notification, attempt: Attempt) -> Outcome:
        said[notification.alert.account_id] = notification.is_late
        return await send(notification, attempt)

    stage.desk.send = listen  # type: ignore[method-assign]  # to hear what else is said
    stage.desk.answers = [ERROR]
    async with stage.running() as notifier:
        await stage.take(notifier, late, fresh)
        await stage.clock.advance(10)

    assert said == {"acme": True, "bolt": False}
    late_ones = [each.is_late for each in stage.known().notifications.values()]
    assert late_ones == [True, False]


async def test_an_endpoint_that_fails_for_five_days_is_given_up_and_another_one_is_told() -> None:
    patient = replace(SETTINGS, schedule_s=(0, *[21_600] * 40))
    stage = Stage(patient, replace(SETTINGS, name="ops", url="http://ops.example"))
    stage.desk.answers = [ERROR] * 1_000
    day_s = 86_400
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("acme"))
        await stage.clock.advance(2 * day_s)
    assert "failing/cs" in stage.topic.latest()
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("bolt"))
        await stage.clock.advance(2.9 * day_s)
        await stage.take(notifier, sample_alert("cube"))
        assert not stage.known().endpoints
        await stage.clock.advance(0.2 * day_s)
        before = len(stage.desk.got)
        await stage.take(notifier, sample_alert("dune"))
        await stage.clock.advance(day_s)

    assert len(stage.desk.got) == before
    assert stage.known().endpoints["cs"].why == "failing"
    assert stage.desks["ops"].got[-2:] == [
        (pytest.approx(5 * day_s, abs=30_000), "* firing"),
        (pytest.approx(5.1 * day_s, abs=30_000), "dune firing"),
    ]
    assert not [each for each in stage.known().notifications.values() if each.is_open]


@pytest.mark.parametrize("restarts", [False, True])
async def test_who_is_told_something_now_and_then_and_never_answers_is_given_up(
    restarts: bool,
) -> None:
    # Three days of attempts each, and then nothing for days.
    stage = Stage(
        replace(SETTINGS, schedule_s=(0, *[21_600] * 12), send_resolved=False),
        replace(SETTINGS, name="ops", url="http://ops.example"),
    )
    stage.desk.answers = [ERROR] * 1_000
    day_s = 86_400
    async with AsyncExitStack() as stack:
        notifier = await stack.enter_async_context(stage.running())
        await stage.take(notifier, sample_alert("acme"))
        await stage.clock.advance(30 * day_s)
        assert stage.known().endpoints == {}
        if restarts:
            await stack.aclose()
            notifier = await stack.enter_async_context(stage.running())
        await stage.take(notifier, sample_alert("bolt"))
        await stage.clock.advance(1.9 * day_s)
        assert stage.known().endpoints == {}
        await stage.clock.advance(0.4 * day_s)

    assert stage.known().endpoints["cs"].why == "failing"
    at_s, what = stage.desks["ops"].got[-1]
    assert what == "* firing"
    assert at_s == pytest.approx(32 * day_s, abs=30_000)


async def test_days_on_which_nothing_was_to_be_sent_are_not_counted() -> None:
    stage = Stage(replace(SETTINGS, schedule_s=(0, 7200)))
    stage.desk.answers = [ERROR] * 3
    async with stage.running() as notifier:
        for account in ("acme", "bolt"):
            await stage.take(notifier, sample_alert(account))
            await stage.clock.advance(7 * 86_400)
    assert stage.known().endpoints == {}
    assert stage.desk.got[-1] == (7 * 86_400 + 7200, "bolt firing")


@pytest.mark.parametrize("restarts", [False, True])
async def test_days_after_what_was_to_be_sent_ended_by_itself_are_not_counted(
    restarts: bool,
) -> None:
    alone = replace(SETTINGS, schedule_s=(0, *[1_800] * 8), send_resolved=False)
    stage = Stage(alone, replace(SETTINGS, name="ops", url="http://ops.example"))
    stage.desk.answers = [ERROR] * 6
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("acme"))
        await stage.clock.advance(2 * 3600)
        assert "failing/cs" in stage.topic.latest()
        await stage.take(notifier, sample_alert("acme", "resolved"))
        if not restarts:
            await stage.clock.advance(6 * 86_400)
            await stage.take(notifier, sample_alert("bolt"))
            await stage.clock.advance(1)
    if restarts:
        # Of a process that died before it could say so.
        failing = [value for key, value in stage.topic.records[0] if key == "failing/cs"]
        await stage.topic.broadcast(("failing/cs", failing[0]))
        await stage.clock.advance(6 * 86_400)
        async with stage.running() as notifier:
            await stage.take(notifier, sample_alert("bolt"))
            await stage.clock.advance(1)
    assert stage.desk.got[-1][1] == "bolt firing"
    assert stage.known().endpoints == {}
    assert "* firing" not in [what for _, what in stage.desks["ops"].got]


async def test_too_many_requests_disable_nothing() -> None:
    stage = Stage(replace(SETTINGS, schedule_s=(0, *[86_400] * 8)))
    stage.desk.answers = [throttled(None)] * 7
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("acme"))
        for _ in range(8):
            await stage.clock.advance(86_400)
    assert stage.known().endpoints == {}
    assert stage.states() == {"cs firing": "succeeded"}
