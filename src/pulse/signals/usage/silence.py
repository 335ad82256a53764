"""Silence: an account that used to be active has done nothing meaningful for N days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pulse.engagement.days import NEVER

REASON: Final = "silence"


@dataclass(frozen=True, slots=True)
class Silence:
    """`after_ms` without a meaningful event, for accounts with at least `min_active_days`.

    The alert is due at the very instant: the last meaningful event plus `after_ms`. It resolves
    when the account is active again.
    """

    after_ms: int
    min_active_days: int

    def due_ms(self, last_ms: int | None, active_days: int) -> int:
        """When the account falls silent if nothing comes any more; `NEVER` if that is no news.

        >>> Silence(21 * 86_400_000, 5).due_ms(1_000, active_days=5)
        1814401000
        """
        if last_ms is None or active_days < self.min_active_days:
            return NEVER
        return last_ms + self.after_ms
