"""Signatures of Standard Webhooks: `v1,<base64 HMAC-SHA256>` of `{id}.{timestamp}.{body}`.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Final

SECRET_PREFIX: Final = "whsec_"
TOLERANCE_S: Final = 300
"""A timestamp further from now than this is refused by `verify`: an old request played again."""

_MIN_KEY_BYTES: Final = 24
_MAX_KEY_BYTES: Final = 64


class SignatureMismatch(Exception):
    """A request that was not signed with any of the secrets, or not now."""


def decode_secret(secret: str) -> bytes:
    """The key of a `whsec_…` secret. Raises `ValueError`, which never repeats the secret.

    >>> len(decode_secret("whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    24
    """
    if not secret.startswith(SECRET_PREFIX):
        raise ValueError(f"a webhook secret begins with {SECRET_PREFIX}")
    encoded = secret.removeprefix(SECRET_PREFIX).rstrip("=")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"what follows {SECRET_PREFIX} in a webhook secret is base64") from None
    if not _MIN_KEY_BYTES <= len(key) <= _MAX_KEY_BYTES:
        raise ValueError(
            f"a webhook secret has {_MIN_KEY_BYTES} to {_MAX_KEY_BYTES} bytes, this one {len(key)}"
        )
    return key


def sign(message_id: str, timestamp_s: int, body: bytes, keys: Sequence[bytes]) -> str:
    """The value of `webhook-signature`: one signature a key, the current key's first.

    >>> sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}',
    ...      [decode_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")])
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    return " ".join(
        "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys
    )


def verify(body: bytes, headers: Mapping[str, str], keys: Sequence[bytes], *, now_s: float) -> None:
    """Return where one of the keys signed this request within `TOLERANCE_S` of now.

    The names of the headers may be in any case. Raises `SignatureMismatch` with the reason.
    """
    by_name = {name.lower(): value for name, value in headers.items()}
    message_id = by_name.get("webhook-id")
    timestamp = by_name.get("webhook-timestamp")
    signatures = by_name.get("webhook-signature")
    if not (message_id and timestamp and signatures):
        raise SignatureMismatch("a webhook- header is missing")
    if not (timestamp.isascii() and timestamp.isdigit()):
        raise SignatureMismatch("webhook-timestamp is not a number of seconds")
    if abs(int(timestamp) - now_s) > TOLERANCE_S:
        raise SignatureMismatch("webhook-timestamp is too far from now")
    expected = sign(message_id, int(timestamp), body, keys).split(" ")
    for given in signatures.split(" "):
        if any(hmac.compare_digest(given.encode(), known.encode()) for known in expected):
            return
    raise SignatureMismatch("no signature matches")
