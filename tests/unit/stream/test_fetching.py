"""A fetch read as columns is what aiokafka reads of it, record by record."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED, PartitionRecords
from aiokafka.errors import CorruptRecordException, UnsupportedCodecError
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition

from pulse.stream.kafka.fetching import Pieces, Records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pulse.engine import Columns

    Row = tuple[int, bytes | None, Sequence[tuple[str, bytes]], int | None]

TP = TopicPartition("events", 0)
NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)
LOG_APPEND_TIME, TRANSACTIONAL, CONTROL = 0x08, 0x10, 0x20
COMMIT, ABORT = struct.pack(">hh", 0, 1), struct.pack(">hh", 0, 0)


def batch(
    base_offset: int,
    count: int,
    *,
    codec: int = NONE,
    producer_id: int = -1,
    attributes: int = 0,
    keys: Sequence[bytes | None] = (b"key",),
    kept: Sequence[int] | None = None,
) -> bytes:
    """A batch of `count` records, of which only those `kept` survived compaction."""
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=codec,
        is_transactional=attributes & TRANSACTIONAL,
        producer_id=producer_id,
        producer_epoch=0,
        base_sequence=0,
        batch_size=1 << 30,
    )
    for number in range(count):
        if kept is None or number in kept:
            offset = base_offset + number
            value = None if offset % 7 == 3 else b"value %d" % offset * 5
            headers = [("pulse-control", b"tick"), ("empty", None)] if offset % 5 == 2 else []
            builder.append(number, 1_000 + offset, keys[number % len(keys)], value, headers)
    raw = bytearray(builder.build())
    struct.pack_into(">q", raw, 0, base_offset)
    struct.pack_into(">h", raw, 21, struct.unpack_from(">h", raw, 21)[0] | attributes)
    struct.pack_into(">i", raw, 23, count - 1)
    if attributes & LOG_APPEND_TIME:
        struct.pack_into(">q", raw, 35, 77_777)  # when the broker appended the batch
    struct.pack_into(">I", raw, 17, calc_crc32c(bytes(raw[21:])))
    return bytes(raw)


def marker(offset: int, producer_id: int, key: bytes) -> bytes:
    """The end of a transaction."""
    attributes = CONTROL | TRANSACTIONAL
    return batch(offset, 1, producer_id=producer_id, attributes=attributes, keys=[key])


def old_batch(magic: int, base_offset: int, count: int, codec: int = NONE) -> bytes:
    """Messages as Kafka kept them before 0.11."""
    builder = LegacyRecordBatchBuilder(magic=magic, compression_type=codec, batch_size=1 << 30)
    inner = 0 if codec and magic else base_offset
    for number in range(count):
        value = b"old %d" % number
        builder.append(inner + number, timestamp=1_000 + number, key=b"key", value=value)
    raw = bytearray(builder.build())
    if codec:
        struct.pack_into(">q", raw, 0, base_offset + count - 1)
    return bytes(raw)


TRANSACTION = {"attributes": TRANSACTIONAL}
LOGS: dict[str, list[bytes]] = {
    "one batch": [batch(100, 10)],
    "batches of one": [batch(100 + n, 1) for n in range(10)],
    "none, gzip, snappy, lz4, zstd": [batch(100 + 10 * n, 10, codec=n) for n in range(5)],
    "appended by the broker": [batch(100, 5), batch(105, 5, attributes=LOG_APPEND_TIME)],
    "compacted": [
        batch(100, 10, kept=[0, 4, 5]),
        batch(110, 10, kept=[9], codec=ZSTD),
        batch(120, 10, kept=[]),
        batch(130, 3),
        batch(140, 10, kept=[]),
    ],
    "transactions": [
        batch(100, 3, producer_id=1, **TRANSACTION),
        batch(103, 3, producer_id=2, **TRANSACTION),
        batch(106, 3),
        marker(109, 1, ABORT),
        batch(110, 3, producer_id=1, **TRANSACTION),
        marker(113, 2, COMMIT),
        marker(114, 1, COMMIT),
        batch(115, 4, producer_id=2, **TRANSACTION),
        marker(119, 2, ABORT),
    ],
    "an end without a transaction": [marker(100, 9, ABORT), batch(101, 2, producer_id=9)],
    "nothing but ends": [marker(100, 1, COMMIT), marker(101, 2, ABORT)],
    "before 0.10": [old_batch(0, 100, 4), old_batch(0, 104, 4, GZIP)],
    "before 0.11": [old_batch(1, 100, 4), old_batch(1, 104, 4, GZIP)],
    "cut short": [batch(100, 4), batch(104, 4)[:-7]],
}
ABORTED = {"transactions": [(1, 100), (2, 115)]}


def held_from(log: list[bytes], offset: int) -> list[bytes]:
    """What a broker answers of a log: whole batches, from the one that holds the offset."""
    raw, found = b"".join(log), []
    while raw:
        size = 12 + struct.unpack_from(">i", raw, 8)[0]
        entry, raw = raw[:size], raw[size:]
        records = MemoryRecords(entry)
        if not records.has_next() or records.next_batch().next_offset > offset:
            found.append(entry)
    return found


def fetched(
    log: list[bytes], offset: int = 100, aborted: Any = None, level: int = READ_UNCOMMITTED
) -> PartitionRecords:
    """A fetch's answer, not read yet."""
    records = Records(b"".join(log))
    return PartitionRecords(TP, records, aborted, offset, None, None, True, level)


def rows_of(piece: Columns) -> list[Row]:
    return [
        (offset, value, tuple(piece.headers.get(at, ())), timestamp)
        for at, (offset, value, timestamp) in enumerate(
            zip(piece.offsets, piece.values, piece.timestamps, strict=True)
        )
    ]


@pytest.mark.parametrize("level", [READ_UNCOMMITTED, READ_COMMITTED])
@pytest.mark.parametrize("at_most", [1, 3, 10, 1_000])
@pytest.mark.parametrize("name", LOGS)
def test_the_pieces_are_what_aiokafka_reads(name: str, at_most: int, level: int) -> None:
    aborted = ABORTED.get(name)
    for start in range(100, 145):
        log = held_from(LOGS[name], start)
        if not MemoryRecords(b"".join(log)).has_next():
            break
        whole = fetched(log, start, aborted, level)
        wanted = [(r.offset, r.value, tuple(r.headers), r.timestamp) for r in whole]
        pieces = Pieces(fetched(log, start, aborted, level), at_most)
        got: list[Row] = []
        end = start
        for piece in pieces:
            # Whoever reads piece after piece sees no hole, and where nothing is.
            assert piece.start == end < piece.end == pieces.next_fetch_offset
            end = piece.end
            assert len(piece) <= at_most
            got += rows_of(piece)
            # Whoever seeks to where a piece ended misses nothing and gets nothing twice.
            assert all(row[0] < piece.end for row in got)
            assert all(row[0] >= pieces.next_fetch_offset for row in wanted[len(got) :])
        assert got == wanted
        assert end == pieces.next_fetch_offset == whole.next_fetch_offset


def test_there_are_records_to_compare() -> None:
    """Of each kind of log something is read, and of the aborted less."""
    seen = {name: list(fetched(log)) for name, log in LOGS.items()}
    assert [name for name, records in seen.items() if not records] == ["nothing but ends"]
    assert len(seen["transactions"]) == 16
    assert len(list(fetched(LOGS["transactions"], 100, [(1, 100), (2, 115)], READ_COMMITTED))) == 9
    assert {r.timestamp for r in seen["before 0.10"]} == {None}
    assert {r.timestamp for r in seen["appended by the broker"][5:]} == {77_777}
    assert any(r.headers for r in seen["one batch"])
    assert any(r.value is None for r in seen["one batch"])


def test_a_damaged_batch_is_an_error_with_the_position_before_it() -> None:
    damaged = bytearray(batch(110, 10))
    damaged[-3] ^= 1
    pieces = Pieces(fetched([batch(100, 10), bytes(damaged)]), at_most=4)
    assert [len(next(pieces)), len(next(pieces))] == [4, 4]
    taken_to = pieces.next_fetch_offset
    with pytest.raises(CorruptRecordException):
        next(pieces)
    assert taken_to == 108
    # What had been read of the piece is gone: it is fetched again because nobody's position is
    # where this fetch goes on.
    assert pieces.next_fetch_offset != taken_to
    assert list(pieces) == []


def varint(number: int) -> bytes:
    rest, out = (number << 1) ^ (number >> 63), bytearray()
    while rest > 127:
        out.append(rest & 127 | 128)
        rest >>= 7
    return bytes([*out, rest])


def record(*, more: int = 0, headers: bytes = b"\0", key: bytes = b"\1") -> bytes:
    """A record at the batch's own instant and offset, `more` bytes shorter than it says."""
    body = b"\0" + varint(0) + varint(0) + key + varint(5) + b"value" + headers
    return varint(len(body) + more) + body


@pytest.mark.parametrize(
    ("count", "records"),
    [
        (1, record(more=1)),
        (1, record(more=-1)),
        (1, record() + record()),
        (2, record()),
        (1, record(headers=varint(-1))),
        (1, record(headers=varint(1) + varint(-2) + b"\0")),
        (1, record(headers=varint(1) + varint(1) + b"\xff" + varint(-1))),
        (1, b"\x80" * 12 + b"\1"),
        (1, b"\xff" * 12),
    ],
)
def test_what_is_no_record_is_an_error_though_its_checksum_is_right(
    count: int, records: bytes
) -> None:
    raw = bytearray(batch(100, 1)[:61] + records)
    struct.pack_into(">i", raw, 8, len(raw) - 12)
    struct.pack_into(">i", raw, 57, count)
    struct.pack_into(">I", raw, 17, calc_crc32c(bytes(raw[21:])))
    with pytest.raises(CorruptRecordException):
        list(Pieces(fetched([bytes(raw)]), at_most=10))


def test_what_is_compressed_in_a_way_nobody_knows_is_said_so() -> None:
    raw = bytearray(batch(100, 1))
    struct.pack_into(">h", raw, 21, 7)
    struct.pack_into(">I", raw, 17, calc_crc32c(bytes(raw[21:])))
    with pytest.raises(UnsupportedCodecError):
        list(Pieces(fetched([bytes(raw)]), at_most=10))
