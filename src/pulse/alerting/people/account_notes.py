"""What people write down of an account, for whoever looks at it next.

The topic is compacted and has one partition; a note's key is its id, and a tombstone erases it. So
neither says anything of the account once the note is gone.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pulse.alerting.people.said import said_id
from pulse.model.time import format_ms, parse_ts

VERSION: Final = 1
LONGEST: Final = 2_000
"""Characters of a note."""


class AccountNote(msgspec.Struct, frozen=True, kw_only=True):
    """A note on one account. `at_ms` is milliseconds UTC."""

    id: str
    account_id: str
    author: str
    at_ms: int
    text: str


class _Record(msgspec.Struct, kw_only=True):
    v: int
    id: str
    account_id: str
    author: str
    at: str
    text: str


_encode: Final = msgspec.json.Encoder().encode
_records: Final = msgspec.json.Decoder(_Record)


def note_text(said: str) -> str:
    """A note as it is kept: lines end in one way, and nothing is around it. Raises `ValueError`.

    >>> note_text(" They move house.\\r\\nCall in May. ")
    'They move house.\\nCall in May.'
    """
    text = said.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not text:
        raise ValueError("a note says something")
    if len(text) > LONGEST:
        raise ValueError(f"a note has at most {LONGEST:,} characters")
    if not text.translate({10: None, 9: None}).isprintable():
        raise ValueError("a note has no control characters")
    return text


def note_id(author: str, key: str | None = None) -> str:
    """An id that nobody has; with a key the same one whenever that author says that key.

    >>> note_id("kim", "a"), note_id("kim", "a") == note_id("lee", "a")
    ('no_87956810aed003d2', False)
    """
    return said_id("no", author, key)


def encode_note(note: AccountNote) -> tuple[str, bytes]:
    """Key and value of a record of the notes topic."""
    record = _Record(
        v=VERSION,
        id=note.id,
        account_id=note.account_id,
        author=note.author,
        at=format_ms(note.at_ms),
        text=note.text,
    )
    return note.id, _encode(record)


def decode_note(value: bytes) -> AccountNote:
    """The note of a record's value. Raises `ValueError`.

    >>> said = AccountNote(id="no_1", account_id="acme", author="kim", at_ms=60_000, text="Hello")
    >>> decode_note(encode_note(said)[1]) == said
    True
    """
    record = _records.decode(value)
    if record.v != VERSION:
        raise ValueError(f"a record of version {record.v}; this pulse reads version {VERSION}")
    return AccountNote(
        id=record.id,
        account_id=record.account_id,
        author=record.author,
        at_ms=parse_ts(record.at),
        text=record.text,
    )
