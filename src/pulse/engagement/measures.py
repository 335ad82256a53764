"""Measures: what the windows of one account say at one instant."""

from __future__ import annotations

from typing import Final

from pulse.engagement.days import DAY_MS
from pulse.engagement.windows import WINDOWS, Triple

MICRO: Final = 1_000_000
"""Weights and values are integers of 10**-6, so that sums are exact."""

NEVER_USED: Final = -1

NOT_MEASURED: Final = -2.0
"""The trend where no scorecard asks for it."""
NO_TREND: Final = -1.0
"""The trend where there is none: the account's past is too short, or had nothing."""
NOT_COUNTED: Final = (-1, -1, -1)
"""The key features where no scorecard asks for them, or nothing can be said."""

WINDOW_NAMES = tuple(f"{days}d" for days in WINDOWS)
WINDOWED: Final = ("events", "value", "active_users", "features", "active_days")
"""The measures that have a window, in the order in which `Measures` holds them."""
SUMS: Final = ("events", "value")
"""Those that are sums, in 10**-6; the others are counts."""


class Measures:
    """All measures of an account as of one instant.

    `events` and `value` are sums in 10**-6, the others counts; one number for each of `WINDOWS`.
    `recency_ms` is the time since the last meaningful event, `NEVER_USED` before the first.
    `trend` and `key_features` are made by `pulse.engagement.on_demand` where a scorecard has them.
    """

    __slots__ = (
        "active_days", "active_users", "events", "features", "key_features", "recency_ms", "trend",
        "value",
    )  # fmt: skip

    def __init__(
        self,
        events: Triple,
        value: Triple,
        active_users: Triple,
        features: Triple,
        active_days: Triple,
        recency_ms: int,
    ) -> None:
        self.events = events
        self.value = value
        self.active_users = active_users
        self.features = features
        self.active_days = active_days
        self.recency_ms = recency_ms
        self.trend: float = NOT_MEASURED
        """The last week over a usual one; 1.0: as usual."""
        self.key_features: Triple = NOT_COUNTED
        """Key features that were used, one number for each of `WINDOWS`."""

    def windowed(self, index: int) -> Triple:
        """The measure `WINDOWED[index]`."""
        if index == 0:
            return self.events
        if index == 1:
            return self.value
        if index == 2:
            return self.active_users
        return self.features if index == 3 else self.active_days

    def number(self, measure: str, window: int) -> float:
        """One measure in the unit in which people speak of it; `window` indexes `WINDOWS`."""
        got = self.windowed(WINDOWED.index(measure))[window]
        return got / MICRO if measure in SUMS else float(got)

    @property
    def recency_days(self) -> float | None:
        """Days since the last meaningful event."""
        return None if self.recency_ms == NEVER_USED else self.recency_ms / DAY_MS


def readable(measures: Measures) -> dict[str, object]:
    """The measures as they are written out: exact decimals, whole numbers without a fraction.

    `trend` and `key_features` are there where they were asked for.
    """
    days, trend = measures.recency_days, measures.trend
    out: dict[str, object] = {
        "events": _sums(measures.events),
        "value": _sums(measures.value),
        "active_users": _counts(measures.active_users),
        "features": _counts(measures.features),
        "active_days": _counts(measures.active_days),
        "recency_days": None if days is None else round(days, 3),
    }
    if trend != NOT_MEASURED:
        out["trend"] = None if trend == NO_TREND else round(trend, 3)
    if measures.key_features[0] >= 0:
        out["key_features"] = _counts(measures.key_features)
    return out


def _sums(triple: Triple) -> dict[str, int | float]:
    return {"7d": decimal(triple[0]), "28d": decimal(triple[1]), "84d": decimal(triple[2])}


def _counts(triple: Triple) -> dict[str, int]:
    return {"7d": triple[0], "28d": triple[1], "84d": triple[2]}


def decimal(micro: int) -> int | float:
    """A sum in 10**-6 as it is written out."""
    return micro // MICRO if micro % MICRO == 0 else micro / MICRO
