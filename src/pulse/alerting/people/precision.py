"""How often each reason was right, by what people said of its alerts, and what to do about it."""

from __future__ import annotations

from collections import Counter, defaultdict
from math import sqrt
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pulse.alerting.people.outcomes import Outcome, Word

LEAST: Final = 10
"""Of fewer judged alerts nothing is proposed."""
NOISY: Final = 0.5
"""A reason is noisy where it is right less often than that, by all that its numbers allow."""

_Z: Final = 1.959964
"""The standard normal's quantile for an interval of 95 %."""

_SETTINGS: Final = {
    "danger": "lower line.enter",
    "approaching": "lower line.approach, or line.forecast_days",
    "silence": "raise signals.silence.days",
    "usage_drop": "raise signals.usage_drop.share",
    "champion_gone": "raise signals.champion_gone.min_events",
    "feature_abandoned": "raise signals.feature_abandoned.share",
    "unused_seats": "lower `below` in signals.unused_seats.by_age",
    "outgrows_seats": "raise signals.outgrows_seats.share",
    "stalled_onboarding": "give the steps of signals.stalled_onboarding more days",
    "check_in_overdue": "raise signals.check_in_overdue.days",
    "renewal_at_risk": "lower signals.renewal_at_risk.days",
    "ready_to_ask": "raise signals.ready_to_ask.score",
    "support_waiting": "raise signals.support_waiting.hours",
    "bug_open": "raise signals.bug_open.days",
    "detractor": "lower signals.detractor.nps and signals.detractor.csat",
}
"""What makes a reason rarer."""


WORDS_IN_ORDER: Final[tuple[Word, ...]] = ("saved", "churned", "false_alarm", "ignored")


class Tally(NamedTuple):
    """What was said of some alerts."""

    saved: int = 0
    churned: int = 0
    false_alarm: int = 0
    ignored: int = 0

    @property
    def right(self) -> int:
        """Alerts that were right."""
        return self.saved + self.churned

    @property
    def judged(self) -> int:
        """Alerts of which it is known whether they were right."""
        return self.right + self.false_alarm

    @property
    def precision(self) -> float | None:
        """The share that was right; None where nothing was judged."""
        return self.right / self.judged if self.judged else None

    @property
    def is_noisy(self) -> bool:
        """Whether it is right too seldom, and not by chance."""
        return self.judged >= LEAST and interval(self.right, self.judged)[1] < NOISY


class Proposal(NamedTuple):
    """What to do about a noisy reason. `segment`: where it is noisy, None if everywhere."""

    reason: str
    tally: Tally
    segment: str | None
    setting: str | None

    def __str__(self) -> str:
        """In words.

        >>> print(Proposal("silence", Tally(1, 2, 17), None, "raise signals.silence.days"))
        silence: 3 of 20 were right: raise signals.silence.days, or silence it
        >>> print(Proposal("payment_failed", Tally(1, 2, 17), "free", None))
        payment_failed: 3 of 20 were right in segment free: silence it there
        """
        said, where = "silence it", ""
        if self.segment is not None:
            said, where = "silence it there", f" in segment {self.segment or 'none'}"
        what = said if self.setting is None else f"{self.setting}, or {said}"
        return f"{self.reason}: {self.tally.right} of {self.tally.judged} were right{where}: {what}"


def interval(right: int, of: int) -> tuple[float, float]:
    """Wilson's interval of 95 % for a share.

    >>> [round(each, 3) for each in interval(3, 20)]
    [0.052, 0.36]
    """
    if not of:
        return 0.0, 1.0
    share, z2 = right / of, _Z * _Z
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z * sqrt(share * (1 - share) / of + z2 / (4 * of * of)) / (1 + z2 / of)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def tally(outcomes: Iterable[Outcome]) -> Tally:
    """What was said of alerts, each of which is there once."""
    counts = Counter(each.outcome for each in outcomes)
    return Tally(*(counts[word] for word in WORDS_IN_ORDER))


def by_reason(outcomes: Iterable[Outcome]) -> dict[str, Tally]:
    """What was said, by the alerts' reason."""
    found: dict[str, list[Outcome]] = defaultdict(list)
    for each in outcomes:
        found[each.reason].append(each)
    return {reason: tally(found[reason]) for reason in sorted(found)}


def proposals(outcomes: Iterable[Outcome]) -> list[Proposal]:
    """What to do about reasons that are noisy, everywhere or in one segment, the worst first."""
    of: dict[str, dict[str, list[Outcome]]] = defaultdict(lambda: defaultdict(list))
    for each in outcomes:
        of[each.reason][each.segment].append(each)
    found = []
    for reason, segments in of.items():
        setting = _SETTINGS.get(reason)
        tallies = {name: tally(each) for name, each in segments.items()}
        whole = tally(each for some in segments.values() for each in some)
        noisy = [name for name, each in tallies.items() if each.is_noisy]
        rest = tally(each for name, some in segments.items() if name not in noisy for each in some)
        if noisy and rest.judged and (rest.precision or 0.0) >= NOISY:
            # Elsewhere it is right: what makes it rarer would do so there too.
            found += [Proposal(reason, tallies[name], name, setting) for name in noisy]
        elif whole.is_noisy:
            found.append(Proposal(reason, whole, None, setting))
    return sorted(found, key=lambda each: (each.tally.precision or 0.0, -each.tally.judged))
