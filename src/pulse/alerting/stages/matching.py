"""Which alerts a route, an inhibition or a silence is about."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, get_args

from pulse.model.account import Lifecycle
from pulse.model.alert import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pulse.alerting.brief import Brief


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """Shell patterns; an alert matches where each that is said does. Without any, all match.

    `mrr_from` is the least monthly revenue, `mrr_below` is more than the most.

    >>> from pulse.alerting.brief import Brief
    >>> matcher = Matcher(segments=("enter*",), mrr_from=1000)
    >>> said = {"id": "al_1", "account_id": "acme", "reason": "danger", "status": "firing"}
    >>> big = Brief(**said, severity="critical", at_ms=0, segment="enterprise", mrr=2000)
    >>> matcher.matches(big), Matcher(reasons=("silence",)).matches(big)
    (True, False)
    """

    accounts: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    plans: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    lifecycles: tuple[str, ...] = ()
    mrr_from: float | None = None
    mrr_below: float | None = None

    def matches(self, brief: Brief) -> bool:
        """Whether the alert is one of those."""
        return (
            (self.mrr_from is None or brief.mrr >= self.mrr_from)
            and (self.mrr_below is None or brief.mrr < self.mrr_below)
            and fits(self.reasons, brief.reason, *brief.stands_for)
            and fits(self.severities, brief.severity)
            and fits(self.segments, brief.segment)
            and fits(self.plans, brief.plan)
            and fits(self.owners, brief.owner)
            and fits(self.lifecycles, brief.lifecycle)
            and fits(self.accounts, brief.account_id)
        )

    def __str__(self) -> str:
        """What it says, always in the same order: part of a route's identity."""
        said = []
        for name in self.__slots__:
            value = getattr(self, name)
            if value not in ((), None):
                shown = "|".join(sorted(value)) if isinstance(value, tuple) else f"{value:g}"
                said.append(f"{name}={shown}")
        return ",".join(said)


_ANY: Final = ("Zz", "q7-x", "0042", "東京 9", "o" * 40)
"""Names that have nothing in common: patterns that fit all of them fit whatever there is."""


def is_everything(match: Matcher) -> bool:
    """Whether a matcher leaves nothing out that anybody could name: an amount alone does not count,
    for nobody sees how much it leaves.

    >>> is_everything(Matcher(accounts=("acme",))), is_everything(Matcher(accounts=("?*", "a")))
    (False, True)
    >>> is_everything(Matcher(severities=("critical", "*i*"), mrr_below=1e9))
    True
    """
    severities, lifecycles = get_args(Severity), get_args(Lifecycle)
    return (
        _all_fit(match.severities, severities)
        and _all_fit(match.lifecycles, lifecycles)
        and all(
            _all_fit(said, _ANY)
            for said in (match.reasons, match.accounts, match.segments, match.plans, match.owners)
        )
    )


def _all_fit(patterns: Sequence[str], values: Sequence[str]) -> bool:
    return all(fits(patterns, each) for each in values)


def fits(patterns: Iterable[str], *values: str) -> bool:
    """Whether a pattern matches one of the values; without patterns, always."""
    return not patterns or any(fnmatchcase(each, way) for way in patterns for each in values)
