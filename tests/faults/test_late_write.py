"""A broker stands still while the lead is lost: what was given up is not written afterwards."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from pulse.notifier.kafka import KafkaSettings, Outage
from pulse.notifier.reading.lease import Lease
from pulse.notifier.state.log import KafkaDeliveryLog, PartitionClosed
from pulse.testing.kafka import KafkaServer

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.kafka


async def test_what_was_not_acknowledged_when_the_lead_was_lost_is_not_written_later(
    tmp_path: Path,
) -> None:
    server = KafkaServer(tmp_path)
    server.start()
    try:
        with closing(KafkaAdminClient(bootstrap_servers=server.bootstrap)) as admin:
            admin.create_topics([NewTopic("d", 1, 1)])
        settings = KafkaSettings(
            client={"bootstrap_servers": server.bootstrap},
            group="g",
            alerts_topic="a",
            deliveries_topic="d",
        )
        lease = Lease(60.0, 6.0)
        log = KafkaDeliveryLog(settings, 1, Outage(), lease)
        await log.start()
        log.open(0)
        await log.append(0, [("before", b"1")])
        lease.answered(time.monotonic())
        pid = server._process.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            # Each is larger than a batch, and they are sent one after another.
            late = [(f"late {number}", b"1" * 50_000) for number in range(20)]
            writing = asyncio.create_task(log.append(0, late))
            await asyncio.sleep(7)
            assert not lease.held
            await asyncio.wait_for(log.close(0, 3.0), 30)
            with pytest.raises(PartitionClosed):
                await writing
        finally:
            os.kill(pid, signal.SIGCONT)
        # Who leads next: the same process reads and writes on.
        lease.begin()
        log.open(0)
        read = [key async for batch in log.read(0) for key, _ in batch]
        await log.append(0, [("after", b"1")])
        await asyncio.sleep(5)
        written = [key async for batch in log.read(0) for key, _ in batch]
        await log.stop()
        # The first may have reached the machine of the broker: then it stands before what follows.
        assert read in (["before"], ["before", "late 0"])
        assert written == [*read, "after"]
    finally:
        server.stop()
