"""The second table: what many accounts cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.speed import Speed


class Size(msgspec.Struct):
    """The engine alone with so many accounts, each with 92 days of history."""

    accounts: int
    rest_bytes: float
    """Memory an account, as read back."""
    live_bytes: float
    """Memory an account after an event of each."""
    first_event_us: float
    """An account's first event after it was read back."""
    event_us: float
    """Later ones, each in a minute of its own."""
    idle_tick_ms: float
    busy_tick_ms: float
    """A tick at which 1,000 accounts fall silent."""
    midnight_ms: float
    """All day starts together, which are spread over ten minutes."""
    midnight_tick_ms: float
    """The longest tick of these."""


class Scale(msgspec.Struct):
    """The second table's content; None where it was not measured."""

    sizes: list[Size]
    notes: list[str] = []
    busy_account_bytes: float | None = None
    """Memory an account at 1,000 events a day."""
    account_bytes: float | None = None
    changelog_ratio: float | None = None
    live_changelog_ratio: float | None = None
    idle_tick_ms: float | None = None
    busy_tick_ms: float | None = None
    midnight_ms: float | None = None
    midnight_tick_ms: float | None = None
    recovery_s: float | None = None
    read_back_s: float | None = None
    webhook_p50_s: float | None = None
    webhook_p99_s: float | None = None
    webhook_load: float | None = None
    """Events a second while that was measured."""

    @property
    def growth(self) -> float | None:
        """Cost of an event with the most accounts, of that with the fewest."""
        return self.sizes[-1].event_us / self.sizes[0].event_us if len(self.sizes) > 1 else None

    def singles(self) -> Iterator[tuple[str, float, str]]:
        """Each measured number: what, how much, unit."""
        for name, value, unit in (
            ("memory an account, 10 events a day", self.account_bytes, "bytes"),
            ("memory an account, 1,000 events a day", self.busy_account_bytes, "bytes"),
            ("changelog an input byte, the job", self.changelog_ratio, "bytes"),
            ("changelog an input byte, low live rate", self.live_changelog_ratio, "bytes"),
            ("tick, nothing due", self.idle_tick_ms, "ms"),
            ("tick, 1,000 accounts fall silent", self.busy_tick_ms, "ms"),
            ("midnight, all day starts together", self.midnight_ms, "ms"),
            ("midnight, the longest tick", self.midnight_tick_ms, "ms"),
            ("`kill -9` to caught up", self.recovery_s, "s"),
            ("… of it reading the state back", self.read_back_s, "s"),
            ("due → webhook, p50", self.webhook_p50_s, "s"),
            ("due → webhook, p99", self.webhook_p99_s, "s"),
            ("… at a load of", self.webhook_load, "events a second"),
        ):
            if value is not None:
                yield name, value, unit


@dataclass(frozen=True, slots=True)
class Settings:
    """What is measured, and where files go."""

    accounts: int
    is_quick: bool
    build: Path
    folder: Path


def measure(settings: Settings, speed: Speed | None) -> Scale:
    return Scale([])
