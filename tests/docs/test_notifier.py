"""What docs/notifier.md says of decisions is what the commands say."""

from __future__ import annotations

from pathlib import Path

from pulse.alerting.records import standing

PAGE = (Path(__file__).parents[2] / "docs" / "notifier.md").read_text(encoding="utf-8")


def test_every_reason_that_is_explained_is_on_the_page() -> None:
    reasons = {*standing._REASONS, *standing._STATES}

    assert [each for each in sorted(reasons) if f"`{each}`" not in PAGE] == []


def test_every_standing_is_on_the_page() -> None:
    words = {*standing._WORDS.values(), "held", "waits"}

    assert [each for each in sorted(words) if each not in PAGE] == []
