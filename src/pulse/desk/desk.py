"""Where people's words are taken: written to Kafka, and done when it has acknowledged them."""

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
from pulse.placement import partition_of
from pulse.producer import Outgoing
from pulse.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from pulse.alerting.people.account_notes import AccountNote
    from pulse.alerting.people.outcomes import Outcome
    from pulse.config import Kafka
    from pulse.desk.books import MutedBook, OutcomeBook
    from pulse.desk.notes import NoteBook

KEPT_MS: Final = 90 * 86_400_000
"""Silences that ended so long ago are taken out of the topic."""


_AT_ONCE: Final = 100


class Desk:
    """Writes what people say; what was written is known here at once, and a moment later elsewhere.

    `send` returns when Kafka has acknowledged all. Everything may be said again: it has the same
    key, and the last word counts. `has_ended` says whether it is known that an alert has.
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
        self._observe = observe

    async def silence(self, silence: Silence, now_ms: int) -> None:
        """Make or change a silence. Raises `Refusal` (503), as all of these do."""
        gone = [
            self._muting(SILENCE_PREFIX + each.id, None)
            for each in self._muted.silences.values()
            if each.ends_ms < now_ms - KEPT_MS
        ]
        await self._write("silence", [self._muting(*encode_silence(silence)), *gone])

    async def snooze(self, snooze: Snooze) -> None:
        """Snooze an alert, or take it over."""
        await self._write("snooze", [self._muting(*encode_snooze(snooze)), *self._over()])

    async def lift(self, alert_id: str) -> None:
        """Let an alert be told again."""
        await self._write("lift", [self._muting(SNOOZE_PREFIX + alert_id, None)])

    async def close(self, outcome: Outcome) -> None:
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
        await self._write("outcome", records)

    async def note(self, note: AccountNote) -> None:
        """Write something down of an account."""
        key, value = encode_note(note)
        await self._write("note", [self._noting(key, value)])

    async def erase_note(self, note_id: str) -> None:
        """Take a note back: Kafka forgets it when it compacts its topic."""
        await self._write("erase_note", [self._noting(note_id, None)])

    def _over(self) -> list[Outgoing]:
        """What is said of alerts that have ended means nothing any more."""
        ended = [each for each in self._muted.snoozes if self._has_ended(each)]
        return [self._muting(SNOOZE_PREFIX + each, None) for each in ended[:_AT_ONCE]]

    def _muting(self, key: str, value: bytes | None) -> Outgoing:
        return Outgoing(self._topics.silences, 0, key.encode(), value)

    def _noting(self, key: str, value: bytes | None) -> Outgoing:
        return Outgoing(self._topics.notes, 0, key.encode(), value)

    async def _write(self, what: str, records: list[Outgoing]) -> None:
        began = time.perf_counter()
        try:
            async with asyncio.timeout(self._within_s):
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
