"""What must be acknowledged before state is written."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pulse.errors import PulseError
from pulse.producer import Outgoing, Producer
from pulse.stream.kafka.outbox import Outbox, PartitionLostError

if TYPE_CHECKING:
    from collections.abc import Sequence


class Broker(Producer):
    """Takes what it is given when it is let; refuses the value `bad` for good."""

    def __init__(self) -> None:
        self.taken: list[bytes | None] = []
        self.open = asyncio.Event()

    async def send(self, records: Sequence[Outgoing]) -> None:
        await self.open.wait()
        if any(record.value == b"bad" for record in records):
            raise PulseError("refused")
        await asyncio.sleep(0)
        self.taken += [record.value for record in records]


def records(*values: bytes) -> list[Outgoing]:
    return [Outgoing("t", 0, None, value) for value in values]


async def test_drained_waits_for_what_was_added_before_it_and_for_no_more() -> None:
    broker = Broker()
    outbox = Outbox(broker)
    broker.open.set()
    outbox.add(records(b"1", b"2"))
    waiting = asyncio.create_task(outbox.drained())
    for _ in range(20):  # somebody goes on adding
        await asyncio.sleep(0)
        outbox.add(records(b"more"))
        if waiting.done():
            break
    assert waiting.done()
    assert broker.taken[:2] == [b"1", b"2"]
    outbox.close()


async def test_a_refusal_is_never_forgotten() -> None:
    broker = Broker()
    outbox = Outbox(broker)
    broker.open.set()
    outbox.add(records(b"bad"))
    await asyncio.sleep(0.01)
    outbox.add(records(b"good"))
    for _ in range(2):
        with pytest.raises(PulseError, match="refused"):
            await outbox.drained()
    assert broker.taken == []


async def test_a_closed_outbox_sends_nothing_more_and_wakes_who_waits() -> None:
    broker = Broker()
    outbox = Outbox(broker)
    outbox.add(records(b"1"))
    waiting = asyncio.create_task(outbox.drained())
    await asyncio.sleep(0)
    outbox.close()
    with pytest.raises(PartitionLostError):
        await waiting
    broker.open.set()
    await asyncio.sleep(0.01)
    assert broker.taken == []


async def test_a_full_outbox_holds_up_who_reads() -> None:
    broker = Broker()
    outbox = Outbox(broker)
    outbox.add(records(b"0"))
    await asyncio.sleep(0)  # on its way
    outbox.add(records(*[b"x"] * 10_001))
    assert outbox.is_full
    waiting = asyncio.create_task(outbox.has_room())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    broker.open.set()
    await asyncio.wait_for(waiting, timeout=5)
    await outbox.drained()
