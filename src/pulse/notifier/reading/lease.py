"""Whether this process may still act for its partitions after it stood still."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

_RENEW_EVERY_S: Final = 0.25


class Lease:
    """Held while the process runs without a gap; lost for good by a gap longer than `seconds`.

    A process that was stopped, or whose machine slept, for longer than the group's session, wakes
    into partitions that belong to others, before it hears of that. Without a lease nothing is sent
    and nothing written.

    >>> now_s = [0.0]
    >>> lease = Lease(4.0, now_s=lambda: now_s[0])
    >>> now_s[0] = 3.0; lease.renew(); now_s[0] = 6.0; lease.held
    True
    >>> now_s[0] = 7.5; lease.renew(); lease.held
    False
    """

    def __init__(self, seconds: float, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._now_s = now_s
        self._renewed_s = now_s()

    @property
    def held(self) -> bool:
        """Whether the last renewal is recent enough."""
        return self._now_s() - self._renewed_s <= self._seconds

    def renew(self) -> None:
        """Prolong a lease that is held; one that was lost stays so."""
        if self.held:
            self._renewed_s = self._now_s()

    def begin(self) -> None:
        """Hold it anew. Called when the process has no partitions."""
        self._renewed_s = self._now_s()

    async def keep(self) -> None:
        """Renew it until it is lost. Runs beside everything else."""
        while self.held:
            self.renew()
            await asyncio.sleep(_RENEW_EVERY_S)
