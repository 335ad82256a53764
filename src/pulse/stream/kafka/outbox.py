"""What a worker produces of one partition, in order, by a task of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pulse.producer import Outgoing, Producer

MOST_WAITING = 10_000
"""Records waiting for the broker before reading waits too."""


class PartitionLostError(Exception):
    """The partition was given up while something of it was still to be written."""


class Outbox:
    """Records of one partition that must be acknowledged before its state may be written.

    They leave at once and in order, by a task of their own. What the broker refuses for good is
    raised by every `drained` from then on, and nothing more is sent.
    """

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._waiting: list[Outgoing] = []
        self._added = self._acknowledged = 0
        self._moved = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None

    def add(self, records: Sequence[Outgoing]) -> None:
        """Take records; they are on their way when the event loop turns."""
        if records and self._failure is None:
            self._waiting.extend(records)
            self._added += len(records)
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._run(), name="outbox")

    @property
    def is_full(self) -> bool:
        """Whether so much is waiting that nothing more should be read."""
        return len(self._waiting) > MOST_WAITING

    async def drained(self) -> None:
        """Wait until everything added so far is acknowledged; raises what the broker refused."""
        target = self._added
        while self._acknowledged < target:
            if self._failure is not None:
                raise self._failure
            self._moved.clear()
            await self._moved.wait()

    async def has_room(self) -> None:
        """Wait until there is room again: back-pressure for who reads."""
        while self.is_full and self._failure is None:
            self._moved.clear()
            await self._moved.wait()

    def close(self) -> None:
        """Send nothing more: the partition belongs to somebody else."""
        self._fail(PartitionLostError("the partition is somebody else's"))
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
        self._moved.set()

    async def _run(self) -> None:
        try:
            while self._waiting:
                records, self._waiting = self._waiting, []
                await self._producer.send(records)
                self._acknowledged += len(records)
                self._moved.set()
        except Exception as error:
            self._fail(error)
