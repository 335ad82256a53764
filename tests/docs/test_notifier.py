"""What docs/notifier.md says of decisions is what the commands say."""

from __future__ import annotations

from pathlib import Path

from pulse.alerting.records import standing
from pulse.alerting.stages import holdout
from pulse.cli import try_route

PAGE = (Path(__file__).parents[2] / "docs" / "notifier.md").read_text(encoding="utf-8")


def test_every_reason_that_is_explained_is_on_the_page() -> None:
    reasons = {*standing._REASONS, *standing._STATES}

    assert [each for each in sorted(reasons) if f"`{each}`" not in PAGE] == []


def test_why_nobody_is_told_of_an_alert_is_explained() -> None:
    quiet = {"historical", "load", "configuration", holdout.REASON}

    assert quiet <= standing._REASONS.keys()
    assert quiet <= try_route._WHY_NOT.keys()


def test_every_standing_is_on_the_page() -> None:
    words = {*standing._WORDS.values(), "held", "waits"}

    assert [each for each in sorted(words) if each not in PAGE] == []
