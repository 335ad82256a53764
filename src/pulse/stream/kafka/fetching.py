"""aiokafka's fetching, bent in one place: records leave it as columns, not as objects.

aiokafka makes a `ConsumerRecord` of each record, in Python and with eleven fields: 2 µs, and half
as much again for the garbage collector, which goes over what is alive each time some hundreds more
are. What the engine wants of a record is four fields. So `Pieces._unpack_records` stands in for the
generator that makes the records. What parses bytes below it and what watches positions, pauses and
rebalances above it stays aiokafka's. A test compares the two on a real log, so that an aiokafka
that does it otherwise is noticed.

A parsed record lives for one turn of a loop here. What is kept of it, bytes and integers, the
garbage collector need not look at.

Checksums are computed by the processor's own instruction (package `crc32c`), fifteen times as fast
as aiokafka does it, while other threads run. It needs the bytes, which `Records` keeps.
"""

from __future__ import annotations

from itertools import dropwhile, islice
from typing import TYPE_CHECKING, Any

from aiokafka.consumer import fetcher as aio
from aiokafka.errors import CorruptRecordException
from aiokafka.record.memory_records import MemoryRecords
from crc32c import crc32c

from pulse.engine import Columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    import aiokafka


_LENGTH = slice(8, 12)
"""Of a batch's head: how many bytes come after it."""
_HEAD = 12
_CHECKED = 21
"""What the checksum of a batch of format 2 is of begins there."""
_FORMAT, _FORMAT_2 = 16, 2


class Records(MemoryRecords):  # type: ignore[misc]  # aiokafka has no types
    """The batches of a fetch, with its bytes."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.data = data


class Pieces(aio.PartitionRecords):  # type: ignore[misc]  # aiokafka has no types
    """What a fetch got of one partition, as `Columns` of up to `at_most` records.

    Each begins where the one before ended. One without records says that there are none up to its
    end, as after the end of a transaction.
    """

    next_fetch_offset: int

    def __init__(self, fetched: aio.PartitionRecords, at_most: int) -> None:
        """Take over from one that nobody has read from."""
        super().__init__(
            fetched._tp,
            fetched._records,
            fetched._aborted_transactions,
            fetched.next_fetch_offset,
            None,
            None,
            fetched._check_crcs,
            fetched._isolation_level,
        )
        self._at_most = at_most
        # It and its generator hold each other, and the bytes of the fetch.
        fetched._records_iterator.close()

    def _unpack_records(self) -> Iterator[Columns]:
        """As aiokafka's, which says why: when a piece is taken `next_fetch_offset` is where the
        next begins, also over control batches, aborted transactions and what was compacted away.

        Raises CorruptRecordException where a batch is not what its checksum says; the position
        is still before the piece then.
        """
        piece, at_most, batches = self._new(), self._at_most, self._records
        rest = memoryview(batches.data)
        while batches.has_next():
            batch = batches.next_batch()
            size = _HEAD + int.from_bytes(rest[_LENGTH], "big")
            if self._check_crcs and not _is_whole(batch, rest[:size]):
                raise CorruptRecordException(f"Invalid CRC - {self._tp}")
            rest = rest[size:]
            if self._is_wanted(batch):
                records = _from(self.next_fetch_offset, batch)
                piece.add(islice(records, at_most - len(piece)))
                while len(piece) == at_most:
                    self.next_fetch_offset = piece.end = piece.offsets[-1] + 1
                    yield piece
                    piece = self._new()
                    piece.add(islice(records, at_most))
            self.next_fetch_offset = batch.next_offset
        piece.end = self.next_fetch_offset
        if piece.end > piece.start:
            yield piece

    def _new(self) -> Columns:
        """A piece that begins where reading stands."""
        return Columns([], [], [], {}, self.next_fetch_offset, self.next_fetch_offset)

    def _is_wanted(self, batch: Any) -> bool:
        """Whether a batch is somebody's records, and not of a transaction that was aborted."""
        if self._isolation_level == aio.READ_COMMITTED and batch.producer_id is not None:
            self._consume_aborted_up_to(batch.base_offset)
            if batch.is_control_batch and self._contains_abort_marker(batch):
                self._aborted_producers.discard(batch.producer_id)
            if batch.is_transactional and batch.producer_id in self._aborted_producers:
                return False
        return not batch.is_control_batch


def _is_whole(batch: Any, data: memoryview) -> bool:
    """Whether a batch is what its checksum says."""
    if data[_FORMAT] < _FORMAT_2:
        return bool(batch.validate_crc())
    return bool(crc32c(data[_CHECKED:]) == batch.crc)


def _from(offset: int, batch: Any) -> Iterator[Any]:
    """A batch's records from an offset on: a compressed batch always comes whole."""
    return dropwhile(lambda record: record.offset < offset, batch)


class Fetcher(aio.Fetcher):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka's fetcher, but `fetched_records` gives pieces instead of records.

    Its `max_records` then counts pieces.
    """

    _at_most: int

    @classmethod
    def install(cls, consumer: aiokafka.AIOKafkaConsumer, at_most: int) -> None:
        """Let a consumer that is started, and has no partition yet, fetch pieces of `at_most`.

        A consumer makes its fetcher itself when it starts, and knows no other class.
        """
        aio.MemoryRecords = Records
        fetcher = consumer._fetcher
        fetcher.__class__ = cls
        fetcher._at_most = at_most

    async def _proc_fetch_request(self, assignment: Any, node_id: int, request: Any) -> bool:
        """Send a request and keep what comes. Nobody has read any of it when this returns."""
        has_news: bool = await super()._proc_fetch_request(assignment, node_id, request)
        for result in self._records.values():
            fetched = getattr(result, "_partition_records", None)
            if type(fetched) is aio.PartitionRecords:
                result._partition_records = Pieces(fetched, self._at_most)
        return has_news
