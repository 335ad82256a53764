"""An account as bytes, and back.

The bytes begin with what is needed without unpacking: the account's id and when it is due. The
rest is MessagePack of plain numbers; what there is much of stands in it as packed arrays.
"""

from __future__ import annotations

from array import array
from typing import Any, Final, NamedTuple

import msgspec

from pulse.engagement.account import NEVER, Account, Late, OpenAlert
from pulse.engagement.days import MINUTE_MS

_encode = msgspec.msgpack.Encoder().encode
_WIDE_INT: Final = 1
"""Extension type of an integer beyond 64 bits: sums are exact, however large."""
_DUE_BYTES: Final = 8


class Header(NamedTuple):
    """What is known of a packed account without unpacking it."""

    account_id: str
    soon_ms: int
    """When a minute closes or a deadline is due, `NEVER` if neither."""
    day_ms: int
    """When its next day starts, `NEVER` if that changes nothing."""
    body_at: int
    """Where the rest begins."""


def pack(account: Account) -> bytes:
    """The account's whole state; `unpack` is the exact inverse."""
    c, d, a = account.calendar, account.danger, account.approach
    today = c.day
    open_ms = account.open_ms
    segments = c.segments
    first = segments[0]
    plain = len(segments) == 1 and first[0] == -1 and first[1] == 0
    account.active.today = 0  # made anew whenever it is asked for
    seen = account.seen
    scores = account.scores
    body = (
        first[2] if plain else segments,
        today,
        c.start_ms,
        c.end_ms,
        (account.events.pack(), account.value.pack(), account.active.pack()),
        (account.users.pack(today), account.features.pack(today)),
        account.active_total,
        account.first_ms,
        account.last_ms,
        account.last_day,
        account.resurrected_ms,
        account.profile or None,
        (d.on, d.since_ms, d.turning_ms, a.on, a.since_ms, a.turning_ms),
        account.known,
        account.zone,
        account.score,
        None if scores is None else (account.known_from, scores.tobytes()),
        account.distinct,
        account.late,
        account.alerts or None,
        _pack_seen(seen, account.forget_ms) if seen else None,
        account.front_ms,
        open_ms,
        account.force,
        account.deadline_ms,
        account.parked,
        account.quiet,
    )
    try:
        packed = _encode(body)
    except OverflowError:
        packed = _encode(_widen(body))
    name = account.account_id.encode()
    soon_ms = account.deadline_ms
    if open_ms is not None and (account.force or not account.quiet):
        soon_ms = min(soon_ms, open_ms + MINUTE_MS)
    day_ms = NEVER if account.parked else c.end_ms
    return b"".join(
        (
            len(name).to_bytes(2, "little"),
            soon_ms.to_bytes(_DUE_BYTES, "little"),
            day_ms.to_bytes(_DUE_BYTES, "little"),
            name,
            packed,
        )
    )


def header(packed: bytes) -> Header:
    """The first part of what `pack` wrote."""
    size = int.from_bytes(packed[:2], "little")
    end = 2 + 2 * _DUE_BYTES
    return Header(
        packed[end : end + size].decode(),
        int.from_bytes(packed[2 : 2 + _DUE_BYTES], "little"),
        int.from_bytes(packed[2 + _DUE_BYTES : end], "little"),
        end + size,
    )


def unpack(packed: bytes) -> Account:
    """The account that `pack` wrote."""
    front = header(packed)
    return _build(front.account_id, _decode(packed[front.body_at :]))


def _build(account_id: str, body: Any) -> Account:
    zones: Any = body[0]
    segments = (
        [(-1, 0, zones)]
        if isinstance(zones, str)
        else [(segment[0], segment[1], segment[2]) for segment in zones]
    )
    today: int = body[1]
    self = Account(account_id, segments[0][2], today)
    c, d, a = self.calendar, self.danger, self.approach
    c.segments, c.day, c.start_ms, c.end_ms = segments, today, body[2], body[3]
    sums, ids = body[4], body[5]
    self.events.unpack(sums[0])
    self.value.unpack(sums[1])
    self.active.unpack(sums[2])
    self.users.unpack(ids[0], today)
    self.features.unpack(ids[1], today)
    self.active_total = body[6]
    self.first_ms = body[7]
    self.last_ms = body[8]
    self.last_day = body[9]
    self.resurrected_ms = body[10]
    if body[11] is not None:
        self.profile = {field: (f[0], f[1], f[2]) for field, f in body[11].items()}
    d.on, d.since_ms, d.turning_ms, a.on, a.since_ms, a.turning_ms = body[12]
    self.known = body[13]
    self.zone = body[14]
    self.score = body[15]
    if body[16] is not None:
        self.known_from = body[16][0]
        self.scores = array("H", body[16][1])
    for day, u, f in body[17]:
        self.noted_users, self.noted_features = (u[0], u[1], u[2]), (f[0], f[1], f[2])
        self.distinct.append((day, self.noted_users, self.noted_features))
    self.late = [Late(*late) for late in body[18]]
    if body[19] is not None:
        self.alerts = {reason: OpenAlert(*alert) for reason, alert in body[19].items()}
    if body[20] is not None:
        self.forget_ms = body[20][0]
        self.seen = _unpack_seen(body[20])
    self.front_ms = body[21]
    self.open_ms = body[22]
    self.force = body[23]
    self.deadline_ms = body[24]
    self.parked = body[25]
    self.quiet = body[26]
    return self


def _pack_seen(seen: dict[int, int], forget_ms: int) -> tuple[Any, ...]:
    keys = array("Q", list(seen.keys())).tobytes()
    stamps = list(seen.values())
    first, last = min(stamps), max(stamps)
    if last - first < 1 << 32:
        return (forget_ms, keys, first, array("I", [s - first for s in stamps]).tobytes())
    return (forget_ms, keys, 0, stamps)


def _unpack_seen(packed: Any) -> dict[int, int]:
    first: int = packed[2]
    stamps: Any = packed[3]
    if isinstance(stamps, bytes):
        stamps = array("I", stamps)
    seen: dict[int, int] = {}
    for key, stamp in zip(array("Q", packed[1]), stamps, strict=True):
        seen[key] = first + stamp
    return seen


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
