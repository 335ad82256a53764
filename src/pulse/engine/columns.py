"""Records of one partition of the events topic: one by one, and by column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Headers = Sequence[tuple[str, bytes | None]]


FORWARDED_HEADER: Final = "pulse-forwarded-from"
"""Header of an event that was handed to another partition: topic/partition/offset/line of where it
came from."""

RENAMED_HEADER: Final = "pulse-renamed"
"""Header of an event of an account that was renamed: how often it was handed on for that."""


LOAD_HEADER: Final = "pulse-load"
"""Header of an event of a load; its value is the load's name."""


FIRST_PIECE: Final = 10**9
"""The number of the first piece of a renamed account, in place of a line; no record has as many."""

_DIGITS: Final = 18
"""A number of more digits is no offset: it would not fit the state."""


class LogRecord(Protocol):
    """A record of the events topic, as Kafka clients give it and as a replay makes it."""

    @property
    def offset(self) -> int: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...
    @property
    def timestamp(self) -> int | None:
        """When the broker appended it, in ms; None or negative if it does not say."""


class Columns:
    """Records in log order, by column: lists as long as there are records.

    They are all that the log has from offset `start` up to `end` (exclusive). What lies there
    besides is no record: the ends of transactions, what was compacted away. `timestamps` are in ms,
    None where a record has none. `headers` has, by their place in the lists, those of the records
    that have any.
    """

    __slots__ = ("end", "headers", "offsets", "start", "timestamps", "values")

    def __init__(
        self,
        offsets: list[int],
        values: list[bytes | None],
        timestamps: list[int | None],
        headers: dict[int, Headers],
        start: int,
        end: int,
    ) -> None:
        self.offsets = offsets
        self.values = values
        self.timestamps = timestamps
        self.headers = headers
        self.start = start
        self.end = end

    @classmethod
    def of(cls, records: Iterable[LogRecord]) -> Columns:
        """These records by column."""
        columns = cls([], [], [], {}, 0, 0)
        columns.add(records)
        if columns.offsets:
            columns.start, columns.end = columns.offsets[0], columns.offsets[-1] + 1
        return columns

    def add(self, records: Iterable[LogRecord]) -> None:
        """Add records, which are not looked at again; `start` and `end` stay as they are."""
        offsets, values, timestamps = self.offsets, self.values, self.timestamps
        for record in records:
            headers = record.headers
            if headers:
                self.headers[len(offsets)] = headers
            offsets.append(record.offset)
            values.append(record.value)
            timestamps.append(record.timestamp)

    def origin(self, at: int) -> tuple[int, int, int] | None:
        """Partition, offset and line from which the record at a place was handed on, else None."""
        header = self.header(at, FORWARDED_HEADER)
        if header is None:
            return None
        numbers = header.rsplit(b"/", 3)[1:]
        if len(numbers) != 3 or not all(n.isdigit() and len(n) <= _DIGITS for n in numbers):
            return None
        return int(numbers[0]), int(numbers[1]), int(numbers[2])

    def load_header(self, at: int) -> tuple[tuple[str, bytes], ...]:
        """The header of the record at a place that says which load it is of, if it has one."""
        load = self.header(at, LOAD_HEADER)
        return () if load is None else ((LOAD_HEADER, load),)

    def __len__(self) -> int:
        return len(self.offsets)

    def header(self, at: int, name: str) -> bytes | None:
        """The value of a header of the record at a place, None if it has none of that name."""
        # Anybody writes headers, also such as have no value.
        headers: Any = self.headers.get(at, ())
        for header in headers:
            if header[0] == name:
                value: bytes | None = header[1]
                return value
        return None
