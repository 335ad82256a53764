"""State in huge pages of memory, where the system has them.

Each event is of another account, most of which lie in memory that nothing has read for a while. In
pages of 4 KB the processor must first look up where each is, in tables that are as far away as the
account itself; of pages of 2 MB it knows a gigabyte by heart. Python takes its memory in pieces
that are too small for the system to do this by itself.
"""

from __future__ import annotations

import ctypes
import mmap
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

HUGE_BYTES: Final = 2 << 20
_COLLAPSE: Final = 25
"""MADV_COLLAPSE, of Linux 6.1, which Python has no name for. What was tried elsewhere fails."""
_LEAST_GROWTH_BYTES: Final = 64 << 20
_FULL: Final = 7 / 8
_MAPS = Path("/proc/self/maps")
_STATM = Path("/proc/self/statm")


class HugePages:
    """Moves what a process has in memory into huge pages, as that grows."""

    def __init__(self) -> None:
        self._is_able = _STATM.exists()
        self._looked_at_bytes = 0

    def is_due(self) -> bool:
        """Whether there is so much more in memory than last time that it is worth the work."""
        if not self._is_able:
            return False
        grown = _resident_bytes() - self._looked_at_bytes
        return grown > max(_LEAST_GROWTH_BYTES, self._looked_at_bytes // 4)

    def gather(self) -> int:
        """Move all of it; how many bytes are in huge pages now, 0 where the system does not do it.

        Takes about 2 ms for each page that is not one yet, in which other threads go on. Only what
        is nearly full of pages in use is moved: the process does not grow by more than an eighth.
        """
        self._looked_at_bytes = _resident_bytes()
        system = ctypes.CDLL(None)
        in_use = (ctypes.c_ubyte * (HUGE_BYTES // mmap.PAGESIZE))()
        moved = 0
        for start in _ranges():
            where = ctypes.c_void_p(start), ctypes.c_size_t(HUGE_BYTES)
            if system.mincore(*where, in_use) or sum(in_use) < _FULL * len(in_use):
                continue
            if system.madvise(*where, _COLLAPSE):
                # No such call, none allowed, or no such page free: the rest will fare no better.
                self._is_able = moved > 0
                break
            moved += HUGE_BYTES
        return moved


def _ranges() -> Iterator[int]:
    """Where a huge page would fit into memory of Python's objects."""
    for line in _MAPS.read_text().splitlines():
        span, rights, _, _, inode, *name = line.split(maxsplit=5)
        if rights != "rw-p" or inode != "0" or name not in ([], ["[heap]"]):
            continue
        first, end = (int(each, 16) for each in span.split("-"))
        first = -(-first // HUGE_BYTES) * HUGE_BYTES
        yield from range(first, end - HUGE_BYTES + 1, HUGE_BYTES)


def _resident_bytes() -> int:
    return int(_STATM.read_text().split()[1]) * mmap.PAGESIZE
