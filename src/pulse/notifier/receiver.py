"""The port that a kind of receiver implements: what it is given, what it says back."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from pulse.model import Alert


@dataclass(frozen=True, slots=True)
class Notification:
    """One state of an alert for one receiver. `id` is the same over all attempts."""

    id: str
    alert: Alert


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: `number` counts from 1, `at_ms` is the clock's time when it began."""

    number: int
    at_ms: int


class Verdict(StrEnum):
    """What an attempt means for what comes next."""

    DELIVERED = "delivered"
    RETRY = "retry"
    """Not delivered; try again on the schedule."""
    THROTTLED = "throttled"
    """The endpoint has too much to do: try again on the schedule, or when it said, and gently."""
    GONE = "gone"
    """The endpoint wants no more notifications, ever."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """An attempt's outcome.

    `reason` is a short word out of few, for metrics (`ok`, `http_500`, `timeout`, …); `detail` is a
    line for the log, without secrets. `retry_after_s` is what the endpoint asked for.
    """

    verdict: Verdict
    reason: str
    http_status: int | None = None
    detail: str = ""
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverSettings:
    """One receiver of the configuration, with its secrets read.

    `keys` are those that sign, the current one first. `reasons` are shell patterns of alert
    reasons. `schedule_s` are the waits before the first, the second, … attempt.
    """

    name: str
    kind: str = "webhook"
    url: str = field(repr=False)
    keys: tuple[bytes, ...] = field(default=(), repr=False)
    reasons: tuple[str, ...] = ("*",)
    send_resolved: bool = True
    allow_private: bool = False
    timeout_s: float = 15.0
    schedule_s: tuple[float, ...] = (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
    jitter: float = 0.2
    retry_after_cap_s: float = 3600.0
    concurrency: int = 32


class Receiver(Protocol):
    """Where notifications are sent."""

    async def send(self, notification: Notification, attempt: Attempt) -> Outcome:
        """Make one attempt, within the receiver's time-out.

        Called concurrently, at most `concurrency` times at once. It raises nothing; a failure is an
        outcome.
        """
        ...

    async def close(self) -> None:
        """Close connections. Called once, when nothing is being sent any more."""
        ...
