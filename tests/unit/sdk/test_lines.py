"""What an app says, and the line that it becomes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from pulse.sdk.lines import MAX_LINE_BYTES, BadEventError, instant, line_of

EVENT = {"id": "e1", "account_id": "acme", "event": "run", "ts": 1_729_798_381_000}
PROFILE = {"id": "p1", "type": "profile", "account_id": "acme", "ts": 0}


def deep() -> Any:
    found: Any = {}
    for _ in range(300):
        found = {"in": found}
    return found


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (EVENT | {"account_id": ""}, "account_id must have 1 to 256 characters"),
        (EVENT | {"user_id": 7}, "user_id Input should be a valid string"),
        (EVENT | {"ts": "yesterday"}, "ts must be RFC 3339"),
        (EVENT | {"properties": {"value": "3"}}, "properties value must be a number"),
        (EVENT | {"properties": {"value": 1e12}}, "properties value must be finite and within"),
        (EVENT | {"properties": {"feature": ["a"]}}, "properties feature must be a name"),
        (EVENT | {"properties": {"text": "\ud800"}}, "cannot be written as JSON"),
        (EVENT | {"properties": {"what": object()}}, "cannot be written as JSON"),
        (EVENT | {"properties": deep()}, "nested too deeply"),
        (EVENT | {"properties": {"text": "x" * MAX_LINE_BYTES}}, "at most 262144 are taken"),
        (PROFILE | {"profile": {"sets": 3}}, "a profile has no field sets"),
        (PROFILE | {"profile": {"seats": -1}}, "profile.seats Input should be greater"),
        (PROFILE | {"profile": {"timezone": "Europe/Atlantis"}}, "there is no time zone"),
    ],
)
def test_what_cannot_be_counted_is_said_at_once(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(BadEventError, match=said):
        line_of(fields)


def test_a_profile_keeps_what_it_deletes() -> None:
    line = line_of(PROFILE | {"profile": {"seats": 9, "owner": None}})

    assert msgspec.json.decode(line.data)["profile"] == {"seats": 9, "owner": None}


def test_an_instant_needs_its_time_zone() -> None:
    assert instant(datetime(2024, 10, 24, 19, 33, 1, tzinfo=UTC)) == EVENT["ts"]
    with pytest.raises(BadEventError, match="needs its time zone"):
        instant(datetime(2024, 10, 24))  # noqa: DTZ001  # which is what is wrong with it
