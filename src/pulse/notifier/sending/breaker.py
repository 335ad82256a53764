"""Whether an endpoint that fails is to be left alone. Pure: the time is given."""

from dataclasses import dataclass
from typing import Final

AFTER: Final = 10
"""Failures in a row, after which it is left alone."""
_FIRST_MS: Final = 1_000
_LONGEST_MS: Final = 30_000


@dataclass(slots=True)
class Breaker:
    """Opens after `AFTER` failures in a row; then one attempt is made now and then, until one
    succeeds: after a second, two, four, at most half a minute.

    `until_ms`: when the next attempt may be made, 0 where it is closed. `since_ms`: since when
    nothing was delivered, None where the last attempt was.

    >>> breaker = Breaker()
    >>> for _ in range(AFTER):
    ...     breaker.failed(0)
    >>> breaker.is_open, breaker.until_ms
    (True, 1000)
    >>> breaker.failed(999), breaker.until_ms, breaker.failed(1000), breaker.until_ms
    (None, 1000, None, 3000)
    >>> breaker.succeeded()
    >>> breaker.is_open, breaker.since_ms
    (False, None)
    """

    failures: int = 0
    wait_ms: int = 0
    until_ms: int = 0
    since_ms: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether at most one attempt at a time is made."""
        return self.until_ms > 0

    def succeeded(self) -> None:
        """An attempt was answered as it should be."""
        self.failures = self.wait_ms = self.until_ms = 0
        self.since_ms = None

    def nothing_waits(self) -> None:
        """Nothing is to be sent there: the time until something is says nothing of it."""
        self.since_ms = None

    def failed(self, now_ms: int) -> None:
        """An attempt has failed."""
        self.failures += 1
        if self.since_ms is None:
            self.since_ms = now_ms
        # What was under way when it opened says nothing new.
        if self.failures >= AFTER and now_ms >= self.until_ms:
            self.wait_ms = min(2 * self.wait_ms or _FIRST_MS, _LONGEST_MS)
            self.until_ms = now_ms + self.wait_ms
