"""State in huge pages of memory, where the system has them.

Each event is of another account, most of which lie in memory that nothing has read for a while. In
pages of 4 KB the processor must first look up where each is, in tables that are as far away as the
account itself; of pages of 2 MB it knows a gigabyte by heart. Python takes its memory in pieces
that are too small for the system to do this by itself.
"""

from __future__ import annotations

import asyncio
import ctypes
import mmap
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from collections.abc import Iterator

_COLLAPSE: Final = 25
"""MADV_COLLAPSE, of Linux 6.1, which Python has no name for."""
_LEAST_GROWTH_BYTES: Final = 64 << 20
_MOST_REFUSED: Final = 16
"""A range may be busy or just given back; where so many in a row are refused, all are."""
_HUGE = Path("/sys/kernel/mm/transparent_hugepage")
_MAPS = Path("/proc/self/maps")
_STATM = Path("/proc/self/statm")


log = structlog.get_logger("pulse.worker")


async def use_huge_pages(look_every_s: float = 5.0) -> None:
    """Keep what the process has in memory in huge pages, until cancelled."""
    pages = HugePages()
    while True:
        await asyncio.sleep(look_every_s)
        try:
            if not pages.is_due():
                continue
            began_s = time.perf_counter()
            moved = await asyncio.to_thread(pages.gather)
        except (OSError, ValueError) as error:
            # Slower, and no reason to end.
            log.warning("huge pages of memory cannot be used", error=repr(error))
            return
        seconds = round(time.perf_counter() - began_s, 2)
        log.info("uses huge pages of memory", bytes=moved, seconds=seconds)


class HugePages:
    """Moves what a process has in memory into huge pages, as that grows."""

    def __init__(self) -> None:
        self._size_bytes = _size_bytes()
        self._looked_at_bytes = 0

    def is_due(self) -> bool:
        """Whether there is so much more in memory than last time that it is worth the work."""
        if not self._size_bytes:
            return False
        grown = _resident_bytes() - self._looked_at_bytes
        return grown > max(_LEAST_GROWTH_BYTES, self._looked_at_bytes // 4)

    def gather(self) -> int:
        """Move all of it; how many bytes are in huge pages now, 0 where the system does not do it.

        Takes 2 to 5 ms for each page of 2 MB that is not one yet; other threads go on meanwhile.
        Only what is nearly full of pages in use is moved, so that the process does not grow by
        more than a seventh. Raises OSError where the system does not say what is where.
        """
        if not self._size_bytes:
            return 0
        self._looked_at_bytes = _resident_bytes()
        system = ctypes.CDLL(None)
        pages = self._size_bytes // mmap.PAGESIZE
        in_use = (ctypes.c_ubyte * pages)()
        moved = refused = 0
        for start in _ranges(self._size_bytes):
            where = ctypes.c_void_p(start), ctypes.c_size_t(self._size_bytes)
            if system.mincore(*where, in_use) or 8 * sum(each & 1 for each in in_use) < 7 * pages:
                continue
            if system.madvise(*where, _COLLAPSE) == 0:
                moved += self._size_bytes
                refused = 0
            else:
                refused += 1
                if refused == _MOST_REFUSED:
                    break
        if not moved and refused:
            self._size_bytes = 0
        return moved


def _size_bytes() -> int:
    """Of a huge page; 0 where there are none, or whoever runs the machine wants none."""
    try:
        if "[never]" in (_HUGE / "enabled").read_text():
            return 0
        return int((_HUGE / "hpage_pmd_size").read_text())
    except OSError:
        return 0


def _ranges(size_bytes: int) -> Iterator[int]:
    """Where a huge page would fit into memory of Python's objects."""
    for line in _MAPS.read_bytes().splitlines():
        span, rights, _, _, inode, *name = line.split(maxsplit=5)
        if rights != b"rw-p" or inode != b"0" or name not in ([], [b"[heap]"]):
            continue
        first, end = (int(each, 16) for each in span.split(b"-"))
        first = -(-first // size_bytes) * size_bytes
        yield from range(first, end - size_bytes + 1, size_bytes)


def _resident_bytes() -> int:
    return int(_STATM.read_text().split()[1]) * mmap.PAGESIZE
