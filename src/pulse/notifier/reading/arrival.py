"""What comes from the alerts topic, and how much of it is taken at once."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import msgspec

from pulse.alerting.everybody.fleet import ACCOUNTS_HEADER, FALLS, Fact
from pulse.model import Alert, parse_ts

At = Callable[[str, int | None], None]
"""Called in the event loop with a step's name and its partition, None where it has none."""

MAX_ALERT_BYTES: Final = 256 * 1024
"""A larger record is no alert: an alert is a few kilobytes, and has to fit a delivery's record."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """An alert state as read: `due_ms` is where its latency counts from, `raw` its JSON.

    `accounts`: how many accounts of its partition are in use, where the record says.
    """

    alert: Alert
    raw: bytes
    due_ms: int
    origin: str
    offset: int = -1
    accounts: int | None = None

    def heard(self) -> "Heard":
        """What the fleet's guard needs of it."""
        alert = self.alert
        fact = None
        if _falls(alert):
            fact = Fact(
                alert.id,
                alert.account_id,
                alert.reason,
                alert.status == "firing",
                alert.at,
                alert.profile.segment,
            )
        return Heard(self.offset, self.accounts, fact)


@dataclass(frozen=True, slots=True)
class Heard:
    """One record of the alerts topic, as far as it matters to the whole fleet."""

    offset: int
    accounts: int | None
    fact: Fact | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What keeps memory bounded, and for how long things take.

    A receiver has at most `undelivered` notifications that are still to be sent, and `backlog` that
    were not attempted yet; what is above waits in its groups, and is no notification yet. Reading
    stops only where no receiver has room. Done alerts are forgotten `retention_days` after. Who
    gives the lead up waits `leave_within_s` for the requests under way. What is first told
    `late_after_ms` after it was due says that it is late.
    """

    undelivered: int = 20_000
    backlog: int = 1_000
    retention_days: int = 30
    leave_within_s: float = 3.0
    late_after_ms: int = 3_600_000


class Fullness(Enum):
    """Why no more alerts should be read just now, if so."""

    ROOM = "room"
    BUSY = "busy"
    """All receivers have much to do."""
    TOO_MUCH_WAITS = "too much waits"
    """Too many notifications wait for another attempt: it may take as long as a receiver is away.
    """


class _Profile(msgspec.Struct):
    segment: str | None = None


class _Brief(msgspec.Struct):
    id: str
    account_id: str
    reason: str
    status: str
    at: str
    historical: bool
    profile: _Profile
    caused_by: str | None = None


def _falls(said: "Alert | _Brief") -> bool:
    """Whether it is an account's own fall, or the end of one, that was or will be told."""
    return said.reason in FALLS and not said.historical and said.caused_by is None


_brief: Final = msgspec.json.Decoder(_Brief)


def hear(record: Any) -> Heard:
    """What a consumer's record says of the fleet; what is no alert says nothing."""
    fact = None
    try:
        if record.value is not None and len(record.value) <= MAX_ALERT_BYTES:
            said = _brief.decode(record.value)
            if _falls(said):
                fact = Fact(
                    said.id,
                    said.account_id,
                    said.reason,
                    said.status == "firing",
                    parse_ts(said.at),
                    said.profile.segment,
                )
    except ValueError:
        fact = None  # the consumer says that it cannot be read
    return Heard(record.offset, accounts_of(record), fact)


def accounts_of(record: Any) -> int | None:
    """How many accounts the partition of a consumer's record has in use, where it says."""
    for name, value in record.headers or ():
        if name == ACCOUNTS_HEADER and value is not None and value.isdigit():
            return int(value[:12])
    return None
