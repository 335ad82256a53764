"""Whether a webhook comes from who it says it does: HMAC-SHA256, and not long ago."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final

from pulse.collector.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pulse.collector.dialects.webhooks.reading import Delivery

TOLERANCE_MS: Final = 5 * 60_000
"""A signature that was made longer ago, or so far ahead, is none: it may have been listened to."""

_LONGEST_NUMBER: Final = 15


def digest(secret: str, *signed: str | bytes) -> bytes:
    """HMAC-SHA256 of the parts, one after the other."""
    made = hmac.new(secret.encode(), digestmod=hashlib.sha256)
    for part in signed:
        made.update(part.encode("latin-1", "replace") if isinstance(part, str) else part)
    return made.digest()


def expect(expected: str, given: Iterable[str]) -> None:
    """Raises `Refusal` (401) unless one of the signatures given is the one expected."""
    wanted = expected.encode()
    if not any(hmac.compare_digest(wanted, each.encode("latin-1", "replace")) for each in given):
        raise Refusal(401, "bad_signature", "the signature is not that of this body and the secret")


def expect_recent(signed_ms: int | None, delivery: Delivery) -> None:
    """Raises `Refusal` (401) for what was signed too long ago, or at no instant at all."""
    if signed_ms is None or abs(delivery.received_ms - signed_ms) > TOLERANCE_MS:
        minutes = TOLERANCE_MS // 60_000
        raise Refusal(401, "too_old", f"it was not signed within the last {minutes} minutes")


def whole_number(text: str) -> int | None:
    """The number that a text of digits is; None for any other text."""
    is_one = text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER
    return int(text) if is_one else None


def pairs(header: str, separator: str) -> list[tuple[str, str]]:
    """Names and values of a header.

    >>> pairs("t=1,v1=ab,v1=cd", ",")
    [('t', '1'), ('v1', 'ab'), ('v1', 'cd')]
    """
    split = (each.strip().partition("=") for each in header.split(separator))
    return [(name, value) for name, _, value in split]


def in_seconds(text: str) -> int | None:
    """Milliseconds of an instant in seconds; None where it is none."""
    seconds = whole_number(text)
    return None if seconds is None else seconds * 1_000
