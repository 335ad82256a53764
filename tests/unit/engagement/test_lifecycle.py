from __future__ import annotations

import pytest

from pulse.engagement.days import NO_INSTANT as NONE
from pulse.engagement.lifecycle import LifecycleRule, lifecycle

RULE = LifecycleRule(new_ms=28, dormant_after_ms=30, churned_after_ms=180)


@pytest.mark.parametrize(
    ("at_ms", "first_ms", "last_ms", "resurrected_ms", "stage"),
    [
        (1000, NONE, NONE, NONE, "new"),
        (27, 0, 27, NONE, "new"),
        (28, 0, 28, NONE, "current"),
        (1000, 0, 971, NONE, "current"),
        (1000, 0, 970, NONE, "dormant"),
        (1000, 0, 821, NONE, "dormant"),
        (1000, 0, 820, NONE, "churned"),
        # Back from dormancy, for as long as it takes to become dormant.
        (1000, 0, 999, 990, "resurrected"),
        (1000, 0, 999, 971, "resurrected"),
        (1000, 0, 999, 970, "current"),
        # Quiet again: what counts is how long.
        (1000, 0, 960, 960, "dormant"),
        # An account that came and went at once is dormant, not new.
        (40, 0, 1, NONE, "dormant"),
    ],
)
def test_stages(at_ms: int, first_ms: int, last_ms: int, resurrected_ms: int, stage: str) -> None:
    assert lifecycle(RULE, at_ms, first_ms, last_ms, resurrected_ms) == stage
