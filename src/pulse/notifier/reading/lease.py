"""Whether this process may still act for its partitions after it stood still."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

_RENEW_EVERY_S: Final = 0.25


class Lease:
    """Held while the process runs without a gap; lost for good by a gap longer than `seconds`, and
    where the group has not answered who leads for `session_s`.

    A process that was stopped, or whose machine slept, for longer than the group's session, wakes
    into partitions that belong to others, before it hears of that; one that is cut off from Kafka
    alone does not hear of it at all. Without a lease nothing is sent and nothing written.

    >>> now_s = [0.0]
    >>> lease = Lease(4.0, now_s=lambda: now_s[0])
    >>> now_s[0] = 3.0; lease.renew(); now_s[0] = 6.0; lease.held
    True
    >>> now_s[0] = 7.5; lease.renew(); lease.held
    False
    >>> lease.begin(); lease.answered(now_s[0]); now_s[0] = 11.0; lease.renew(); lease.held
    True
    >>> now_s[0] = 14.0; lease.renew(); lease.held
    False
    """

    def __init__(
        self,
        seconds: float,
        session_s: float = 6.0,
        *,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._session_s = session_s
        self._now_s = now_s
        self._renewed_s = now_s()
        self._answered_s: float | None = None
        """When what the group answered last was sent; None where it need not answer."""

    @property
    def held(self) -> bool:
        """Whether the last renewal is recent enough, and the group's last answer."""
        now_s = self._now_s()
        return now_s - self._renewed_s <= self._seconds and (
            self._answered_s is None or now_s - self._answered_s <= self._session_s
        )

    def renew(self) -> None:
        """Prolong a lease that is held; one that was lost stays so."""
        if self.held:
            self._renewed_s = self._now_s()

    def begin(self) -> None:
        """Hold it anew. Called when the process has no partitions."""
        self._renewed_s = self._now_s()
        self._answered_s = None

    def answered(self, sent_s: float) -> None:
        """The group knows this process to lead, as of then (`time.monotonic`)."""
        if self.held:
            self._answered_s = sent_s

    def free(self) -> None:
        """It leads no more: the group need not answer. A lease that was lost stays so."""
        if self.held:
            self._answered_s = None

    async def keep(self) -> None:
        """Renew it until it is lost. Runs beside everything else."""
        while self.held:
            self.renew()
            await asyncio.sleep(_RENEW_EVERY_S)
