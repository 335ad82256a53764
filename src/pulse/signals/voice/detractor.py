"""Detractor: the latest answer to a survey is a bad one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pulse.engagement.days import NEVER
from pulse.engagement.facts import CSAT, NPS
from pulse.model.time import format_ms
from pulse.signals.signal import Finding, Seen, Signal

if TYPE_CHECKING:
    from pulse.engagement.account import Account, OpenAlert
    from pulse.engagement.facts import Word

REASON: Final = "detractor"


class Detractor(Signal):
    """An NPS up to `nps` or a CSAT up to `csat`, until a better one comes or `for_ms` pass."""

    def __init__(self, nps: float, csat: float, for_ms: int) -> None:
        super().__init__(REASON, of_facts=True)
        self.nps = nps
        self.csat = csat
        self.for_ms = for_ms

    def look(self, seen: Seen, opened: OpenAlert | None) -> Finding | str | None:
        worst = self._worst(seen.account, seen.at_ms)
        if worst is None:
            if opened is None:
                return None
            return "passed" if seen.at_ms >= opened.since_ms + self.for_ms else "recovered"
        survey, word = worst
        at = format_ms(word.ts_ms)
        return Finding(
            word.ts_ms,
            f"answered {survey.upper()} with {word.value:g}",
            {"survey": survey, "answer": word.value, "answered_at": at},
        )

    def next_ms(self, account: Account, after_ms: int) -> int:
        next_ms = NEVER
        for _, word in self._bad(account):
            if after_ms < word.ts_ms + self.for_ms < next_ms:
                next_ms = word.ts_ms + self.for_ms
        return next_ms

    def _worst(self, account: Account, at_ms: int) -> tuple[str, Word] | None:
        for survey, word in self._bad(account):
            if word.ts_ms + self.for_ms > at_ms:
                return survey, word
        return None

    def _bad(self, account: Account) -> list[tuple[str, Word]]:
        facts = account.facts
        if facts is None:
            return []
        found = list[tuple[str, "Word"]]()
        for survey, limit in ((NPS, self.nps), (CSAT, self.csat)):
            word = facts.word(survey)
            if word is not None and word.value <= limit:
                found.append((survey, word))
        return found
