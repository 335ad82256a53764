"""Where people's words are taken: written to Kafka, and done when it has acknowledged them.

The audit log has each before it is written.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from pulse.alerting.people.account_notes import encode_note
from pulse.alerting.people.outcomes import encode_outcome, event_of
from pulse.alerting.people.silences import (
    SILENCE_PREFIX,
    SNOOZE_PREFIX,
    encode_silence,
    encode_snooze,
)
from pulse.alerting.stages.muting import Silence, Snooze
from pulse.desk.audit import entry, record_of
from pulse.model.audit import Change
from pulse.model.time import format_ms
from pulse.placement import partition_of
from pulse.producer import Outgoing
from pulse.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from pulse.alerting.people.account_notes import AccountNote
    from pulse.alerting.people.outcomes import Outcome
    from pulse.config import Kafka
    from pulse.desk.audit import By, Entry
    from pulse.desk.books import MutedBook, OutcomeBook
    from pulse.desk.notes import NoteBook

KEPT_MS: Final = 90 * 86_400_000
"""Silences that ended so long ago are taken out of the topic."""


_AT_ONCE: Final = 100


class Desk:
    """Writes what people say; what was written is known here at once, and a moment later elsewhere.

    `send` returns when Kafka has acknowledged all. Everything may be said again: it has the same
    key, and the last word counts. `has_ended` says whether it is known that an alert has. All of
    these raise `Refusal` (503) where Kafka is away; then the audit log may have what was not done.
    """

    def __init__(
        self,
        kafka: Kafka,
        muted: MutedBook,
        outcomes: OutcomeBook,
        notes: NoteBook,
        send: Callable[[Sequence[Outgoing]], Awaitable[None]],
        *,
        has_ended: Callable[[str], bool],
        within_s: float,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        observe: Callable[[str, float], None] = lambda what, took_s: None,
    ) -> None:
        self._topics = kafka.topics
        self._partitions = kafka.partitions
        self._muted = muted
        self._outcomes = outcomes
        self._notes = notes
        self._send = send
        self._has_ended = has_ended
        self._within_s = within_s
        self._now_ms = now_ms
        self._observe = observe

    async def silence(self, silence: Silence, now_ms: int, by: By) -> None:
        """Make or change a silence."""
        gone = [
            self._muting(SILENCE_PREFIX + each.id, None)
            for each in self._muted.silences.values()
            if each.ends_ms < now_ms - KEPT_MS
        ]
        has_ended = silence.ends_ms <= now_ms
        said = entry(
            by,
            Change.silence_ended if has_ended else Change.silence_made,
            self._now_ms(),
            subject=silence.id,
            match=str(silence.match) or "everything",
            starts_at=format_ms(silence.starts_ms),
            ends_at=format_ms(silence.ends_ms),
        )
        await self._write("silence", [self._muting(*encode_silence(silence)), *gone], said)

    async def snooze(self, snooze: Snooze, account_id: str, by: By) -> None:
        """Snooze an alert of an account, or take it over."""
        until_ms = snooze.until_ms
        said = entry(
            by,
            Change.alert_acknowledged if until_ms is None else Change.alert_snoozed,
            self._now_ms(),
            account_id=_one(account_id),
            subject=snooze.alert_id,
            **({} if until_ms is None else {"until": format_ms(until_ms)}),
        )
        await self._write("snooze", [self._muting(*encode_snooze(snooze)), *self._over()], said)

    async def lift(self, alert_id: str, account_id: str, by: By) -> None:
        """Let an alert of an account be told again."""
        said = entry(
            by,
            Change.alert_lifted,
            self._now_ms(),
            account_id=_one(account_id),
            subject=alert_id,
        )
        await self._write("lift", [self._muting(SNOOZE_PREFIX + alert_id, None)], said)

    async def close(self, outcome: Outcome, by: By) -> None:
        """Say what became of an alert, and that nobody need hear of it again.

        The event, by which backtests read it, goes into its account's partition.
        """
        key, value = encode_outcome(outcome)
        account = outcome.account_id
        partition = partition_of(account, self._partitions)
        records = [
            Outgoing(self._topics.events, partition, account.encode(), event_of(outcome)),
            Outgoing(self._topics.outcomes, 0, key.encode(), value),
        ]
        if not self._has_ended(outcome.alert_id):
            taken = Snooze(alert_id=outcome.alert_id, author=outcome.author, reason=outcome.outcome)
            records.append(self._muting(*encode_snooze(taken)))
        said = entry(
            by,
            Change.alert_closed,
            self._now_ms(),
            account_id=account,
            subject=outcome.alert_id,
            outcome=outcome.outcome,
        )
        await self._write("outcome", records, said)

    async def note(self, note: AccountNote, by: By) -> None:
        """Write something down of an account."""
        key, value = encode_note(note)
        said = self._of_note(Change.note_written, note, by)
        await self._write("note", [self._noting(key, value)], said)

    async def erase_note(self, note: AccountNote, by: By) -> None:
        """Take a note back: Kafka forgets it when it compacts its topic."""
        said = self._of_note(Change.note_erased, note, by)
        await self._write("erase_note", [self._noting(note.id, None)], said)

    def _of_note(self, change: Change, note: AccountNote, by: By) -> Entry:
        return entry(by, change, self._now_ms(), account_id=note.account_id, subject=note.id)

    def _over(self) -> list[Outgoing]:
        """What is said of alerts that have ended means nothing any more."""
        ended = [each for each in self._muted.snoozes if self._has_ended(each)]
        return [self._muting(SNOOZE_PREFIX + each, None) for each in ended[:_AT_ONCE]]

    def _muting(self, key: str, value: bytes | None) -> Outgoing:
        return Outgoing(self._topics.silences, 0, key.encode(), value)

    def _noting(self, key: str, value: bytes | None) -> Outgoing:
        return Outgoing(self._topics.notes, 0, key.encode(), value)

    async def _write(self, what: str, records: list[Outgoing], said: Entry) -> None:
        began = time.perf_counter()
        try:
            async with asyncio.timeout(self._within_s):
                await self._send([record_of(said, self._topics.audit)])
                await self._send(records)
        except TimeoutError:
            raise Refusal(
                503,
                "kafka_away",
                "Kafka did not acknowledge it in time; say it again: what is said twice counts "
                "once",
                retry_after_s=5,
            ) from None
        self._observe(what, time.perf_counter() - began)
        books = {
            self._topics.silences: self._muted.take,
            self._topics.outcomes: self._outcomes.take,
            self._topics.notes: self._notes.take,
        }
        for record in records:
            if record.topic in books:
                books[record.topic](record.key or b"", record.value)


def _one(account_id: str) -> str | None:
    """The account that an alert is about; None for those about many."""
    return None if account_id == "*" else account_id
