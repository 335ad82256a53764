"""Write keys: who may send, and which source it is. Kept as hashes, in a compacted topic."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any

import msgspec

from pulse.collector.refusals import Refusal
from pulse.keyring import Ring, new_key
from pulse.model.time import format_ms

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "pk_"
"""Write keys begin with it, so that one is known where it should not be."""


class WriteKey(msgspec.Struct, frozen=True):
    """What is known of a key, which itself nobody keeps."""

    source: str
    """What the events that come with it say as their source."""
    begins_with: str
    """Enough of it for a person to tell it from others."""
    made_at: str


def make(source: str) -> tuple[str, WriteKey]:
    """A new key, and what is kept of it."""
    key, begins_with = new_key(PREFIX)
    return key, WriteKey(source, begins_with, format_ms(time.time_ns() // 1_000_000))


def key_of(authorization: str, body: Mapping[str, Any]) -> str:
    """The write key: the user of Basic auth, whose password means nothing, or in the body."""
    scheme, _, said = authorization.partition(" ")
    if scheme.lower() == "basic":
        try:
            name = base64.b64decode(said, validate=True).decode().partition(":")[0]
        except ValueError:  # no ASCII, no base64 or no UTF-8
            raise Refusal(401, "bad_key", "the Authorization header cannot be read") from None
        if name:
            return name
    elif scheme.lower() == "bearer" and said:
        return said.strip()
    key = body.get("writeKey", "")
    return key if isinstance(key, str) else ""


class KeyRing(Ring[WriteKey]):
    """The keys that hold now."""

    def __init__(self) -> None:
        super().__init__(WriteKey)
