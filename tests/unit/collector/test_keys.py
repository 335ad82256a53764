"""Where a write key is found, and what is none."""

from __future__ import annotations

import msgspec
import pytest

from pulse.collector.keys import KeyRing, key_of, make
from pulse.collector.refusals import Refusal
from pulse.keyring import hash_of


@pytest.mark.parametrize("said", ["%%%", "cGs", "/w==", "\xff", "\xc3\xbf\xc3\xbf"])
def test_basic_auth_that_cannot_be_read_is_refused(said: str) -> None:
    with pytest.raises(Refusal) as refused:
        key_of(f"Basic {said}", {})

    assert (refused.value.status, refused.value.reason) == (401, "bad_key")


@pytest.mark.parametrize("said", ["", "Basic", "Basic Og==", "Bearer", "Bearer ", "\xff"])
def test_without_a_user_the_key_is_the_bodys(said: str) -> None:
    assert key_of(said, {"writeKey": "pk_1"}) == "pk_1"


def test_what_is_no_key_costs_the_others_nothing() -> None:
    ring, (key, kept) = KeyRing(), make("web")
    for value in (b"{", b"\xff", b"[]", msgspec.json.encode({"source": 1})):
        ring.take(b"somebody's", value)
    ring.take(hash_of(key).encode(), msgspec.json.encode(kept))

    assert ring.find(key) == kept
    assert len(ring) == 1
