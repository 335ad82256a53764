"""The audit log: who changes what, said in its topic before the change is written."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import structlog

from pulse.model.time import format_ms, parse_ts
from pulse.producer import Outgoing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulse.model.audit import Change, Way

log = structlog.get_logger("pulse.desk")

MOST_ENTRIES: Final = 50_000
"""Entries that are kept ready to be shown; the topic has all of its retention."""


class By(NamedTuple):
    """Who changes something, and how they came."""

    who: str
    way: Way


class Entry(msgspec.Struct, frozen=True):
    """`pulse.model.audit.AuditEntry`, quickly."""

    id: str
    at: str
    who: str
    way: str
    change: str
    account_id: str | None
    subject: str | None
    details: dict[str, str]

    @property
    def at_ms(self) -> int:
        """When, in milliseconds UTC."""
        return parse_ts(self.at)


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Entry).decode


def entry(
    by: By,
    change: Change,
    at_ms: int,
    *,
    account_id: str | None = None,
    subject: str | None = None,
    **details: str,
) -> Entry:
    """What is to be said of a change."""
    return Entry(
        id=f"au_{secrets.token_hex(10)}",
        at=format_ms(at_ms),
        who=by.who,
        way=by.way,
        change=change,
        account_id=account_id,
        subject=subject,
        details=details,
    )


def record_of(said: Entry, topic: str) -> Outgoing:
    """An entry as its topic has it."""
    return Outgoing(topic, 0, said.id.encode(), _encode(said))


class AuditBook:
    """The newest entries, at most `most`, in the order in which they came."""

    def __init__(self, most: int = MOST_ENTRIES) -> None:
        self._most = most
        self._entries: dict[str, Entry] = {}

    def take(self, key: bytes, value: bytes | None) -> None:
        """A record of the audit topic."""
        if value is None:
            return
        try:
            said = _decode(value)
            parse_ts(said.at)
        except (ValueError, UnicodeDecodeError) as error:
            log.warning("a record in the audit log is none", key=key[:80], error=str(error))
            return
        self._entries[said.id] = said
        if len(self._entries) > self._most:
            del self._entries[next(iter(self._entries))]

    @property
    def is_full(self) -> bool:
        """Whether older entries may have gone from here."""
        return len(self._entries) >= self._most

    def __iter__(self) -> Iterator[Entry]:
        """Those of now, whatever comes while somebody goes through them."""
        return iter(list(self._entries.values()))

    def __len__(self) -> int:
        return len(self._entries)


class Wanted(NamedTuple):
    """Which entries somebody asks for; None and empty: all."""

    who: str | None = None
    change: str | None = None
    account: str | None = None
    since_ms: int | None = None

    def has(self, said: Entry) -> bool:
        """Whether an entry is one of them."""
        return (
            (not self.who or said.who == self.who)
            and (not self.change or said.change == self.change)
            and (not self.account or said.account_id == self.account)
            and (self.since_ms is None or said.at_ms >= self.since_ms)
        )
