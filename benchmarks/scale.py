"""The second table: what many accounts cost."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from benchmarks import job, live
from benchmarks.fleet import Measured
from benchmarks.place import say
from benchmarks.rows import call

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.place import Place
    from benchmarks.speed import Speed

_ASSUMED_RATE = 100_000
"""Where the first table was not made in the same run."""


class Size(msgspec.Struct):
    """The engine alone with so many accounts, each with 92 days of history."""

    accounts: int
    rest_bytes: float
    """Memory an account, as read back."""
    live_bytes: float
    """Memory an account after an event of each."""
    idle_tick_ms: float
    busy_tick_ms: float
    """A tick at which 1,000 accounts fall silent."""
    first_event_us: float
    """An account's first event after it was read back."""
    spread_event_us: float
    """Later ones, each of another account than all before it for as long as can be."""
    event_us: float
    """Later ones, of accounts with shares as in the job."""
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
    in_turn_changelog_ratio: float | None = None
    in_turn_rate: float | None = None
    """Events a second of all accounts in turn that a worker takes."""
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
            ("changelog an input byte, all in turn", self.in_turn_changelog_ratio, "bytes"),
            ("all in turn, as fast as it goes", self.in_turn_rate, "events a second"),
            ("tick, nothing due", self.idle_tick_ms, "ms"),
            ("tick, 1,000 accounts fall silent", self.busy_tick_ms, "ms"),
            ("midnight, all day starts together", self.midnight_ms, "ms"),
            ("midnight, the longest tick", self.midnight_tick_ms, "ms"),
            ("`kill -9` to caught up", self.recovery_s, "s"),
            ("… of it reading the state back", self.read_back_s, "s"),
            ("due → webhook, p50", self.webhook_p50_s, "s"),
            ("due → webhook, p99", self.webhook_p99_s, "s"),
            ("… at half of that load", self.webhook_load, "events a second"),
        ):
            if value is not None:
                yield name, value, unit


@dataclass(frozen=True, slots=True)
class Settings:
    """What is measured, and where files go."""

    accounts: int
    is_quick: bool
    build: Path


_FEW, _MANY = 1_000, 1_000_000


def measure(settings: Settings, place: Place, speed: Speed | None) -> Scale:
    """Everything of the second table; what cannot be measured here is a note."""
    scale = Scale([])
    _engine_alone(settings, place, scale)
    _on_kafka(settings, place, speed, scale)
    return scale


def _engine_alone(settings: Settings, place: Place, scale: Scale) -> None:
    folder = place.new_folder("fleet")
    quick = settings.is_quick
    often, rarely = folder / "often", folder / "rarely"
    say("making accounts with 92 days of history")
    _child("templates", accounts=40 if quick else 200, silent=5, a_day=10, report=rarely)
    sizes = {_FEW, settings.accounts} | (set() if quick else {_MANY})
    for accounts in sorted(sizes):
        measured = _fleet(accounts, rarely, folder, scale)
        if measured is None:
            continue
        scale.sizes.append(Size(accounts, *msgspec.structs.astuple(measured)))
        say(f"{accounts:,} accounts: {measured}")
        if accounts == settings.accounts:
            scale.account_bytes = measured.live_bytes
            scale.idle_tick_ms, scale.busy_tick_ms = measured.idle_tick_ms, measured.busy_tick_ms
            scale.midnight_ms = measured.midnight_ms
            scale.midnight_tick_ms = measured.midnight_tick_ms
    _child("templates", accounts=1 if quick else 3, a_day=1_000, report=often)
    measured = _fleet(_FEW, often, folder, scale, "--only-memory")
    if measured is not None:
        scale.busy_account_bytes = measured.live_bytes


def _fleet(
    accounts: int, templates: Path, folder: Path, scale: Scale, *more: str
) -> Measured | None:
    report = folder / f"{templates.name}-{accounts}"
    arguments = ["--accounts", accounts, "--templates", templates, "--report", report, *more]
    try:
        call(sys.executable, "benchmarks.fleet", arguments)
    except RuntimeError as error:
        reason = str(error).rpartition("too large: ")[2].strip()
        if reason == str(error).strip():
            raise
        scale.notes.append(f"{accounts:,} accounts do not fit into this machine: {reason}.")
        return None
    return msgspec.msgpack.decode(report.read_bytes(), type=Measured)


def _on_kafka(settings: Settings, place: Place, speed: Speed | None, scale: Scale) -> None:
    events = 100_000 if settings.is_quick else 1_000_000
    files = job.write(job.standard(events, settings.accounts), settings.build, say)
    say(f"{settings.accounts:,} accounts on Kafka: the job, `kill -9`, another worker")
    rates = {row.name: row.best.rate for row in speed.rows} if speed is not None else {}
    found = live.recovery(place, files, rates.get("pulse", _ASSUMED_RATE) / 2)
    say(f"  {found}")
    scale.changelog_ratio = found.changelog_ratio
    scale.in_turn_changelog_ratio = found.in_turn_changelog_ratio
    scale.in_turn_rate = found.in_turn_rate
    scale.recovery_s, scale.read_back_s = found.seconds, found.read_back_s
    load = found.in_turn_rate / 2
    say(f"{settings.accounts:,} accounts on the wall clock, {load:,.0f} events a second")
    late = live.lateness(place, settings.accounts, load)
    say(f"  {late}")
    scale.webhook_p50_s, scale.webhook_p99_s = late.p50_s, late.p99_s
    scale.webhook_load = late.load


def _child(module: str, **options: object) -> None:
    arguments = [
        each for name, value in options.items() for each in (f"--{name.replace('_', '-')}", value)
    ]
    call(sys.executable, f"benchmarks.{module}", arguments)
