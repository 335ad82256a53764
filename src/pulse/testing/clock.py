"""A clock that stands still until it is turned by hand."""

import asyncio
import heapq
from itertools import count


class ManualClock:
    """The `Clock` of tests. Whoever sleeps wakes when `advance` has passed its time.

    >>> clock = ManualClock(1_000)
    >>> clock.now_ms()
    1000
    """

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._now_ms = now_ms
        self._order = count()
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []

    def now_ms(self) -> int:
        return self._now_ms

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        due_ms = self._now_ms + max(0, round(1000 * seconds))
        heapq.heappush(self._sleepers, (due_ms, next(self._order), future))
        self._wake()
        await future

    async def advance(self, seconds: float) -> None:
        """Let so much time pass, and everything happen that falls due in it, in its order."""
        until_ms = self._now_ms + round(1000 * seconds)
        await settle()
        while self._sleepers and self._sleepers[0][0] <= until_ms:
            self._now_ms = max(self._now_ms, self._sleepers[0][0])
            self._wake()
            await settle()
        self._now_ms = until_ms
        self._wake()
        await settle()

    def _wake(self) -> None:
        while self._sleepers and self._sleepers[0][0] <= self._now_ms:
            _, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)


async def settle() -> None:
    """Let the event loop run until everything that needs no time and no I/O is done."""
    for _ in range(50):
        await asyncio.sleep(0)
