"""Browsers that are told when what they show has changed; they ask for the page again."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from pulse.alerting.people.silences import SNOOZE_PREFIX
from pulse.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pulse.web.service import Books

MOST: Final = 200
"""Browsers at once."""
MOST_OF_ONE: Final = 10
"""And of one session: a browser has but one connection for each page that is seen."""


class Listener:
    """One browser; `account_id` is the one account that it shows, None where it shows many."""

    def __init__(self, account_id: str | None) -> None:
        self._account_id = account_id
        self._changed = asyncio.Event()

    def say(self, changed: set[str] | None) -> None:
        """These accounts changed; None: any may have."""
        if changed is None or self._account_id is None or self._account_id in changed:
            self._changed.set()

    async def changes(self, within_s: float) -> bool:
        """Whether something that it shows changed since the last time; waits so long for it."""
        try:
            await asyncio.wait_for(self._changed.wait(), within_s)
        except TimeoutError:
            return False
        self._changed.clear()
        return True


class Live:
    """All that listen. `is_ending` is asked each second: where it is so, they are sent away."""

    def __init__(self, most: int = MOST, most_of_one: int = MOST_OF_ONE) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._listeners: dict[Listener, str] = {}
        self._of: Counter[str] = Counter()
        self.is_ending: Callable[[], bool] = lambda: False

    def __len__(self) -> int:
        return len(self._listeners)

    def say(self, changed: set[str] | None) -> None:
        """These accounts changed; None: any may have."""
        for each in self._listeners:
            each.say(changed)

    @contextmanager
    def listen(self, session: str, account_id: str | None) -> Iterator[Listener]:
        """While it lasts, somebody listens. Raises `Refusal` (503) where too many do."""
        if len(self) >= self._most or self._of[session] >= self._most_of_one:
            raise Refusal(
                503,
                "too_many_listeners",
                "too many pages are open; this one is not live",
                retry_after_s=30,
            )
        listener = Listener(account_id)
        self._listeners[listener] = session
        self._of[session] += 1
        try:
            yield listener
        finally:
            del self._listeners[listener]
            self._of[session] -= 1
            if not self._of[session]:
                del self._of[session]


class Heard:
    """What the topics say goes into the books, and whoever shows the account is told."""

    def __init__(self, books: Books, live: Live) -> None:
        self._books = books
        self._live = live

    def alert(self, key: bytes, value: bytes | None) -> None:
        """A record of the alerts topic, whose key is the account."""
        self._books.alerts.take(key, value)
        self._live.say({key.decode(errors="replace")})

    def outcome(self, key: bytes, value: bytes | None) -> None:
        """A record of the outcomes topic, whose key is the alert."""
        self._books.outcomes.take(key, value)
        self._say(key.decode(errors="replace"))

    def note(self, key: bytes, value: bytes | None) -> None:
        """A record of the notes topic, whose key is the note."""
        notes, note_id = self._books.notes, key.decode(errors="replace")
        found = [notes.get(note_id)]
        notes.take(key, value)
        found.append(notes.get(note_id))
        self._live.say({each.account_id for each in found if each is not None})

    def muted(self, key: bytes, value: bytes | None) -> None:
        """A record of the silences topic."""
        self._books.muted.take(key, value)
        name = key.decode(errors="replace")
        if name.startswith(SNOOZE_PREFIX):
            self._say(name.removeprefix(SNOOZE_PREFIX))
        else:
            self._live.say(None)

    def _say(self, alert_id: str) -> None:
        alert = self._books.alerts.get(alert_id)
        if alert is not None:
            self._live.say({alert.account_id})
