"""The plain state that every rival keeps: what a good Python programmer would write by hand.

For each account: events and value of each of its (UTC) days, users and features with the last day
they were seen on, the ids of the last two days for deduplication, and the profile.
"""

from __future__ import annotations

import gc
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable

KEPT_DAYS = 92
EPOCH_DAY = datetime(1970, 1, 1).toordinal()  # noqa: DTZ001  # only its date is used


class Properties(Struct, gc=False):
    """The properties that count."""

    feature: str | None = None
    value: int | float = 0


class Line(Struct, gc=False):
    """A usage event, or a profile where `type` is "profile"."""

    id: str
    account_id: str
    ts: datetime
    event: str | None = None
    user_id: str | None = None
    source: str = "default"
    type: str | None = None
    profile: dict[str, Any] | None = None
    properties: Properties | None = None


decoder = msgspec.json.Decoder(Line)
decode = decoder.decode
decode_lines = decoder.decode_lines


def decode_values(values: list[bytes]) -> list[Line]:
    """The lines of many records, each of one or more lines, in one call."""
    return decode_lines(b"\n".join(values))


KINDS = ("event", "duplicate", "profile")
"""What `Account.apply` says a line was, by number."""


class Account:
    """What is kept of one account.

    `tiles` is day → [events, value], `users` and `features` the last day each was seen, `seen` the
    ids of the latest `day` and `seen_before` those of the day before.
    """

    __slots__ = (
        "day", "features", "is_dirty", "profile", "seen", "seen_before", "tile", "tiles", "users",
    )  # fmt: skip

    def __init__(self) -> None:
        self.day = 0
        self.tiles: dict[int, list[float]] = {}
        self.tile: list[float] = []
        """That of the latest day, which nearly every event belongs to."""
        self.users: dict[str, int] = {}
        self.features: dict[str, int] = {}
        self.seen: set[str] = set()
        self.seen_before: set[str] = set()
        self.profile: dict[str, Any] = {}
        self.is_dirty = False

    def apply(self, line: Line) -> int:
        """Count one line; a number of `KINDS`."""
        day = line.ts.toordinal()
        tile = self.tile if day == self.day else self._tile_of(day)
        key = line.id
        if line.source != "default":
            key = f"{line.source}\0{key}"
        seen = self.seen
        if key in seen or key in self.seen_before:
            return 1
        seen.add(key)
        if line.type is not None:
            self.profile.update(line.profile or {})
            return 2
        properties = line.properties
        tile[0] += 1
        feature = line.event
        if properties is not None:
            tile[1] += properties.value
            feature = properties.feature or feature
        user, users, features = line.user_id, self.users, self.features
        if user is not None and users.get(user, 0) < day:
            users[user] = day
        if feature is not None and features.get(feature, 0) < day:
            features[feature] = day
        return 0

    def open(self, day: int) -> None:
        """Begin at a day whose tile may be there: of an account that was read back."""
        self.day = day
        self.tile = self.tiles.setdefault(day, [0, 0])

    def _tile_of(self, day: int) -> list[float]:
        if day < self.day:
            return self.tiles.setdefault(day, [0, 0])
        self.seen_before = self.seen if day == self.day + 1 else set()
        self.seen = set()
        self.day = day
        oldest = day - KEPT_DAYS
        for last_seen in (self.users, self.features):
            for gone in [name for name, last in last_seen.items() if last <= oldest]:
                del last_seen[gone]
        for gone_day in [tile for tile in self.tiles if tile <= oldest]:
            del self.tiles[gone_day]
        self.tile = self.tiles[day] = [0, 0]
        return self.tile

    def pack(self) -> bytes:
        """All of it as bytes."""
        return _pack(
            (
                self.day, self.tiles, self.users, self.features,
                list(self.seen), list(self.seen_before), self.profile,
            )
        )  # fmt: skip

    @classmethod
    def unpack(cls, packed: bytes) -> Account:
        """The account that `pack` wrote."""
        self = cls()
        self.day, self.tiles, self.users, self.features, seen, before, self.profile = _unpack(
            packed
        )
        self.seen, self.seen_before = set(seen), set(before)
        self.tile = self.tiles.get(self.day, [])
        return self


class Fleet:
    """All accounts, in a plain dict, with what was counted."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.counts = [0, 0, 0]
        """By number of `KINDS`."""
        self.dirty: list[tuple[str, Account]] = []

    def apply(self, lines: Iterable[Line]) -> None:
        """Count lines and note the accounts that changed since `take_dirty`."""
        accounts, counts, dirty = self.accounts, self.counts, self.dirty
        for line in lines:
            account_id = line.account_id
            account = accounts.get(account_id)
            if account is None:
                account = accounts[account_id] = Account()
            counts[account.apply(line)] += 1
            if not account.is_dirty:
                account.is_dirty = True
                dirty.append((account_id, account))

    def take_dirty(self) -> list[tuple[str, bytes]]:
        """The accounts that changed since the last call, packed."""
        packed = []
        for account_id, account in self.dirty:
            account.is_dirty = False
            packed.append((account_id, account.pack()))
        self.dirty = []
        return packed


def tune_gc() -> None:
    """Let the collector look rarely, and never at what is there already: worth a quarter."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 1_000)


pack = msgspec.msgpack.Encoder().encode
_pack = pack
_unpack = msgspec.msgpack.Decoder(
    tuple[
        int, dict[int, list[float]], dict[str, int], dict[str, int],
        list[str], list[str], dict[str, Any],
    ]
).decode  # fmt: skip


class AccountTotals(Struct, array_like=True):
    """What is compared: (day since 1970, events, value) for each day, and distinct ids."""

    days: list[tuple[int, float, float]]
    users: int
    features: int


def totals(accounts: Iterable[tuple[str, Account]]) -> dict[str, AccountTotals]:
    """Each account's totals, as the generator of the job counts them too."""
    return {
        account_id: AccountTotals(
            [(d - EPOCH_DAY, n, v) for d, (n, v) in sorted(account.tiles.items()) if n],
            len(account.users),
            len(account.features),
        )
        for account_id, account in accounts
        if any(events for events, _ in account.tiles.values())
    }
