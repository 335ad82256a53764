"""What a request's body says, within limits."""

from __future__ import annotations

import msgspec
import pytest

from pulse.collector.body import MAX_DEPTH, as_json
from pulse.collector.refusals import Refusal


def nested(levels: int) -> bytes:
    return b'{"a":' * (levels - 1) + b"{}" + b"}" * (levels - 1)


def test_what_is_as_deep_as_may_be_is_read() -> None:
    assert as_json(nested(MAX_DEPTH)) == msgspec.json.decode(nested(MAX_DEPTH))


def test_many_that_are_not_deep_are_read() -> None:
    many = [{"properties": {"list": [number]}} for number in range(1_000)]
    assert as_json(msgspec.json.encode(many)) == many


@pytest.mark.parametrize("body", [nested(MAX_DEPTH + 1), nested(100_000), b"[" * 1_000_000])
def test_what_is_too_deep_is_refused(body: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        as_json(body)
    assert (refused.value.status, refused.value.reason) == (400, "too_deep")


def test_brackets_in_texts_nest_nothing() -> None:
    assert as_json(msgspec.json.encode({"x": "[{" * 1_000})) == {"x": "[{" * 1_000}
