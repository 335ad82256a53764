"""What the API and the pages share: what is known, who asks, and where words are taken."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pulse.alerting.people.account_notes import AccountNote, note_id, note_text
from pulse.alerting.people.outcomes import Outcome, Word
from pulse.readmodel import WORST_FIRST, ReadModelError
from pulse.refusals import Refusal
from pulse.web.lists import bad_cursor, beside, paged
from pulse.web.today.live import Live

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulse.alerting.stages.holdout import Holdout
    from pulse.config import Config
    from pulse.desk.audit import AuditBook, By
    from pulse.desk.books import AlertBook, KnownAlert, MutedBook, OutcomeBook
    from pulse.desk.desk import Desk
    from pulse.desk.notes import NoteBook
    from pulse.history import History
    from pulse.readmodel import ReadModel
    from pulse.web.access import Access
    from pulse.web.deliveries import DeliveryBook
    from pulse.web.today.board import Board

_PLACE: Final = re.compile(rf"({'|'.join(WORST_FIRST)}):[0-9]{{1,9}}")
_LOOKED_AT: Final = 2_000
"""Accounts that are looked through for one answer; its cursor goes on from there."""


@dataclass(frozen=True, slots=True)
class Books:
    """All that the topics say."""

    alerts: AlertBook
    outcomes: OutcomeBook
    muted: MutedBook
    deliveries: DeliveryBook
    notes: NoteBook
    audit: AuditBook


@dataclass(frozen=True, slots=True)
class Service:
    """What the API and the pages share. `accounts` is None where no read model is kept."""

    config: Config
    books: Books
    accounts: ReadModel | None
    access: Access
    desk: Desk
    holdout: Holdout
    now_ms: Callable[[], int]
    history: History | None = None
    """None where no history is kept."""
    board: Board | None = None
    """None where no read model is kept."""
    live: Live = field(default_factory=Live)

    def as_of_ms(self) -> int:
        """The time of the accounts: events that are played may be of another year than the clock.

        0 where nothing was played yet.
        """
        if self.config.clock == "events" and self.board is not None:
            return self.board.as_of_ms
        return self.now_ms()

    async def account(self, account_id: str) -> dict[str, Any] | None:
        """An account's document; None where there is none. Raises `Refusal` (503)."""
        try:
            return await self._read_model().account(account_id)
        except ReadModelError as error:
            raise _away(error) from None

    async def find_accounts(
        self, zone: str | None, limit: int, cursor: str | None, **wanted: str | None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Accounts, the worst first, and the cursor of what follows. Raises `Refusal` (400, 503).

        `wanted` are words of their profiles. There may be fewer than `limit`, and more behind.
        """
        if cursor is not None and not _PLACE.fullmatch(cursor):
            raise bad_cursor()
        if cursor is not None and zone not in (None, cursor.partition(":")[0]):
            raise bad_cursor()
        words = {name: value for name, value in wanted.items() if value is not None}
        found: list[dict[str, Any]] = []
        looked_at = 0
        while len(found) < limit and looked_at < _LOOKED_AT:
            # Without words all that comes is wanted, and the cursor is right behind it.
            some = limit - len(found)
            try:
                page = await self._read_model().accounts(zone, some, cursor)
            except ReadModelError as error:
                raise _away(error) from None
            looked_at += some
            found += [
                each
                for each in page.accounts
                if all(each["profile"].get(name) == value for name, value in words.items())
            ]
            cursor = page.cursor
            if cursor is None:
                break
        return found, cursor

    def alert(self, alert_id: str) -> KnownAlert:
        """An alert. Raises `Refusal` (404)."""
        found = self.books.alerts.get(alert_id)
        if found is None or not self._is_shown(found):
            raise Refusal(
                404,
                "no_such_alert",
                "there is no such alert that fires, or has ended within "
                f"{self.config.web.alert_days} days (web.alert_days)",
            )
        return found

    async def find_alerts(
        self, wanted: Callable[[KnownAlert], bool], limit: int, cursor: str | None
    ) -> tuple[list[KnownAlert], str | None]:
        """Alerts, the newest state first, and what follows. Raises `Refusal` (400)."""
        recent = (each for each in self.books.alerts if self._is_shown(each) and wanted(each))
        return await paged(recent, lambda each: (each.at_ms, each.id), limit, cursor)

    async def alerts_of(self, account_id: str) -> list[KnownAlert]:
        """The alerts of an account, those that fire first, and of them the newest."""
        known = iter(self.books.alerts)
        found = await beside(lambda: [each for each in known if each.account_id == account_id])
        return sorted(found, key=lambda each: (each.status != "firing", -each.at_ms))

    def _is_shown(self, alert: KnownAlert) -> bool:
        """What fires is, however long it does: it is told again, with links that must open."""
        since_ms = self.as_of_ms() - self.config.web.alert_days * 86_400_000
        return alert.status == "firing" or alert.at_ms >= since_ms

    def outcome(self, alert: KnownAlert, word: Word, author: str, note: str) -> Outcome:
        """A word on an alert. Raises `Refusal` (409) where there is none to be said."""
        if alert.account_id == "*":
            raise Refusal(
                409, "of_no_account", "it is about no single account: acknowledge it instead"
            )
        return Outcome(
            alert_id=alert.id,
            account_id=alert.account_id,
            reason=alert.reason,
            outcome=word,
            author=author,
            at_ms=self.now_ms(),
            started_ms=alert.started_ms,
            segment=alert.segment,
            note=note,
        )

    async def note(self, account_id: str, by: By, text: str, key: str | None = None) -> AccountNote:
        """A note on an account, written; the one that was written with that key before, if one was.

        Raises `Refusal` (400, 404, 409, 503).
        """
        try:
            said = note_text(text)
        except ValueError as error:
            raise Refusal(400, "note", str(error)) from None
        id_ = note_id(by.who, key)
        known = self.books.notes.get(id_)
        if known is not None:
            if (known.account_id, known.text) != (account_id, said):
                raise Refusal(409, "idempotency_key", "that key has written another note")
            return known
        if not await self._is_known(account_id):
            raise Refusal(404, "no_such_account", "there is no such account; ids are as events say")
        note = AccountNote(
            id=id_, account_id=account_id, author=by.who, at_ms=self.now_ms(), text=said
        )
        await self.desk.note(note, by)
        return note

    async def _is_known(self, account_id: str) -> bool:
        """Whether there is an account. Raises `Refusal` (503) where nobody can tell."""
        try:
            return await self.account(account_id) is not None
        except Refusal:
            # Those that ended say nothing: they are known also once the account was forgotten.
            if any(each.status == "firing" for each in await self.alerts_of(account_id)):
                return True
            raise

    def known_note(self, id_: str) -> AccountNote:
        """A note. Raises `Refusal` (404)."""
        found = self.books.notes.get(id_)
        if found is None:
            raise Refusal(404, "no_such_note", "there is no such note, or it was erased")
        return found

    def _read_model(self) -> ReadModel:
        if self.accounts is None:
            raise Refusal(503, "no_read_model", "no accounts are kept in Redis: redis.enabled")
        return self.accounts


def _away(error: ReadModelError) -> Refusal:
    return Refusal(503, "redis_away", str(error), retry_after_s=5)
