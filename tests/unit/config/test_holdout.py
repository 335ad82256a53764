"""Whose alerts are not sent: a share of the accounts, from a day on."""

from __future__ import annotations

import pytest

from pulse.alerting.stages.holdout import Holdout
from pulse.config import Config
from pulse.config.loading import read
from pulse.config.mistakes import ConfigError
from pulse.config.pipeline import holdout
from pulse.model.time import parse_ts


def test_a_share_is_held_out_from_a_utc_day_on() -> None:
    text = "timezone: Asia/Tokyo\nholdout: {share: 0.1, since: 2026-03-01, salt: spring}"

    assert holdout(read(Config, text)) == Holdout(0.1, "spring", parse_ts("2026-03-01T00:00:00Z"))
    assert holdout(Config()) == Holdout(0.0, "pulse", 0)
    assert not holdout(Config()).has("acme", 0)


@pytest.mark.parametrize(
    ("text", "line", "where"),
    [
        ("holdout:\n  share: 0.1", 2, "holdout.share"),
        ("holdout:\n  share: 0.1\n  since:", 3, "holdout.since"),
    ],
)
def test_a_share_says_since_when(text: str, line: int, where: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(Config, text)

    [found] = caught.value.mistakes
    assert found.line == line
    assert str(found).startswith(f"{where}: a share is held out, and it is not said since when")
    assert "write the day from which it is, like 2026-03-01" in str(found)


def test_a_day_alone_holds_nobody_out() -> None:
    assert not holdout(read(Config, "holdout: {since: 2026-03-01}")).has("beta", 1 << 50)


def test_what_is_no_day_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"holdout\.since"):
        read(Config, "holdout: {share: 0.1, since: spring}")
