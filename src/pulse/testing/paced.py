"""Input at a pace: weeks of made-up usage played into the events topic within a minute or so.

    player = Player(system, PacedInput(seed=7), seconds=45)
    player.up_to(0.5)
    player.start()
    player.wait_for_share(0.3)      # three tenths of it are in the topic
    ...                             # injure something; input goes on meanwhile
    player.finish()                 # all of it is in the topic

The player writes the ticks too, as whoever plays history does (`clock: events`). What it plays is a
function of the seed: duplicates, disorder within a minute and beyond, late events (minutes, hours,
days, too late), events of the future, misplaced events, several sources, profiles, facts of
billing, support and surveys, lines that nobody can read, one line a record and several. Accounts
fade, fall silent and come back, so that alerts of every reason fire and resolve.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from pulse.engine import control
from pulse.placement import partition_of
from pulse.playback.sender import Sender
from pulse.testing.histories import profile, usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulse.testing.system import System

SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS = 1_000, 60_000, 3_600_000, 86_400_000
TRICKLE = 15
"""How many times slower the input goes beyond the share that was asked for."""

_NAP_S = 0.02

START_MS = 1_709_251_200_000
"""2024-03-01, so that a change of clocks lies within."""

RULES: dict[str, Any] = {
    "usage": {
        "weights": [{"event": "ping", "weight": 0}, {"event": "report.*", "weight": 2}],
        "ignore": [{"user": "bot"}],
    },
    "scorecard": [
        {"measure": "active_days", "window": "7d", "weight": 30, "target": 4},
        {"measure": "events", "window": "7d", "weight": 30, "target": 20},
        {"measure": "active_users", "window": "7d", "weight": 20, "target": {"per_seat": 0.5}},
        {"measure": "features", "window": "28d", "weight": 10, "target": {"of_baseline": 1.0}},
        {"measure": "recency_days", "weight": 10, "floor": 5, "target": 0},
    ],
    "line": {
        "enter": 45,
        "exit": 55,
        "approach": 65,
        "dwell": "6h",
        "min_history_days": 3,
        "min_active_days": 2,
    },
    "lifecycle": {"new_days": 2, "dormant_after_days": 12, "churned_after_days": 25},
    "signals": {
        "silence": {"days": 3, "min_active_days": 2},
        "champion_gone": {"days": 3, "min_events": 10},
        "feature_abandoned": {"days": 4, "min_events": 5},
        "unused_seats": {"min_seats": 2, "by_age": [{"from_days": 5, "below": 0.8}]},
        "stalled_onboarding": {"steps": [{"event": "report.read", "within_days": 2}]},
        "check_in_overdue": {"days": 9},
        "renewal_at_risk": {"days": 9},
        "ready_to_ask": {"score": 75, "days": 4, "min_users": 2},
        "support_waiting": {"hours": 5},
        "bug_open": {"days": 3},
        "detractor": {"days": 9},
    },
}
"""A configuration by which a few weeks are a long time."""

_ZONES = ("UTC", "Pacific/Kiritimati", "America/St_Johns", "Europe/Berlin")
_FACTS: list[tuple[str, dict[str, Any]]] = [
    ("payment_failed", {}),
    ("payment_recovered", {}),
    ("card_updated", {"expires_at": "2024-04"}),
    ("card_updated", {"expires_at": "2027-04"}),
    ("subscription_cancelled", {}),
    ("subscription_resumed", {}),
    ("subscription_resumed", {}),
    ("support_opened", {"id": 1}),
    ("support_opened", {"id": 2}),
    ("support_answered", {"id": 1}),
    ("bug_reported", {}),
    ("bug_closed", {}),
    ("nps", {"score": 2}),
    ("nps", {"score": 9}),
    ("nps", {"score": "bad"}),
    ("check_in", {}),
]
_BAD = (
    b'{"id":"b","account_id":"acc',
    b"\xff\xfe not text",
    b'{"id":"b","account_id":"account-0","event":7,"ts":1}',
    b'{"id":"b","event":"used","ts":"2024-03-05T00:00:00Z"}',
    b'{"id":"b","account_id":"account-0","event":"used","ts":"yesterday"}',
)


class PacedRecord(NamedTuple):
    """A record to write when log time has reached `due_ms`."""

    due_ms: int
    partition: int
    value: bytes
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


class _Sent(NamedTuple):
    """A line on its way to a partition."""

    due_ms: int
    order: int
    partition: int
    key: bytes | None
    line: bytes


@dataclass
class PacedInput:
    """What is played. `records` makes it; `counted` is right when that is over."""

    seed: int = 0
    partitions: int = 4
    accounts: int = 60
    days: int = 36
    tick_step_ms: int = 40 * MINUTE_MS
    counted: Counter[str] = field(default_factory=Counter)
    """How many events of each account must be counted once, whatever else comes of them."""
    wandering: set[str] = field(default_factory=set)
    """Accounts with misplaced events: handed on, they may come late, or twice."""

    def records(self) -> list[PacedRecord]:
        """The records in the order of the log."""
        rng = random.Random(self.seed)
        sent = [line for number in range(self.accounts) for line in self._account(rng, number)]
        for _ in range(self.days * 3):
            due_ms = START_MS + rng.randrange(self.days * DAY_MS)
            partition = rng.randrange(self.partitions)
            sent.append(_Sent(due_ms, 0, partition, None, rng.choice(_BAD)))
        sent.sort()
        return list(self._packed(rng, sent))

    def closing(self) -> list[PacedRecord]:
        """Ticks of some days without events, by which everything that is due is done."""
        first_ms = START_MS + self.days * DAY_MS
        return [
            record
            for step in range(3 * 24 * 6)
            for record in self._ticks(first_ms + step * 10 * MINUTE_MS)
        ]

    def _account(self, rng: random.Random, number: int) -> Iterator[_Sent]:
        name = f"account-{number}"
        home = partition_of(name, self.partitions)
        wanders = number % 7 == 0
        if wanders:
            self.wandering.add(name)
        life = rng.choice(["steady", "fades", "stops", "returns", "young"])
        turn = rng.randrange(8, self.days - 10)
        for change in range(rng.choice([1, 1, 2, 4])):
            at_ms = START_MS + change * rng.randrange(1, 6) * DAY_MS
            facts = {"name": name.title(), "seats": rng.randrange(1, 8), "mrr": 100 * number}
            facts["renewal_at"] = START_MS + number % self.days * DAY_MS
            if change == 0 or rng.random() < 0.3:
                facts["timezone"] = rng.choice(_ZONES)
            line = profile(f"p{number}-{change}", name, at_ms, **facts)
            yield _Sent(at_ms + rng.randrange(2_000), number, home, name.encode(), line)
        yield from self._facts(name, number, home)
        for day in range(1, self.days):
            if life == "young" and day < turn // 2:
                continue
            if life == "stops" and day >= turn:
                break
            if life == "returns" and turn <= day < turn + 7:
                continue
            sessions = 2 if life != "fades" or day < turn else int(rng.random() < 0.25)
            for session in range(sessions):
                at_ms = START_MS + day * DAY_MS + rng.randrange(DAY_MS)
                for nth in range(rng.randrange(1, 4)):
                    event_id = f"e{number}-{day}-{session}-{nth}"
                    yield from self._event(rng, name, event_id, at_ms, home, wanders)

    def _facts(self, name: str, number: int, home: int) -> Iterator[_Sent]:
        """What is said of an account besides use; by a chance of its own."""
        rng = random.Random(f"{self.seed}/{number}")
        for nth in range(rng.randrange(8)):
            event, properties = rng.choice(_FACTS)
            due_ms = START_MS + rng.randrange(self.days * DAY_MS)
            at_ms = due_ms - _delay_ms(rng)
            line = usage(f"f{number}-{nth}", name, at_ms, event=event, properties=properties)
            yield _Sent(due_ms, rng.randrange(1 << 30), home, name.encode(), line)

    def _event(
        self, rng: random.Random, name: str, event_id: str, about_ms: int, home: int, wanders: bool
    ) -> Iterator[_Sent]:
        due_ms = about_ms + rng.randrange(2 * MINUTE_MS)
        delay_ms = _delay_ms(rng)
        at_ms = due_ms - delay_ms
        event = rng.choice(["used", "report.run", "report.read", "ping"])
        user = rng.choice(["ada", "bob", "eve", "bot", None])
        fields: dict[str, Any] = {"event": event, "user_id": user}
        fields["properties"] = {"feature": f"f{rng.randrange(5)}", "value": rng.randrange(100) / 4}
        source = rng.choice([None, "crm", "app"])
        if source is not None:
            fields["source"] = source
        line = usage(event_id, name, at_ms, **fields)
        is_taken = -HOUR_MS < delay_ms < 90 * DAY_MS
        if user != "bot" and event != "ping" and is_taken:
            self.counted[name] += 2 if event.startswith("report") else 1
        partition = home
        if wanders and rng.random() < 0.1:
            partition = rng.randrange(self.partitions)
        order = rng.randrange(1 << 30)
        yield _Sent(due_ms, order, partition, name.encode(), line)
        # One of the future would be taken when it comes again.
        if rng.random() < 0.06 and partition == home and is_taken:
            again_ms = due_ms + rng.choice([0, SECOND_MS, 5 * MINUTE_MS, 5 * HOUR_MS, 18 * HOUR_MS])
            yield _Sent(again_ms, order, partition, name.encode(), line)

    def _packed(self, rng: random.Random, sent: list[_Sent]) -> Iterator[PacedRecord]:
        """Lines in records of one or of several, and the ticks between them."""
        packs: dict[int, list[bytes]] = defaultdict(list)
        tick_ms = START_MS
        for due_ms, _, partition, key, line in sent:
            while tick_ms <= due_ms:
                for number in sorted(packs):
                    yield PacedRecord(tick_ms, number, b"\n".join(packs.pop(number)))
                yield from self._ticks(tick_ms)
                tick_ms += self.tick_step_ms
            if rng.random() < 0.4:
                yield PacedRecord(due_ms, partition, line, key)
            else:
                packs[partition].append(line)
        for number, pack in packs.items():
            yield PacedRecord(tick_ms, number, b"\n".join(pack))

    def _ticks(self, at_ms: int) -> Iterator[PacedRecord]:
        headers, value = control.tick(at_ms)
        for partition in range(self.partitions):
            yield PacedRecord(at_ms, partition, value, None, headers)


def _delay_ms(rng: random.Random) -> int:
    """How long after its time an event is sent; negative if its clock is wrong."""
    chance = rng.random()
    if chance < 0.80:
        return rng.randrange(3 * SECOND_MS)
    if chance < 0.90:
        return rng.randrange(5 * MINUTE_MS)
    if chance < 0.95:
        return rng.randrange(10 * HOUR_MS)
    if chance < 0.985:
        return rng.randrange(6 * DAY_MS)
    return 91 * DAY_MS if chance < 0.99 else -10 * MINUTE_MS if chance < 0.995 else -3 * HOUR_MS


class Player(threading.Thread):
    """Plays an input into a system's events topic; all of it would take `seconds`.

    `up_to` makes it go on at a trickle from some share on, so that a scenario on a slow machine
    does not run out of input. A Kafka that is away is waited for, up to `timeout_s`.
    """

    def __init__(
        self, system: System, paced: PacedInput, seconds: float, *, timeout_s: float = 90.0
    ) -> None:
        super().__init__(daemon=True, name="player")
        self.paced = paced
        self.share = 0.0
        """How much of it is played, from 0 to 1."""
        self._seconds = seconds
        self._goal = 1.0
        self._kafka = system.config.kafka
        self._timeout_s = timeout_s
        self._error: BaseException | None = None
        self._stopped = threading.Event()

    def run(self) -> None:
        try:
            records = self.paced.records()
            self._send(records, self._seconds / len(records))
        except BaseException as error:
            self._error = error

    def up_to(self, share: float) -> None:
        """Play at full pace up to this share, and at a trickle beyond it."""
        self._goal = share

    def wait_for_share(self, share: float, within_s: float = 180.0) -> None:
        """Return when so much is played. Raises what went wrong, and `TimeoutError`."""
        deadline = time.monotonic() + within_s
        while self.share < share and self._error is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"only {self.share:.0%} was played within {within_s:g} s")
            time.sleep(_NAP_S)
        if self._error is not None:
            raise self._error

    def finish(self, within_s: float = 180.0) -> None:
        """Play the rest at full pace; return when all is acknowledged. Raises what went wrong."""
        self.up_to(1.0)
        self.wait_for_share(1.0, within_s)
        self.join(within_s)
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Play no more."""
        self._stopped.set()
        self.join(10)

    def close_days(self) -> None:
        """Play the ticks that end it all, as fast as they go."""
        self._send(self.paced.closing(), 0.0)

    def _send(self, records: list[PacedRecord], step_s: float) -> None:
        sender = Sender(self._kafka, max_bytes=1 << 20, timeout_s=self._timeout_s)
        due_s = time.monotonic()
        try:
            for number, record in enumerate(records, 1):
                if self._stopped.is_set():
                    break
                is_trickling = step_s > 0 and number > self._goal * len(records)
                due_s += step_s * (TRICKLE if is_trickling else 1)
                while (left_s := due_s - time.monotonic()) > 0 and not self._stopped.is_set():
                    time.sleep(min(left_s, _NAP_S))
                    if is_trickling and number <= self._goal * len(records):
                        due_s = time.monotonic()
                sender.send(record.partition, record.value, record.key, [*record.headers])
                if step_s:
                    self.share = number / len(records)
            sender.flush()
        finally:
            sender.close()
