"""Detractor: the latest answer to a survey is a bad one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from pulse.engagement.days import NEVER
from pulse.engagement.facts import CSAT, NPS
from pulse.model.time import format_ms
from pulse.signals.signal import Finding, Seen, Signal

if TYPE_CHECKING:
    from pulse.engagement.account import Account, OpenAlert

REASON: Final = "detractor"


class Answer(NamedTuple):
    """A bad answer to a survey, the latest of a user."""

    ts_ms: int
    record_id: str
    survey: str
    user: str
    """Empty where it is not said whose."""
    number: float


class Detractor(Signal):
    """Somebody's latest NPS is up to `nps`, or a CSAT up to `csat`.

    An answer counts for `for_ms`, or until the same user gives a better one. There is one alert for
    all of them, which ends with the last.
    """

    def __init__(self, nps: float, csat: float, for_ms: int) -> None:
        super().__init__(REASON, of_facts=True)
        self.nps = nps
        self.csat = csat
        self.for_ms = for_ms

    def look(self, seen: Seen, opened: OpenAlert | None) -> Finding | str | None:
        bad = self._bad(seen.account)
        lasting = [each for each in bad if each.ts_ms + self.for_ms > seen.at_ms]
        if not lasting:
            if opened is None:
                return None
            return "passed" if self._has_passed(seen.account, bad) else "recovered"
        latest = max(lasting)
        at = format_ms(latest.ts_ms)
        who = f"{latest.user} " if latest.user else ""
        others = f", one of {len(lasting)} bad answers" if len(lasting) > 1 else ""
        return Finding(
            latest.ts_ms,
            f"{who}answered {latest.survey.upper()} with {latest.number:g}{others}",
            {
                "survey": latest.survey,
                "answer": latest.number,
                "answered_at": at,
                "user_id": latest.user or None,
                "bad_answers": len(lasting),
            },
            about=latest.user,
        )

    def next_ms(self, account: Account, after_ms: int) -> int:
        next_ms = NEVER
        for answer in self._bad(account):
            if after_ms < answer.ts_ms + self.for_ms < next_ms:
                next_ms = answer.ts_ms + self.for_ms
        return next_ms

    def _bad(self, account: Account) -> list[Answer]:
        facts = account.facts
        if facts is None:
            return []
        found = list[Answer]()
        for survey, limit in ((NPS, self.nps), (CSAT, self.csat)):
            for user, word in facts.answers(survey):
                if word.value <= limit:
                    found.append(Answer(word.ts_ms, word.record_id, survey[:-1], user, word.value))
        return found

    def _has_passed(self, account: Account, bad: list[Answer]) -> bool:
        """Whether the last bad answer has had its time, and not given way to a better one."""
        facts = account.facts
        if facts is None or not bad:
            return False
        last_ms = max(bad).ts_ms + self.for_ms
        for survey, limit in ((NPS, self.nps), (CSAT, self.csat)):
            for _, word in facts.answers(survey):
                if word.value > limit and word.ts_ms > last_ms:
                    return False
        return True
