"""What is read of the history, a row each."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import date

    from pulse.model.account import Lifecycle, Zone


class DayRow(NamedTuple):
    """How an account stood at the start of one of its days."""

    day: date
    score: float | None
    zone: Zone
    lifecycle: Lifecycle
    line: float
    approach: float
    mrr: float
    events: float
    value: float
    active_users: int
    features: int
    active_days: int


class FleetDay(NamedTuple):
    """How many accounts stood where at the start of their day. `mrr` is theirs together."""

    day: date
    zone: Zone
    lifecycle: Lifecycle
    accounts: int
    mrr: float


class HeldLine(NamedTuple):
    """Below which scores the most accounts of a segment were in danger, and approached it."""

    enter: float
    approach: float
    accounts: int
    """That are in the segment."""


class ZoneMove(NamedTuple):
    """How many accounts went from one zone to another on a day; `was` is None for new ones."""

    day: date
    was: Zone | None
    now: Zone
    accounts: int


class LifecycleMove(NamedTuple):
    """The same from one stage of life to another."""

    day: date
    was: Lifecycle | None
    now: Lifecycle
    accounts: int
