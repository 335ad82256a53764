"""Scenes on which something is injured: a system, its player, and the comparison at the end."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Any

from kafka import KafkaProducer

from pulse.engine import control
from pulse.model import notification_id
from pulse.placement import partition_of
from pulse.testing.deliveries import assert_accounted
from pulse.testing.histories import usage
from pulse.testing.paced import HOUR_MS, RULES, START_MS, PacedInput, Player
from pulse.testing.system import System
from pulse.testing.truth import Truth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from pulse.testing.process import PulseProcess
    from pulse.testing.webhooks import ReceivedRequest, WebhookReceiver

PARTITIONS = 4
WORKER = {
    "session_timeout_s": 2,
    "flush_interval_s": 0.4,
    "fetch_records": 100,
    "page_accounts": 4,
    "reread_s": 0,
}
"""Much is written, so that there are many moments between two writes."""

AS_USUAL = {"reread_s": 6}
"""Pages are written when they have waited; more of the input is read again."""


class Scene:
    """A system with paced input."""

    def __init__(
        self, bootstrap: str, folder: Path, prefix: str, seed: int, settings: dict[str, Any]
    ) -> None:
        self.system = System(
            bootstrap, folder, prefix=prefix, partitions=PARTITIONS, settings=RULES | settings
        )
        self.system.create_topics()
        self.paced = PacedInput(seed, PARTITIONS)
        self._player: Player | None = None
        self._injuries = self._inflicted = 0

    def play(self, seconds: float = 30, *, injuries: int = 0) -> Player:
        """Begin to play, at full pace `seconds` for all of it.

        Where `injuries` are announced, the input is spread over them: each takes up its share, and
        goes on at a trickle until the next one.
        """
        self._injuries = injuries
        self._player = Player(self.system, self.paced, seconds)
        self.inflict()
        self._player.start()
        return self._player

    def inflict(self) -> None:
        """One more injury is at hand."""
        if self._injuries:
            self._inflicted += 1
            self.player.up_to(self._inflicted / (self._injuries + 1))

    def close(self) -> None:
        """End everything."""
        if self._player is not None:
            self._player.stop()
        self.system.stop()

    @property
    def player(self) -> Player:
        assert self._player is not None, "nothing is played yet"
        return self._player

    def worker(self, **settings: Any) -> PulseProcess:
        """A worker, not started."""
        return self.system.process("work", **WORKER | settings)

    def notifier(self) -> PulseProcess:
        """A notifier, not started."""
        return self.system.process("notify")

    def injured(
        self,
        worker: PulseProcess,
        step: str,
        number: int = 1,
        cause: Callable[[], object] | None = None,
    ) -> None:
        """Start the worker, and kill it at that step, while there is something to lose.

        `cause` brings the step about, once the worker has partitions.
        """
        worker.stops_at = (step, number)
        worker.launch()
        if cause is not None:
            # The group may bring it to that step before, when it forgets who was killed last.
            wait_for(lambda: worker.stands_still() or assigned(worker) > 0)
            cause()
        assert worker.wait_for_stop().step == step
        self.killed(worker)

    def killed(self, worker: PulseProcess) -> None:
        """Kill the worker where it is, while there is something to lose; the next start lives."""
        self.stand_still(worker)
        worker.kill()
        worker.stops_at = None
        self.inflict()

    def stand_still(self, *workers: PulseProcess) -> None:
        """Stop workers, and wait until there is input that nobody has committed."""
        for worker in workers:
            worker.signal(signal.SIGSTOP)
        wait_for(lambda: self.system.uncommitted_at(now_ms()) > 0)

    def finish(self) -> None:
        """Play to the end, until nothing more is due; workers must be running."""
        self.player.finish()
        # What is handed on makes the log longer.
        self.system.wait_until_applied()
        self.system.wait_until_applied()
        self.player.close_days()
        self.system.wait_until_applied()

    def assert_exact(self) -> Truth:
        """Everything is as the log says, and the log holds what was played."""
        truth = Truth.of(self.system)
        truth.assert_holds(self.system)
        # The scene must have had something to lose.
        assert truth.left_due == 0
        assert len(truth.alerts) > 50
        assert {alert["status"] for alert in truth.alerts} == {"firing", "resolved"}
        assert {alert["reason"] for alert in truth.alerts} >= {
            "danger", "approaching", "silence", "payment_failed", "support_waiting", "bug_open",
            "subscription_cancelled", "check_in_overdue", "stalled_onboarding",
        }  # fmt: skip
        for kind in ("duplicates", "late_minutes", "late_hours", "late_days", "misplaced"):
            assert truth.counts[kind] > 5, kind
        assert {reason for _, reason in truth.dead_letters} > {"not_json", "too_late", "future"}
        events = truth.events_counted()
        wandering = self.paced.wandering
        assert {name: events[name] for name in self.paced.counted if name not in wandering} == {
            name: count for name, count in self.paced.counted.items() if name not in wandering
        }
        return truth

    def assert_delivered(self, truth: Truth, receiver: WebhookReceiver) -> None:
        """The receiver has every notification that is due, and no other."""
        self.system.wait_until_delivered()
        # What is said of the whole fleet no account's alert says.
        of_fleet = {each.id for each in receiver.delivered if of_the_fleet(each)}
        states = {k: v for k, v in self.system.deliveries().items() if k not in of_fleet}
        received = receiver.delivered_ids - of_fleet
        wanted = {
            notification_id(alert["id"], "cs", alert["status"])
            for alert in truth.alerts
            if not alert["historical"]
        }
        assert_accounted(states, wanted, received)
        assert all(request.problem is None for request in receiver.requests)


class Small:
    """A system into which a test writes by hand, mostly events of `acme`."""

    def __init__(self, bootstrap: str, folder: Path, prefix: str, **settings: Any) -> None:
        self.system = System(bootstrap, folder, prefix=prefix, settings=settings)
        self.system.create_topics()
        self.partition = partition_of("acme", PARTITIONS)
        self._producer = KafkaProducer(
            bootstrap_servers=bootstrap, acks="all", max_request_size=8 << 20, linger_ms=5
        )

    def close(self) -> None:
        """End everything."""
        self.system.stop()
        self._producer.close()

    def write(self, numbers: Iterable[int]) -> None:
        """Events of `acme`, one an hour, each with its tick."""
        for number in numbers:
            at_ms = START_MS + number * HOUR_MS
            self.event(usage(f"e{number}", "acme", at_ms, user_id=f"u{number}"))
            self.tick(at_ms)
        self._producer.flush()

    def event(self, value: bytes, account_id: str = "acme") -> None:
        """A record in the partition of the account."""
        partition = partition_of(account_id, PARTITIONS)
        self._send(self.system.config.kafka.topics.events, partition, value)

    def neighbours(self, count: int) -> list[str]:
        """Other accounts of the partition of `acme`."""
        names = (f"neighbour-{number}" for number in range(100 * count))
        return [n for n in names if partition_of(n, PARTITIONS) == self.partition][:count]

    def tick(self, at_ms: int) -> None:
        """A tick in every partition."""
        headers, value = control.tick(at_ms)
        for partition in range(PARTITIONS):
            self._send(self.system.config.kafka.topics.events, partition, value, headers=[*headers])

    def flush(self) -> None:
        """Wait until Kafka has it all."""
        self._producer.flush()

    def end(self) -> int:
        """The end of the partition of `acme` in the events topic."""
        return 1 + max(
            r.offset for r in self.system.read("events") if r.partition == self.partition
        )

    def changelog(self) -> list[Any]:
        """The records of the changelog, over all partitions."""
        return self.system.read("changelog")

    def rewrite(self, change: Callable[[bytes], bytes]) -> None:
        """Write the newest record of every key of the changelog again, changed."""
        newest = {(record.partition, record.key): record.value for record in self.changelog()}
        for (partition, key), value in newest.items():
            if value is not None:
                topic = self.system.config.kafka.topics.changelog
                self._send(topic, partition, change(value), key=key)
        self._producer.flush()

    def _send(self, topic: str, partition: int, value: bytes, **record: Any) -> None:
        self._producer.send(topic, value, partition=partition, **record)


def keep(system: System, records: Iterable[tuple[int, bytes, bytes]]) -> None:
    """Records more in the changelog: partition, key and value of each."""
    producer = KafkaProducer(bootstrap_servers=system.bootstrap, acks="all")
    try:
        for partition, key, value in records:
            topic = system.config.kafka.topics.changelog
            producer.send(topic, value, key=key, partition=partition)
        producer.flush()
    finally:
        producer.close()


def receivers(url: str) -> dict[str, Any]:
    """The section that has alerts sent to one receiver."""
    receiver = {
        "name": "cs",
        "kind": "webhook",
        "url": url,
        "secret_env": "PULSE_TEST_SECRET",
        "allow_private": True,
        "retry": {"schedule_s": [0, *[0.2] * 49]},
    }
    # All of it falls at once here, and each of them is to be told.
    everything = {"notifier": {"fleet_guard": {"enabled": False}}, "inhibit": []}
    return {"receivers": [receiver], **everything}


def of_the_fleet(request: ReceivedRequest) -> bool:
    """Whether it says that the fleet falls together."""
    return bool(request.body["data"]["reason"] == "fleet_falls")


def assigned(worker: PulseProcess) -> int:
    """How many partitions a worker has; 0 also where it does not answer."""
    return round(metric(worker, "pulse_partitions_assigned"))


def metric(process: PulseProcess, name: str) -> float:
    """The sum of a metric over its labels; 0 where the process does not answer."""
    try:
        return process.metric(name)
    except OSError:
        return 0.0


def now_ms() -> int:
    """The wall clock."""
    return time.time_ns() // 1_000_000


def wait_for(condition: Callable[[], bool], within_s: float = 90.0) -> None:
    """Return when the condition holds.

    On a busy machine a process takes 20 s to begin, and a group 10 s to share out its partitions.
    """
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
