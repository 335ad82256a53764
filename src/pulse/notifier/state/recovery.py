"""What was recorded is read back when the lead is taken over."""

import asyncio
from collections.abc import Iterable
from contextlib import aclosing
from typing import Final

import structlog

from pulse.alerting.records import envelope
from pulse.notifier.clock import Clock
from pulse.notifier.state.before.takeover import Before
from pulse.notifier.state.journal import Journal
from pulse.notifier.state.letters import Letters, status_of
from pulse.notifier.state.log import DeliveryLog, LogUnavailable, PartitionClosed, Record
from pulse.notifier.state.shelf import keep

log = structlog.get_logger("pulse.notifier")

_AGAIN_S: Final = 1.0
_AT_ONCE: Final = 1_000


class Recovery:
    """One reading of the deliveries topic. Alerts that pass are kept as far as there is room.

    `forget`: by partition, what of version 1 held an alert and is to be forgotten.
    """

    def __init__(self, topic: DeliveryLog, letters: Letters, clock: Clock) -> None:
        self.forget: dict[int, list[str]] = {}
        self._topic = topic
        self._letters = letters
        self._clock = clock

    async def read_back(self, route: str, partitions: int) -> tuple[Journal, list[Record]]:
        """What was recorded, and what is to be written before anything else.

        Where nothing is of this version, version 1 is taken over, from all `partitions`; its alerts
        are in the `route` of that key. Waits for a Kafka that is away.
        """
        journal = await self._journal()
        # As a thread: many records take longer than a lease lasts.
        again = await asyncio.to_thread(journal.begin)
        if journal.is_new:
            again += await self._take_over(journal, Before(route), partitions)
        return journal, again

    async def forget_before(self) -> None:
        """What held an alert in version 1 is not kept there as well."""
        for partition, keys in self.forget.items():
            tombstones: list[Record] = [(key, None) for key in keys]
            is_mine = partition == envelope.PARTITION
            if not is_mine:
                self._topic.open(partition)
            try:
                await self._topic.append(partition, tombstones)
            except PartitionClosed:
                log.debug("another notifier leads")
            finally:
                if not is_mine:
                    await self._topic.close(partition, 0.0)

    async def _journal(self) -> Journal:
        while True:
            journal = Journal()
            try:
                async with aclosing(self._topic.read(envelope.PARTITION)) as batches:
                    async for batch in batches:
                        for key, value in batch:
                            self._read(journal, key, value)
                        await asyncio.sleep(0)
            except LogUnavailable:
                await self._clock.sleep(_AGAIN_S)
            else:
                return journal

    def _read(self, journal: Journal, key: str, value: bytes | None) -> None:
        try:
            journal.read(key, value)
            keep(self._letters, key, value)
        except ValueError as error:
            log.error(
                "a record of the deliveries topic cannot be read; it is passed over",
                key=key,
                error=str(error),
            )

    async def _take_over(self, journal: Journal, before: Before, partitions: int) -> list[Record]:
        for partition in range(partitions):
            found = await self._records_of(partition)
            await asyncio.to_thread(_read_before, before, partition, found)
        self.forget = {number: sorted(keys) for number, keys in before.with_alerts.items() if keys}
        adopted, alerts = await asyncio.to_thread(_adopt, journal, before)
        for number, (alert_id, said) in enumerate(alerts, 1):
            self._letters.put(alert_id, status_of(said), said)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        return adopted

    async def _records_of(self, partition: int) -> list[Record]:
        """All records of a partition, however long that takes."""
        while True:
            found: list[Record] = []
            try:
                async with aclosing(self._topic.read(partition)) as batches:
                    async for batch in batches:
                        found += batch
            except LogUnavailable:
                await self._clock.sleep(_AGAIN_S)
            else:
                return found


def _read_before(before: Before, partition: int, records: Iterable[Record]) -> None:
    for key, value in records:
        try:
            before.read(partition, key, value)
        except ValueError as error:
            log.error("a record of version 1 is passed over", key=key, error=str(error))


def _adopt(journal: Journal, before: Before) -> tuple[list[Record], list[tuple[str, bytes]]]:
    """What says here what version 1 said, and the alerts' JSON by their ids."""
    journal.offsets = dict(before.offsets)
    taken = list(before.taken())
    alerts = [
        (each.key.removeprefix(envelope.JSON), each.said)
        for each in taken
        if each.key.startswith(envelope.JSON)
    ]
    return [journal.adopt(*each) for each in taken], alerts
