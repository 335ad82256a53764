"""What people wrote down of accounts, as the topic says it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from pulse.alerting.people.account_notes import decode_note

if TYPE_CHECKING:
    from pulse.alerting.people.account_notes import AccountNote

log = structlog.get_logger("pulse.desk")

MOST: Final = 100_000
"""Of more, those that were written first are not shown."""


class NoteBook:
    """The notes on each account, at most `most` of all.

    >>> len(NoteBook()), NoteBook().of("acme")
    (0, [])
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._notes: dict[str, AccountNote] = {}
        self._of: dict[str, dict[str, AccountNote]] = {}
        """By account."""

    def take(self, key: bytes, value: bytes | None) -> None:
        """A record of the notes topic."""
        if value is None:
            self._erase(key.decode(errors="replace"))
            return
        try:
            note = decode_note(value)
        except (ValueError, UnicodeDecodeError) as error:
            log.warning("a record among the notes is none", key=key[:80], error=str(error))
            return
        self._erase(note.id)
        self._notes[note.id] = note
        self._of.setdefault(note.account_id, {})[note.id] = note
        if len(self._notes) > self._most:
            self._erase(next(iter(self._notes)))

    def get(self, note_id: str) -> AccountNote | None:
        """A note; None where there is none of that id."""
        return self._notes.get(note_id)

    def of(self, account_id: str) -> list[AccountNote]:
        """The notes on an account, the newest first."""
        found = self._of.get(account_id, {}).values()
        return sorted(found, key=lambda each: (-each.at_ms, each.id))

    def __len__(self) -> int:
        return len(self._notes)

    def _erase(self, note_id: str) -> None:
        note = self._notes.pop(note_id, None)
        if note is not None:
            of = self._of[note.account_id]
            del of[note_id]
            if not of:
                del self._of[note.account_id]
