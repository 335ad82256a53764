"""A Kafka that gives state back slowly: who reads it back gets on, and is no worker that stands."""

from __future__ import annotations

import random
import signal
import time
from typing import TYPE_CHECKING

import pytest
from kafka.admin import KafkaAdminClient
from kafka.errors import for_code
from kafka.protocol.admin.client_quotas import AlterClientQuotasRequest

from pulse.testing.kafka import KafkaServer
from pulse.testing.truth import Truth

from .scenes import PARTITIONS, WORKER, Small, assigned, keep, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pulse.testing.process import PulseProcess

pytestmark = pytest.mark.timeout(300)

STALL_S = 10
BYTES_A_SECOND = 40_000


@pytest.fixture
def slow_kafka(tmp_path: Path) -> Iterator[KafkaServer]:
    """A broker that gives little at a time, rather than much now and then."""
    with KafkaServer(tmp_path / "kafka", properties={"quota.window.num": "2"}) as kafka:
        yield kafka


def slow_down(admin: KafkaAdminClient, bytes_a_second: int | None) -> None:
    """Let no client read more than that of the broker; None lifts it."""
    entry = AlterClientQuotasRequest.EntryData
    client = entry.EntityData(entity_type="client-id", entity_name=None)
    rate = entry.OpData(
        key="consumer_byte_rate", value=float(bytes_a_second or 0), remove=bytes_a_second is None
    )
    request = AlterClientQuotasRequest(
        entries=[entry(entity=[client], ops=[rate])], validate_only=False
    )
    admin._manager.run(
        admin._send_request_to_controller,
        request,
        lambda answer: (for_code(each.error_code) for each in answer.entries),
        True,
    )


class Slow:
    """A system whose Kafka gives little at a time, as soon as `slow_down` is called."""

    def __init__(self, kafka: KafkaServer, folder: Path, prefix: str) -> None:
        self._admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
        self.small = Small(kafka.bootstrap, folder, prefix)

    def worker(self) -> PulseProcess:
        """A worker, started."""
        settings = WORKER | {"stall_timeout_s": STALL_S}
        return self.small.system.process("work", **settings).start()

    def slow_down(self) -> None:
        """Leave much to read back, and let it be read slowly."""
        self.small.system.wait_until_applied()
        # As busy workers leave it, before it is compacted.
        litter = [
            (partition, b"page/7/0/0/%d" % number, random.randbytes(4_000))
            for partition in range(PARTITIONS)
            for number in range(30)
        ]
        keep(self.small.system, litter)
        slow_down(self._admin, BYTES_A_SECOND)

    def finish(self, events: int) -> None:
        """Fast again, to the end; everything must be as the log says."""
        slow_down(self._admin, None)
        system = self.small.system
        system.wait_until_applied()
        system.stop()
        truth = Truth.of(system)
        truth.assert_holds(system)
        assert truth.events_counted() == {"acme": events}

    def close(self) -> None:
        """End everything."""
        self.small.close()
        self._admin.close()


@pytest.fixture
def slow(slow_kafka: KafkaServer, tmp_path: Path, unique: str) -> Iterator[Slow]:
    slow = Slow(slow_kafka, tmp_path, unique)
    try:
        slow.small.write(range(40))
        yield slow
    finally:
        slow.close()


def test_state_that_takes_longer_to_read_than_a_worker_may_stand_still(slow: Slow) -> None:
    first, second = slow.worker(), slow.worker()
    wait_for(lambda: assigned(first) == assigned(second) == PARTITIONS // 2)
    slow.slow_down()
    first.kill()
    slow.small.write(range(40, 60))
    # It takes over what the other one had.
    started_s = time.monotonic()
    wait_for(lambda: assigned(second) == PARTITIONS or not second.running, within_s=100)
    assert second.running, second.log_tail()
    assert time.monotonic() - started_s > 1.5 * STALL_S, "it was read too fast to show anything"
    slow.finish(60)


def test_a_signal_does_not_wait_until_state_is_read_back(slow: Slow) -> None:
    first = slow.worker()
    wait_for(lambda: assigned(first) == PARTITIONS)
    slow.slow_down()
    first.kill()
    slow.small.write(range(40, 60))
    taken_up = times_taken_up(first)
    first.stops_at = ("recovery_started", 1)
    first.launch()  # it may stop before anybody has asked whether it answers
    first.wait_for_stop()
    first.signal(signal.SIGCONT)
    time.sleep(2)
    first.signal(signal.SIGTERM)
    assert first.wait(60) == 0, first.log_tail()
    first.stops_at = None
    # However long that took.
    assert times_taken_up(first) == taken_up, "it was read too fast to show anything"
    first.start()
    slow.finish(60)


def times_taken_up(worker: PulseProcess) -> int:
    """How often a worker had read back what it got, over all its starts."""
    return worker.log_path.read_text().count("partitions assigned")
