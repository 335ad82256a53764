"""A Kafka that gives state back slowly: who reads it back gets on, and is no worker that stands."""

from __future__ import annotations

import random
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

pytestmark = pytest.mark.timeout(180)

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


def test_state_that_takes_longer_to_read_than_a_worker_may_stand_still(
    slow_kafka: KafkaServer, tmp_path: Path, unique: str
) -> None:
    admin = KafkaAdminClient(bootstrap_servers=slow_kafka.bootstrap)
    small = Small(slow_kafka.bootstrap, tmp_path, unique)
    small.write(range(40))
    first, second = (
        small.system.process("work", **WORKER, stall_timeout_s=STALL_S).start() for _ in range(2)
    )
    wait_for(lambda: assigned(first) == assigned(second) == PARTITIONS // 2)
    small.system.wait_until_applied()
    # As busy workers leave it, before it is compacted.
    litter = [
        (partition, b"page/7/0/0/%d" % number, random.randbytes(4_000))
        for partition in range(PARTITIONS)
        for number in range(30)
    ]
    keep(small.system, litter)
    slow_down(admin, BYTES_A_SECOND)
    first.kill()
    small.write(range(40, 60))
    # It takes over what the other one had; what is read back at a start is not watched.
    started_s = time.monotonic()
    wait_for(lambda: assigned(second) == PARTITIONS or not second.running, within_s=100)
    assert second.running, second.log_tail()
    assert time.monotonic() - started_s > 1.5 * STALL_S, "it was read too fast to show anything"
    slow_down(admin, None)
    small.system.wait_until_applied()
    second.stop()
    truth = Truth.of(small.system)
    truth.assert_holds(small.system)
    assert truth.events_counted() == {"acme": 60}
    small.close()
    admin.close()
