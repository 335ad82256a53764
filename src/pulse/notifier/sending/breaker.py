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
    nothing was delivered, None where the last attempt was. `idle_ms`: for how long since then
    nothing was to be sent, which says nothing of it; `idle_since_ms`: since when that is so just
    now.

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

    >>> breaker.failed(0), breaker.nothing_waits(5000), breaker.failed(9000)
    (None, None, None)
    >>> breaker.failing_ms(10_000)
    6000
    """

    failures: int = 0
    wait_ms: int = 0
    until_ms: int = 0
    since_ms: int | None = None
    idle_ms: int = 0
    idle_since_ms: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether at most one attempt at a time is made."""
        return self.until_ms > 0

    def succeeded(self) -> None:
        """An attempt was answered as it should be."""
        self.failures = self.wait_ms = self.until_ms = self.idle_ms = 0
        self.since_ms = self.idle_since_ms = None

    def nothing_waits(self, now_ms: int) -> None:
        """Nothing is to be sent there, until the next attempt."""
        if self.since_ms is not None and self.idle_since_ms is None:
            self.idle_since_ms = now_ms

    def failing_ms(self, now_ms: int) -> int:
        """For how long nothing was delivered of what was to be sent."""
        if self.since_ms is None:
            return 0
        return (self.idle_since_ms or now_ms) - self.since_ms - self.idle_ms

    def failed(self, now_ms: int) -> None:
        """An attempt has failed."""
        self.failures += 1
        if self.since_ms is None:
            self.since_ms = now_ms
        if self.idle_since_ms is not None:
            self.idle_ms += now_ms - self.idle_since_ms
            self.idle_since_ms = None
        # What was under way when it opened says nothing new.
        if self.failures >= AFTER and now_ms >= self.until_ms:
            self.wait_ms = min(2 * self.wait_ms or _FIRST_MS, _LONGEST_MS)
            self.until_ms = now_ms + self.wait_ms
