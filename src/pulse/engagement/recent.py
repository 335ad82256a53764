"""Which records an account has taken lately, so that a repeat is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from librt.vecs import append, vec
from mypy_extensions import i64

if TYPE_CHECKING:
    from pulse.engagement.codec import Reader, Writer

_FEW: Final = 48
"""Up to so many hashes are looked through one by one, which is as fast as any index."""
_EMPTY: Final = -(1 << 63)
"""A free place of the index."""


class RecentIds:
    """Hashes of records with the instant at which each came first, oldest first.

    An instant of 0 means before the first tick. The instants never go back.

    >>> ids = RecentIds()
    >>> ids.add(7, 1_000), ids.add(8, 2_000), ids.add(7, 3_000)
    (True, True, False)
    >>> ids.forget(before_ms=1_500, first_tick_ms=0), ids.add(7, 3_000)
    (True, True)
    """

    __slots__ = ("_keys", "_stamps", "_table")

    def __init__(self) -> None:
        self._keys: vec[i64] = vec[i64]()
        self._stamps: vec[i64] = vec[i64]()
        self._table: vec[i64] = vec[i64]()
        """An index where there are many: each hash at its last bits, or at the next free place."""

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, key: i64, stamp_ms: int) -> bool:
        """Take a record's hash; whether it was not known."""
        keys = self._keys
        size = len(keys)
        if size > _FEW:
            if 2 * size >= len(self._table):
                self._make_table()
            if not self._put(key):
                return False
        else:
            at: i64 = 0
            while at < size:
                if keys[at] == key:
                    return False
                at += 1
        self._keys = append(keys, key)
        self._stamps = append(self._stamps, i64(stamp_ms))
        return True

    def _put(self, key: i64) -> bool:
        table = self._table
        mask: i64 = len(table) - 1
        at = key & mask
        while table[at] != _EMPTY:
            if table[at] == key:
                return False
            at = (at + 1) & mask
        table[at] = key
        return True

    def _take(self, key: i64) -> None:
        """Free the place of a hash, and move up what could not have its own because of it."""
        table = self._table
        mask: i64 = len(table) - 1
        hole = key & mask
        while table[hole] != key:
            hole = (hole + 1) & mask
        at = hole
        while True:
            at = (at + 1) & mask
            other = table[at]
            if other == _EMPTY:
                break
            if ((at - other) & mask) >= ((at - hole) & mask):
                table[hole] = other
                hole = at
        table[hole] = _EMPTY

    def _make_table(self) -> None:
        """An index of all hashes, with room for as many more."""
        keys = self._keys
        size = 256
        while size < 4 * len(keys):
            size *= 2
        self._table = vec[i64]([_EMPTY] * size)
        for key in keys:
            self._put(key)

    def oldest_ms(self, first_tick_ms: int) -> int:
        """When the oldest came; there must be one."""
        return int(self._stamps[0]) or first_tick_ms

    def forget(self, before_ms: int, first_tick_ms: int) -> bool:
        """Forget what came before an instant or at it; whether anything did."""
        keys, stamps = self._keys, self._stamps
        size, gone = len(keys), i64(0)
        before, first = i64(before_ms), i64(first_tick_ms)
        while gone < size:
            stamp = stamps[gone]
            if (stamp if stamp else first) > before:
                break
            gone += 1
        if not gone:
            return False
        if size - gone <= _FEW:
            self._table = vec[i64]()
        elif len(self._table):
            at: i64 = 0
            while at < gone:
                self._take(keys[at])
                at += 1
        # New ones: the room of what is gone is given back.
        self._keys, self._stamps = keys[gone:], stamps[gone:]
        return True

    def unite(self, other: RecentIds, first_tick_ms: int, latest_ms: int) -> None:
        """Take what came elsewhere, by a clock that began at `first_tick_ms` (0 where it did not).

        `latest_ms` is the clock here, after which nothing came; 0 where it is not to be heeded.
        """
        found: dict[int, int] = {}
        for n in range(len(self._keys)):
            found[int(self._keys[i64(n)])] = int(self._stamps[i64(n)])
        for n in range(len(other._keys)):
            key, stamp = int(other._keys[i64(n)]), int(other._stamps[i64(n)]) or first_tick_ms
            if latest_ms and stamp > latest_ms:
                stamp = latest_ms
            if found.get(key, stamp) >= stamp:
                found[key] = stamp
        # Python's sort keeps the order of what came at the same instant.
        ordered = sorted(found.items(), key=lambda each: each[1])
        self._keys = vec[i64]([i64(key) for key, _ in ordered])
        self._stamps = vec[i64]([i64(stamp) for _, stamp in ordered])
        self._table = vec[i64]()

    def parts(self, size: int) -> list[RecentIds]:
        """The same in several, each with so many at most."""
        found = []
        for start in range(0, len(self._keys), size):
            part = RecentIds()
            part._keys = self._keys[start : start + size]
            part._stamps = self._stamps[start : start + size]
            found.append(part)
        return found

    def write(self, writer: Writer) -> None:
        """Write everything; `read` takes it."""
        writer.words(self._keys)
        before = 0
        for stamp in self._stamps:
            writer.number(int(stamp) - before)
            before = int(stamp)

    def read(self, reader: Reader) -> None:
        """Become what `write` wrote."""
        self._keys = reader.words()
        stamps = vec[i64](capacity=len(self._keys))
        stamp = 0
        for _ in range(len(self._keys)):
            stamp += reader.number()
            stamps = append(stamps, i64(stamp))
        self._stamps = stamps
        self._table = vec[i64]()
