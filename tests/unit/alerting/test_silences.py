"""The records of the silences topic."""

from __future__ import annotations

import pytest

from pulse.alerting.people.silences import Muted, encode_silence, encode_snooze, silence_id
from pulse.alerting.stages.matching import Matcher
from pulse.alerting.stages.muting import Silence, Snooze

SILENCE = Silence(
    id=silence_id("kim"),
    match=Matcher(segments=("enter*", "smb"), reasons=("silence",), mrr_from=1000.0),
    author="kim",
    reason="a migration",
    starts_ms=1_000,
    ends_ms=9_000,
)


def test_a_silence_is_read_as_it_was_written_until_it_is_lifted() -> None:
    muted = Muted()
    key, value = encode_silence(SILENCE)
    muted.read(key, value)
    assert muted.silences == {SILENCE.id: SILENCE}
    muted.read(key, None)
    assert muted.silences == {}


@pytest.mark.parametrize("until_ms", [None, 5_000])
def test_a_snooze_is_read_as_it_was_written(until_ms: int | None) -> None:
    muted = Muted()
    snooze = Snooze(alert_id="al_1", author="kim", reason="on it", until_ms=until_ms)
    muted.read(*encode_snooze(snooze))
    assert muted.snoozes == {"al_1": snooze}


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("other/1", b"{}", "not a record"),
        ("silence/1", b"{", "malformed|truncated"),
        ("snooze/1", b'{"v": 2, "alert_id": "al_1", "author": "kim"}', "version 2"),
        (
            "silence/1",
            b'{"v": 1, "id": "1", "match": {"moods": ["bad"]}, "author": "kim", "reason": "",'
            b' "starts_at": "2024-01-01T00:00:00Z", "ends_at": "2024-01-02T00:00:00Z"}',
            "moods",
        ),
    ],
)
def test_what_is_none_is_refused(key: str, value: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Muted().read(key, value)
