import json

import pytest

from pulse.notifier.delivery import (
    Delivery,
    State,
    decode,
    decode_endpoint,
    decode_position,
    encode,
    encode_endpoint,
    encode_position,
    url_hash,
)

FULL = Delivery(
    id="al_x_cs_firing",
    alert_id="al_x",
    receiver="cs",
    status="firing",
    state=State.RETRYING,
    at_ms=1_700_000_000_001,
    created_ms=1_700_000_000_000,
    due_ms=1_699_999_999_000,
    origin="pulse.alerts/3/17",
    epoch=4,
    attempts=2,
    step=1,
    first_attempt_ms=1_700_000_000_000,
    next_ms=1_700_000_300_000,
    reason="http_500",
    http_status=500,
    alert='{"name":"Müller"}'.encode(),
)


def test_a_delivery_is_read_back_as_it_was_written() -> None:
    key, value = encode(FULL)

    assert key == "al_x_cs_firing"
    assert decode(value) == FULL
    assert decode(encode(FULL.becomes(State.SUCCEEDED, 1_700_000_000_002))[1]).alert is None


def test_a_record_is_json_that_a_person_can_read() -> None:
    record = json.loads(encode(FULL)[1])

    assert record["state"] == "retrying"
    assert record["next_at"] == "2023-11-14T22:18:20Z"
    assert record["alert"] == {"name": "Müller"}


def test_position_and_endpoint_are_read_back() -> None:
    assert decode_position(encode_position(3, 17, 8)[1]).offset == 17
    assert decode_position(encode_position(3, None, 8)[1]).offset is None
    key, value = encode_endpoint("cs", "https://x/secret", 1_700_000_000_000, 410)
    assert key == "endpoint/cs"
    assert decode_endpoint(value).url_sha256 == url_hash("https://x/secret")
    assert b"secret" not in value


@pytest.mark.parametrize("value", [b"", b"{", b"{}", b"\xff", b'{"v":1}', b"[]"])
def test_what_is_no_record_is_refused(value: bytes) -> None:
    with pytest.raises(ValueError):
        decode(value)


def test_a_record_of_a_later_version_is_refused_not_misread() -> None:
    with pytest.raises(ValueError, match="version 2"):
        decode(encode(FULL)[1].replace(b'"v":1', b'"v":2'))
