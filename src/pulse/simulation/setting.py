"""What a made-up history is a function of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from pulse.errors import PulseError

_EARLIEST: Final = 3_652
_LATEST: Final = 2_494_000
_LONGEST_DAYS: Final = 36_525


@dataclass(frozen=True, slots=True)
class Setting:
    """How many accounts over how long. The same setting gives the same bytes.

    Raises `PulseError` for what makes no sense.
    """

    accounts: int = 300
    days: int = 365
    seed: int = 1
    first: int = 20_089
    """The first day, counted from 1970-01-01 on: 2025-01-01."""
    churn: float = 0.3
    """The share of the accounts that leaves in a year."""
    profiles: bool = True
    """Whether there are lines of what the accounts bought."""

    def __post_init__(self) -> None:
        if self.accounts < 1 or self.days < 1:
            raise PulseError("a history needs an account and a day, at least")
        if not 0 <= self.churn < 1:
            raise PulseError(f"{self.churn:g} is no share of accounts that leave and others stay")
        if not _EARLIEST <= self.first <= _LATEST or self.days > _LONGEST_DAYS:
            raise PulseError("a history begins after 1979 and before 8800, and ends in a century")

    @property
    def end(self) -> int:
        """The day after the last."""
        return self.first + self.days

    @property
    def rate(self) -> float:
        """How many leave a year, for each that is there.

        >>> round(Setting(churn=0.25).rate, 3)
        0.288
        """
        return -math.log(1 - self.churn)
