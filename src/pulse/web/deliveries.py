"""What the API shows of the records of deliveries: the fields that are the same in every version.

The notifier has its own reader, which knows more; this one reads what it may show, and passes over
what it does not know.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec


class _Delivery(msgspec.Struct):
    id: str
    receiver: str
    state: str
    at: str
    alert_id: str = ""
    status: str = ""
    attempts: int = 0
    next_at: str | None = None
    reason: str = ""
    http_status: int | None = None


_decode: Final = msgspec.json.Decoder(_Delivery).decode
_OTHERS: Final = ("position", "owners", "fleet")
_PREFIXES: Final = ("endpoint/", "alert/", "group/", "budget/")


def read(key: str, value: bytes) -> dict[str, Any] | None:
    """A notification as the API shows it; None for what is none. Raises `ValueError`."""
    if key in _OTHERS or key.startswith(_PREFIXES):
        return None
    said = _decode(value)
    return msgspec.structs.asdict(said)
