"""The records of a Kafka record batch of format 2, read into columns without an object for each.

The format: https://kafka.apache.org/documentation/#recordbatch. Its numbers are those of the state,
ZigZag varints (https://protobuf.dev/programming-guides/encoding/#signed-ints).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulse.engagement.codec import Reader

if TYPE_CHECKING:
    from pulse.engine.columns import Columns


class BatchRecords:
    """What stands behind the head of a batch, not compressed, from the place `at` of `data` up to
    `end`: `count` records.

    Offsets and instants (ms) of records are told as what they are more than those of the batch;
    where the broker gave the instant, `append_ms`, it holds for all.
    """

    __slots__ = ("_append_ms", "_base_ms", "_base_offset", "_end", "_left", "_reader")

    def __init__(
        self,
        data: bytes,
        at: int,
        end: int,
        count: int,
        base_offset: int,
        base_ms: int,
        append_ms: int | None,
    ) -> None:
        self._reader = Reader(data, at)
        self._end = end
        self._left = count
        self._base_offset = base_offset
        self._base_ms = base_ms
        self._append_ms = append_ms

    def add_to(self, columns: Columns, first_offset: int, at_most: int) -> None:
        """Add records from `first_offset` on, until there are none or there are `at_most` columns.

        Raises ValueError, IndexError or OverflowError where the bytes are no records.
        """
        offsets, values, timestamps = columns.offsets, columns.values, columns.timestamps
        reader, append_ms = self._reader, self._append_ms
        while self._left > 0 and len(offsets) < at_most:
            size = reader.number()
            end = reader.place() + size
            reader.skip_numbers(1)  # attributes, of which there are none
            at_ms = self._base_ms + reader.number()
            offset = self._base_offset + reader.number()
            key_size = reader.number()
            if key_size > 0:
                reader.pass_over(key_size)
            value_size = reader.number()
            value = None if value_size < 0 else reader.bytes_of(value_size)
            headers = reader.number()
            if offset >= first_offset:
                if headers:
                    columns.headers[len(offsets)] = [self._header() for _ in range(headers)]
                offsets.append(offset)
                values.append(value)
                timestamps.append(at_ms if append_ms is None else append_ms)
            else:
                for _ in range(headers):
                    self._header()
            if headers < 0 or reader.place() != end or end > self._end:
                raise ValueError("a record is not as long as it says")
            self._left -= 1
        if not self._left and reader.place() != self._end:
            raise ValueError("a batch is longer than its records")

    def _header(self) -> tuple[str, bytes | None]:
        reader = self._reader
        size = reader.number()
        if size < 0:
            raise ValueError("a header has no name")
        name = reader.bytes_of(size).decode()
        size = reader.number()
        return name, None if size < 0 else reader.bytes_of(size)
