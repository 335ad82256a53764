from __future__ import annotations

import pytest

from pulse.engagement.lifecycle import LifecycleRule, lifecycle

RULE = LifecycleRule(new_ms=28, dormant_after_ms=30, churned_after_ms=180)


@pytest.mark.parametrize(
    ("at_ms", "first_ms", "last_ms", "resurrected_ms", "stage"),
    [
        (1000, None, None, None, "new"),
        (27, 0, 27, None, "new"),
        (28, 0, 28, None, "current"),
        (1000, 0, 971, None, "current"),
        (1000, 0, 970, None, "dormant"),
        (1000, 0, 821, None, "dormant"),
        (1000, 0, 820, None, "churned"),
        # Back from dormancy, for as long as it takes to become dormant.
        (1000, 0, 999, 990, "resurrected"),
        (1000, 0, 999, 971, "resurrected"),
        (1000, 0, 999, 970, "current"),
        # Quiet again: what counts is how long.
        (1000, 0, 960, 960, "dormant"),
        # An account that came and went at once is dormant, not new.
        (40, 0, 1, None, "dormant"),
    ],
)
def test_stages(
    at_ms: int, first_ms: int | None, last_ms: int | None, resurrected_ms: int | None, stage: str
) -> None:
    assert lifecycle(RULE, at_ms, first_ms, last_ms, resurrected_ms) == stage
