from __future__ import annotations

from pulse.engagement.days import NEVER
from pulse.signals.usage.silence import Silence

RULE = Silence(after_ms=21, min_active_days=5)


def test_it_is_due_so_long_after_the_last_use() -> None:
    assert RULE.due_ms(1000, active_days=5) == 1021
    assert RULE.due_ms(0, active_days=50) == 21


def test_the_silence_of_an_account_that_was_hardly_active_is_no_news() -> None:
    assert RULE.due_ms(1000, active_days=4) == NEVER
    assert RULE.due_ms(None, active_days=5) == NEVER
