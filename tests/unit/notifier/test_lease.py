"""Who leads and is cut off from Kafka stops."""

from __future__ import annotations

import asyncio
import inspect
import socket

import pytest
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import InconsistentGroupProtocolError

from pulse.config.kafka_clients import abandon
from pulse.notifier.kafka import KafkaSettings, Outage
from pulse.notifier.reading.lease import Lease
from pulse.notifier.state.log import KafkaDeliveryLog, PartitionClosed


def test_a_lease_that_was_lost_is_not_held_again_by_who_gives_the_lead_up() -> None:
    now_s = [0.0]
    lease = Lease(4.0, now_s=lambda: now_s[0])
    lease.answered(0.0)
    for now_s[0] in (3.0, 6.0, 7.0):
        lease.renew()
    assert not lease.held
    lease.free()
    lease.answered(7.0)
    assert not lease.held
    lease.begin()
    assert lease.held


async def test_nothing_is_written_late_where_kafka_is_away_for_too_long() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        nowhere = f"127.0.0.1:{server.getsockname()[1]}"
    settings = KafkaSettings(
        client={"bootstrap_servers": nowhere}, group="g", alerts_topic="a", deliveries_topic="d"
    )
    now_s = [0.0]
    log = KafkaDeliveryLog(settings, 1, Outage(), Lease(60.0, 6.0, now_s=lambda: now_s[0]))
    log.open(0)
    log._lease.answered(0.0)
    writing = asyncio.create_task(log.append(0, [("key", b"1")]))
    await asyncio.sleep(0.1)
    assert not writing.done()
    now_s[0] = 7.0
    with pytest.raises(PartitionClosed):
        await asyncio.wait_for(writing, 60)
    await log.stop()


async def test_what_is_private_to_aiokafka_is_as_the_notifier_uses_it() -> None:
    assert list(inspect.signature(GroupCoordinator._do_heartbeat).parameters) == ["self"]
    assert inspect.iscoroutinefunction(GroupCoordinator._do_heartbeat)
    assert "await self._do_heartbeat()" in inspect.getsource(GroupCoordinator), "by its name"
    producer = AIOKafkaProducer(bootstrap_servers="127.0.0.1:1")
    await abandon(producer)
    assert producer._closed


def test_an_older_version_in_the_group_is_not_called_an_outage() -> None:
    with structlog.testing.capture_logs() as lines:
        Outage().away(InconsistentGroupProtocolError())
    assert "older version" in lines[0]["event"]
