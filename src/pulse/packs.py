"""Lines → records of the events topic: those of one partition together, in order."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from pulse.placement import partition_of

if TYPE_CHECKING:
    from collections.abc import Iterable

RECORD_BYTES: Final = 256 << 10
"""Lines packed into one record, at most (one line may have more)."""

# It takes as long as all else that is done with a line here.
_partition_of = lru_cache(maxsize=1 << 16)(partition_of)


class Line(NamedTuple):
    """A line of the events topic."""

    account_id: str
    data: bytes


class Pack(NamedTuple):
    """A record of the events topic: a line after the other."""

    partition: int
    lines: list[bytes]
    key: bytes | None
    """The account, where all lines are of one."""

    @property
    def value(self) -> bytes:
        """What the record holds."""
        return b"\n".join(self.lines)


def packed(lines: Iterable[Line], partitions: int) -> list[Pack]:
    """The records that have these lines, each in the partition of its account.

    >>> packed([Line("acme", b"1"), Line("acme", b"3")], 32)
    [Pack(partition=4, lines=[b'1', b'3'], key=b'acme')]
    """
    of_partition: dict[int, list[Line]] = defaultdict(list)
    place = _partition_of
    for line in lines:
        of_partition[place(line[0], partitions)].append(line)
    return [
        Pack(partition, [line[1] for line in run], _key(run))
        for partition, together in of_partition.items()
        for run in _runs(together)
    ]


def _runs(lines: list[Line]) -> Iterable[list[Line]]:
    """The lines cut where a record is full."""
    if sum([len(line[1]) for line in lines]) + len(lines) <= RECORD_BYTES:
        yield lines
        return
    run: list[Line] = []
    size = 0
    for line in lines:
        if run and size + len(line.data) > RECORD_BYTES:
            yield run
            run, size = [], 0
        run.append(line)
        size += len(line.data) + 1  # the end of the line
    if run:
        yield run


def _key(lines: list[Line]) -> bytes | None:
    first = lines[0].account_id
    return first.encode() if all(line.account_id == first for line in lines) else None
