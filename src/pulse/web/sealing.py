"""What the page gives a browser to bring back: sessions and forms, sealed so that nobody makes one.

A seal is what is said, until when it holds, and a MAC of both and of what it is for.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

import msgspec

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(tuple[str, int]).decode
_LONGEST: Final = 4_000


class Seals:
    """Makes and opens seals with one key.

    >>> seals = Seals(b"k" * 32)
    >>> sealed = seals.make("session", "kim", until_ms=60_000)
    >>> seals.open("session", sealed, now_ms=59_999), seals.open("form", sealed, now_ms=0)
    ('kim', None)
    >>> seals.open("session", sealed, now_ms=60_000) is None
    True
    """

    def __init__(self, key: bytes) -> None:
        # Not the key itself, which makes links.
        self._key = hmac.digest(key, b"pulse page 1", hashlib.sha256)

    def make(self, purpose: str, said: str, until_ms: int) -> str:
        """A seal on what is said, which holds up to then."""
        body = base64.urlsafe_b64encode(_encode((said, until_ms))).decode()
        return f"{body}.{self._mac(purpose, body)}"

    def open(self, purpose: str, sealed: str, now_ms: int) -> str | None:
        """What was said; None where nobody here said it for that, or it holds no longer."""
        body, _, mac = sealed.partition(".")
        if len(sealed) > _LONGEST or not sealed.isascii():
            return None
        if not hmac.compare_digest(mac, self._mac(purpose, body)):
            return None
        said, until_ms = _decode(base64.urlsafe_b64decode(body))
        return said if now_ms < until_ms else None

    def _mac(self, purpose: str, body: str) -> str:
        return hmac.digest(self._key, f"{purpose}\0{body}".encode(), hashlib.sha256).hex()
