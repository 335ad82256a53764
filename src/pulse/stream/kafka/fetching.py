"""aiokafka's fetching, bent where records leave it: as columns, not as objects.

aiokafka makes two objects of each record, the second in Python and with eleven fields: 2 µs, and
half as much again for the garbage collector, which goes over what is alive each time some hundreds
more are. What the engine wants of a record is four fields, which the garbage collector need not
look at. So `Pieces._unpack_records` stands in for the generator that makes the records, and, for
the whole process, `Records` for what holds a fetch's bytes. What finds the batches below it and
what watches positions, pauses and rebalances above it stays aiokafka's. A test compares the two on
a real log, so that an aiokafka that does it otherwise is noticed.

Checksums are computed by the processor's own instruction (package `crc32c`), fifteen times as fast
as aiokafka does it, while other threads run. It needs the bytes, which `Records` keeps.
"""

from __future__ import annotations

from itertools import dropwhile, islice
from typing import TYPE_CHECKING, Any, Protocol

from aiokafka import codec
from aiokafka.consumer import fetcher as aio
from aiokafka.errors import CorruptRecordException, UnsupportedCodecError
from aiokafka.record.memory_records import MemoryRecords
from crc32c import crc32c

from pulse.engine import Columns
from pulse.stream.kafka.records import BatchRecords

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import aiokafka


_LENGTH = slice(8, 12)
"""Of a batch's head: how many bytes come after it."""
_HEAD = 12
_CHECKED = 21
"""What the checksum of a batch of format 2 is of begins there."""
_FORMAT, _FORMAT_2 = 16, 2
_COUNT, _FIRST_RECORD = 57, 61
_CODEC, _APPEND_TIME = 0x07, 0x08
"""In a batch's attributes."""
_DECODERS: dict[int, Callable[[bytes], bytes]] = {
    1: codec.gzip_decode,
    2: codec.snappy_decode,
    3: codec.lz4_decode,
    4: codec.zstd_decode,
}


class Unread(Protocol):
    """Records of a batch that are not read yet."""

    def add_to(self, columns: Columns, first_offset: int, at_most: int) -> None:
        """Add those from `first_offset` on, until there are none or there are `at_most`."""


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
        data, start = batches.data, 0
        while batches.has_next():
            batch = batches.next_batch()
            raw = memoryview(data)[start:]
            size = _HEAD + int.from_bytes(raw[_LENGTH], "big")
            start += size
            if self._check_crcs and not _is_whole(batch, raw[:size]):
                raise CorruptRecordException(f"Invalid CRC - {self._tp}")
            if self._is_wanted(batch):
                records = _unread(batch, data, start - size, start)
                self._add(records, piece)
                while len(piece) == at_most:
                    self.next_fetch_offset = piece.end = piece.offsets[-1] + 1
                    yield piece
                    piece = self._new()
                    self._add(records, piece)
            self.next_fetch_offset = batch.next_offset
        piece.end = self.next_fetch_offset
        if piece.end > piece.start:
            yield piece

    def _add(self, records: Unread, piece: Columns) -> None:
        try:
            # A compressed batch always comes whole, also with what lies before.
            records.add_to(piece, self.next_fetch_offset, self._at_most)
        except (ValueError, IndexError, OverflowError) as error:
            raise CorruptRecordException(f"{error} - {self._tp}") from error

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


def _unread(batch: Any, data: bytes, start: int, end: int) -> Unread:
    """The records of a batch, which is these bytes of `data`."""
    if data[start + _FORMAT] < _FORMAT_2:
        return OldRecords(batch)
    count = int.from_bytes(data[start + _COUNT : start + _FIRST_RECORD], "big")
    at, attributes = start + _FIRST_RECORD, batch.attributes
    if attributes & _CODEC:
        decode = _DECODERS.get(attributes & _CODEC)
        if decode is None:
            raise UnsupportedCodecError(f"compressed in a way unknown here: {attributes & _CODEC}")
        data = decode(data[at:end])
        at, end = 0, len(data)
    append_ms = batch.max_timestamp if attributes & _APPEND_TIME else None
    first_ms = batch.first_timestamp
    return BatchRecords(data, at, end, count, batch.base_offset, first_ms, append_ms)


class OldRecords:
    """The records of a batch as Kafka kept them before 0.11."""

    def __init__(self, batch: Any) -> None:
        self._records = iter(batch)

    def add_to(self, columns: Columns, first_offset: int, at_most: int) -> None:
        """See `Unread`."""
        self._records = dropwhile(lambda record: record.offset < first_offset, self._records)
        columns.add(islice(self._records, at_most - len(columns)))


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
