"""Keys of which only hashes are kept, in a compacted topic: who made one shows it once.

Whoever needs them follows the topic, so that a key holds everywhere a moment after it was made, and
nowhere a moment after it was revoked.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import msgspec
import structlog
from aiokafka import AIOKafkaProducer

from pulse.config.kafka_clients import close, start
from pulse.following import WITHIN_S, Follower

if TYPE_CHECKING:
    from collections.abc import Iterator

log = structlog.get_logger("pulse.keyring")


class Kept(Protocol):
    """What is known of a key, which itself nobody keeps."""

    @property
    def begins_with(self) -> str:
        """Enough of it for a person to tell it from others."""

    @property
    def made_at(self) -> str:
        """When it was made."""


K = TypeVar("K", bound=Kept)


def new_key(prefix: str) -> tuple[str, str]:
    """A new key, and what it begins with."""
    key = prefix + secrets.token_urlsafe(24)
    return key, key[: len(prefix) + 6]


def hash_of(key: str) -> str:
    """What a key is kept as: SHA-256 in hexadecimal. It is random, so that this is enough."""
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()


class Ring(Generic[K]):
    """The keys that hold now. They are looked up by their hashes, so no comparison tells how much
    of a wrong one was right.
    """

    def __init__(self, kind: type[K]) -> None:
        self._decode = msgspec.json.Decoder(kind).decode
        self._keys: dict[str, K] = {}

    def find(self, key: str) -> K | None:
        """What is known of a key; None where it is none."""
        return self._keys.get(hash_of(key))

    def by_hash(self, hashed: str) -> K | None:
        """The same, of a key's hash."""
        return self._keys.get(hashed)

    def called(self, subject: str) -> list[tuple[str, K]]:
        """The hashes of the keys that a person means: the key itself, or what it begins with."""
        hashed = hash_of(subject)
        return [
            (known, each)
            for known, each in self
            if subject and (known == hashed or each.begins_with.startswith(subject))
        ]

    def take(self, key: bytes, value: bytes | None) -> None:
        """A record of the topic: a key was made, or revoked."""
        hashed = key.decode(errors="replace")
        if value is None:
            self._keys.pop(hashed, None)
            return
        try:
            self._keys[hashed] = self._decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("a record among the keys is none", key=hashed[:80], error=str(error))

    def __iter__(self) -> Iterator[tuple[str, K]]:
        return iter(sorted(self._keys.items(), key=lambda each: each[1].made_at))

    def __len__(self) -> int:
        return len(self._keys)


R = TypeVar("R", bound=Ring[Any])


async def write(settings: dict[str, Any], topic: str, hashed: str, key: Kept | None) -> None:
    """Keep a key, or revoke it (None). Raises TimeoutError, KafkaError or OSError."""
    producer = AIOKafkaProducer(acks="all", **settings)
    try:
        async with asyncio.timeout(WITHIN_S):
            await start(producer)
            value = None if key is None else msgspec.json.encode(key)
            await producer.send_and_wait(topic, value, key=hashed.encode())
    finally:
        await close(producer, 3.0)


async def read(settings: dict[str, Any], topic: str, ring: R) -> R:
    """The ring with all keys of now. Raises as `Follower.start` does."""
    follower = Follower(settings, topic, ring.take)
    try:
        await follower.start()
    finally:
        await follower.stop()
    return ring
