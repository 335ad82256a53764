"""Made-up histories: lines of usage, and the log of one partition as the engine reads it.

Nothing here is random but by a seed, so that a measurement or a failing test can be repeated.
"""

from __future__ import annotations

import heapq
import itertools
import random
from bisect import bisect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from pulse.engine.control import CONTROL_HEADER
from pulse.model.time import format_ms, parse_ts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A record of the events topic."""

    offset: int
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp: int | None = None


def usage(event_id: str, account_id: str, at: int | str, /, **fields: Any) -> bytes:
    """One usage event as JSON, called `used`; `fields` adds to it or says otherwise.

    >>> usage("e1", "acme", 1_729_798_381_000, user_id="ada")
    b'{"id":"e1","account_id":"acme","event":"used","ts":"2024-10-24T19:33:01Z","user_id":"ada"}'
    """
    line = {"id": event_id, "account_id": account_id, "event": "used", "ts": _text(at)}
    return msgspec.json.encode(line | fields)


def profile(record_id: str, account_id: str, at: int | str, /, **facts: Any) -> bytes:
    """One profile record as JSON: `facts` are the fields of the profile."""
    line = {"id": record_id, "type": "profile", "account_id": account_id, "ts": _text(at)}
    return msgspec.json.encode({**line, "profile": facts})


def _text(at: int | str) -> str:
    return at if isinstance(at, str) else format_ms(at)


class Log:
    """A partition's log that is written one record after the other.

    >>> log = Log()
    >>> log.add(usage("e1", "acme", 0))
    0
    >>> log.tick("1970-01-01T00:01:02Z")
    1
    >>> [record.value for record in log.records]
    [b'{"id":"e1","account_id":"acme","event":"used","ts":"1970-01-01T00:00:00Z"}', b'{"ts":62000}']
    """

    def __init__(self) -> None:
        self.records: list[LogEntry] = []

    def add(self, value: bytes | None, *headers: tuple[str, bytes]) -> int:
        """Append a record; its offset."""
        offset = len(self.records)
        self.records.append(LogEntry(offset, value, headers))
        return offset

    def control(self, kind: str, value: bytes = b"{}") -> int:
        """Append a control record; its offset."""
        return self.add(value, (CONTROL_HEADER, kind.encode()))

    def tick(self, at: int | str) -> int:
        """Append a tick; its offset."""
        at_ms = at if isinstance(at, int) else parse_ts(at)
        return self.control("tick", b'{"ts":%d}' % at_ms)


class JobLine(NamedTuple):
    """A line of a job and what it is: an `event`, a `duplicate` of an earlier one, a `profile`.

    A profile has no user, no feature and no value.
    """

    at_ms: int
    kind: Literal["event", "duplicate", "profile"]
    account_id: str
    user_id: str | None
    feature: str | None
    value: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Job:
    """A job of a usual shape: few accounts make most of the events.

    The n-th account has a share of the events in proportion to 1/n. Events come in time order,
    spread evenly over the days, about 180 bytes each, all with a user, a feature and a value.
    Duplicates and profiles come between them and change nothing about them.

    >>> from collections import Counter
    >>> job = Job(events=1_000, accounts=10, duplicates=0.01, profiles=True)
    >>> sorted(Counter(line.kind for line in job.script()).items())
    [('duplicate', 8), ('event', 1000), ('profile', 10)]
    """

    events: int = 1_000_000
    days: int = 90
    accounts: int = 5_000
    users: int = 5
    """For each account."""
    features: int = 20
    duplicates: float = 0.0
    """Share of the events that come again, a little later."""
    profiles: bool = False
    """Whether an account's first event comes after its profile."""
    start_ms: int = 1_704_067_200_000
    seed: int = 0

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Each line's time in ms and its JSON."""
        for line in self.script():
            yield line.at_ms, line.raw

    def script(self) -> Iterator[JobLine]:
        """Each line in the order of the log."""
        rng, again = random.Random(self.seed), random.Random(self.seed + 1)
        known = set[str]()
        repeats: list[tuple[int, JobLine]] = []
        for number, event in enumerate(self._events(rng)):
            if self.profiles and event.account_id not in known:
                known.add(event.account_id)
                yield _profile_line(event, again)
            yield event
            if again.random() < self.duplicates:
                heapq.heappush(
                    repeats, (number + again.randrange(1, 100), event._replace(kind="duplicate"))
                )
            while repeats and repeats[0][0] <= number:
                yield heapq.heappop(repeats)[1]
        for _, repeat in sorted(repeats):
            yield repeat

    def _events(self, rng: random.Random) -> Iterator[JobLine]:
        shares = list(itertools.accumulate(1 / n for n in range(1, self.accounts + 1)))
        step_ms = self.days * _DAY_MS / self.events
        for number in range(self.events):
            at_ms = self.start_ms + int(number * step_ms)
            account = bisect(shares, rng.random() * shares[-1])
            user, feature = rng.randrange(self.users), rng.randrange(self.features)
            value = rng.randrange(60)
            raw = (
                b'{"id":"ev-%012d","account_id":"acc-%06d","user_id":"user-%06d-%d",'
                b'"event":"report.run","ts":"%s",'
                b'"properties":{"feature":"feature-%02d","value":%d}}'
                % (number, account, account, user, format_ms(at_ms).encode(), feature, value)
            )
            account_id, user_id = f"acc-{account:06}", f"user-{account:06}-{user}"
            yield JobLine(at_ms, "event", account_id, user_id, f"feature-{feature:02}", value, raw)


def _profile_line(event: JobLine, rng: random.Random) -> JobLine:
    account_id, at_ms = event.account_id, event.at_ms
    seats = rng.randrange(5, 50)
    raw = profile(
        f"profile-{account_id}", account_id, at_ms,
        name=f"Company {account_id}", plan=rng.choice(("basic", "pro")), mrr=20 * seats,
        seats=seats, owner=f"owner-{rng.randrange(10)}",
    )  # fmt: skip
    return JobLine(at_ms, "profile", account_id, None, None, 0, raw)
