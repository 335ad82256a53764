"""The port that a kind of receiver implements: what it is given, what it says back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from pulse.model import Alert


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """What a receiver is told at once. `id` is the same over all attempts.

    `alerts`: one to 25, the worst first, each with its own status and owner. `group`: names and
    values of what they have in common; empty where each is told alone, or all together.
    `group_id`: the same over all notifications of a group; empty where each is told alone.
    `also_firing`: how many of the group fire besides. `links`: by alert id, then by name (`alert`,
    `acknowledge`, `snooze`, `close`), addresses for a person; empty where there is no page.
    `is_late`: it comes so long after its alerts began that the reader must be told. `again`:
    nothing in it is new.
    """

    id: str
    alerts: tuple[Alert, ...]
    group: tuple[tuple[str, str], ...] = ()
    group_id: str = ""
    also_firing: int = 0
    is_digest: bool = False
    again: bool = False
    is_late: bool = False
    links: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def alert(self) -> Alert:
        """The worst of them."""
        return self.alerts[0]

    @property
    def is_firing(self) -> bool:
        """Whether any of them goes on."""
        return any(each.status == "firing" for each in self.alerts)


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

    `reason` is a short word out of few, for metrics (`http_500`, `timeout`, …); of what is there it
    is `ok`, or says what part is not. `detail` is a line for the log, without secrets.
    `retry_after_s` is what the endpoint asked for.
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
    reasons. `schedule_s` are the waits before the first, the second, … attempt. `rate`: the most
    requests a second, None where there is no limit. `per_alert`: an attempt is a request for each
    alert. `options` is what only its kind has, see `pulse.notifier.kinds`; None for a plain
    webhook. `identity`: what makes it another endpoint when it changes, besides its URL.
    """

    name: str
    kind: str = "webhook"
    url: str = field(default="", repr=False)
    keys: tuple[bytes, ...] = field(default=(), repr=False)
    reasons: tuple[str, ...] = ("*",)
    send_resolved: bool = True
    allow_private: bool = False
    timeout_s: float = 15.0
    schedule_s: tuple[float, ...] = (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
    jitter: float = 0.2
    retry_after_cap_s: float = 3600.0
    concurrency: int = 32
    rate: float | None = None
    per_alert: bool = False
    timezone: str = "UTC"
    options: object = field(default=None, repr=False)
    identity: str = field(default="", repr=False)

    @property
    def endpoint(self) -> str:
        """What its endpoint is known by, a secret: what was said of another one is not of this."""
        return self.url + self.identity


class Receiver(Protocol):
    """Where notifications are sent."""

    async def send(self, notification: Notification, attempt: Attempt) -> Outcome:
        """Make one attempt, within the receiver's time-out; where it is several requests, in a
        second more for each further one.

        Called concurrently, at most `concurrency` times at once. It raises nothing; a failure is an
        outcome.
        """
        ...

    async def close(self) -> None:
        """Close connections. Called once, when nothing is being sent any more."""
        ...
