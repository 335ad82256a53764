"""An account as bytes, and back."""

from __future__ import annotations

from typing import Any

import msgspec

from pulse.engagement.account import Account

_encode = msgspec.msgpack.Encoder().encode
_WIDE_INT = 1
"""Extension type of an integer beyond 64 bits: sums are exact, however large."""


def pack(account: Account) -> bytes:
    """The account's whole state; `unpack` is the exact inverse."""
    packed = account.pack()
    try:
        return _encode(packed)
    except OverflowError:
        return _encode(_widen(packed))


def unpack(packed: bytes) -> Account:
    """The account that `pack` wrote."""
    return Account.unpack(_decode(packed))


def _widen(value: Any) -> Any:
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        data = value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)
        return msgspec.msgpack.Ext(_WIDE_INT, data)
    if isinstance(value, (list, tuple)):
        return [_widen(each) for each in value]
    if isinstance(value, dict):
        return {key: _widen(each) for key, each in value.items()}
    return value


def _read_wide(code: int, data: memoryview) -> int:
    if code != _WIDE_INT:
        raise ValueError(f"the state holds an unknown extension type {code}")
    return int.from_bytes(data, "big", signed=True)


_decode = msgspec.msgpack.Decoder(tuple[Any, ...], ext_hook=_read_wide).decode
