"""A deliveries topic in memory: what `pulse.notifier.log` does on Kafka, without a broker."""

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence

from pulse.notifier.log import PartitionClosed, Record


class MemoryDeliveryLog:
    """The `DeliveryLog` of tests. It outlives the notifiers that write to it.

    `records[partition]` is everything that was written, in order. `compact` does what Kafka does
    now and then. `let` is the number of records that will still be written: 0 looks to the notifier
    like a Kafka that is away; None is without end.
    """

    def __init__(self, partitions: int = 4) -> None:
        self.partitions = partitions
        self.records: dict[int, list[Record]] = defaultdict(list)
        self.let: int | None = None
        self._open: set[int] = set()

    def open(self, partition: int) -> None:
        self._open.add(partition)

    async def read(self, partition: int) -> AsyncIterator[list[Record]]:
        yield list(self.records[partition])

    async def append(self, partition: int, records: Sequence[Record]) -> None:
        if partition not in self._open:
            raise PartitionClosed(str(partition))
        for record in records:
            if self.let is not None:
                if self.let <= 0:
                    raise PartitionClosed(str(partition))
                self.let -= 1
            self.records[partition].append(record)

    async def close(self, partition: int, within_s: float) -> None:
        self._open.discard(partition)

    async def broadcast(self, record: Record) -> None:
        for partition in range(self.partitions):
            self.records[partition].append(record)

    def compact(self) -> None:
        """Keep only the newest record of each key; tombstones go."""
        for partition, records in self.records.items():
            newest = {key: place for place, (key, _) in enumerate(records)}
            self.records[partition] = [
                (key, value)
                for place, (key, value) in enumerate(records)
                if newest[key] == place and value is not None
            ]

    def latest(self) -> dict[str, bytes]:
        """The newest value of every key, over all partitions."""
        latest: dict[str, bytes | None] = {}
        for records in self.records.values():
            latest.update(records)
        return {key: value for key, value in latest.items() if value is not None}
