"""Write keys: who may send, and which source it is. Kept as hashes, in a compacted topic.

Whoever runs a collector follows the topic, so that a key holds everywhere a moment after it was
made, and nowhere a moment after it was revoked.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
import time
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from aiokafka import AIOKafkaProducer

from pulse.collector.refusals import Refusal
from pulse.config.kafka_clients import close
from pulse.following import WITHIN_S, Follower
from pulse.model.time import format_ms

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

log = structlog.get_logger("pulse.collector")

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
    key = PREFIX + secrets.token_urlsafe(24)
    return key, WriteKey(source, key[: len(PREFIX) + 6], format_ms(time.time_ns() // 1_000_000))


def hash_of(key: str) -> str:
    """What a key is kept as: SHA-256 in hexadecimal. It is random, so that this is enough."""
    return hashlib.sha256(key.encode()).hexdigest()


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


class KeyRing:
    """The keys that hold now."""

    def __init__(self) -> None:
        self._keys: dict[str, WriteKey] = {}

    def find(self, key: str) -> WriteKey | None:
        """What is known of a key; None where it is none."""
        return self._keys.get(hash_of(key))

    def take(self, key: bytes, value: bytes | None) -> None:
        """A record of the topic: a key was made, or revoked."""
        hashed = key.decode(errors="replace")
        if value is None:
            self._keys.pop(hashed, None)
            return
        try:
            self._keys[hashed] = msgspec.json.decode(value, type=WriteKey)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("a record among the write keys is none", key=hashed[:80], error=str(error))

    def __iter__(self) -> Iterator[tuple[str, WriteKey]]:
        return iter(sorted(self._keys.items(), key=lambda each: each[1].made_at))

    def __len__(self) -> int:
        return len(self._keys)


async def write(settings: dict[str, Any], topic: str, hashed: str, key: WriteKey | None) -> None:
    """Keep a key, or revoke it (None). Raises TimeoutError, KafkaError or OSError."""
    producer = AIOKafkaProducer(acks="all", **settings)
    try:
        async with asyncio.timeout(WITHIN_S):
            await producer.start()
            value = None if key is None else msgspec.json.encode(key)
            await producer.send_and_wait(topic, value, key=hashed.encode())
    finally:
        await close(producer, 3.0)


async def read(settings: dict[str, Any], topic: str) -> KeyRing:
    """All keys of now. Raises as `Follower.start` does."""
    ring = KeyRing()
    follower = Follower(settings, topic, ring.take)
    try:
        await follower.start()
    finally:
        await follower.stop()
    return ring
