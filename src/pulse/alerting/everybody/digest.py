"""The digest: how the fleet stands once a history or a load has ended, in one alert for all.

Alerts of a history, and those that began within a load, are not sent one by one. The digest stands
for them: how many accounts have which alerts open, and which of those that nobody was told of are
the worst.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from pulse.alerting.alert import EVERYBODY, SEVERITY, AlertRecord, alert_id
from pulse.alerting.everybody.sources import NOBODY
from pulse.engagement.lifecycle import LIFECYCLES
from pulse.model.time import format_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pulse.engagement.account import Account
    from pulse.engagement.line import Line

REASON: Final = "digest"

MOST: Final = 1 << 40
"""As many of anything there are not: a larger number is a mistake."""

Number = Annotated[int, msgspec.Meta(ge=0, le=MOST)]

MOST_NAMED: Final = 20
_MOST_SAID: Final = 5
"""So many of them are named in the sentence; the evidence has all."""

_ZONES: Final = ("danger", "approaching")
_CHURNED: Final = LIFECYCLES.index("churned") + 1
_NO_SCORE: Final = 101.0

_SAID: Final = (
    ("danger", "is in danger", "are in danger"),
    ("approaching", "approaches the line", "approach the line"),
    ("silence", "is silent", "are silent"),
)


class Named(msgspec.Struct, array_like=True, frozen=True):
    """An account that the digest names, with its alerts that nobody was told of."""

    account_id: str
    name: str
    owner: str
    mrr: float
    score: float | None
    reasons: tuple[str, ...]

    def rank(self) -> tuple[bool, float, float, str]:
        """The worst comes first: in danger, then by what it pays, by its score, by its id."""
        score = _NO_SCORE if self.score is None else self.score
        return "danger" not in self.reasons, -self.mrr, score, self.account_id


class FleetStanding(msgspec.Struct, array_like=True, frozen=True):
    """How the accounts of some partitions stand.

    `load` is the load that has ended, empty where it was a history; `number` counts digests, by
    which a repeat is known. `by_reason` counts accounts by zone and by open alert; `untold` those
    with alerts that nobody was told of, of which `worst` are at most 20.

    >>> a = Named("a", "", "", 9.0, 31.2, ("danger",))
    >>> b = Named("b", "", "", 50.0, 8.0, ("danger",))
    >>> some = FleetStanding("", 7, 3, {"danger": 1}, 1, (a,))
    >>> both = some.merged(FleetStanding("", 7, 2, {"danger": 1}, 1, (b,)))
    >>> both.accounts, both.by_reason, [each.account_id for each in both.worst]
    (5, {'danger': 2}, ['b', 'a'])
    """

    load: str
    number: Number
    accounts: Number = 0
    by_reason: dict[str, Number] = {}
    untold: Number = 0
    worst: tuple[Named, ...] = ()

    def merged(self, other: FleetStanding) -> FleetStanding:
        """Those of both."""
        return FleetStanding(
            self.load,
            self.number,
            self.accounts + other.accounts,
            dict(sorted((Counter(self.by_reason) + Counter(other.by_reason)).items())),
            self.untold + other.untold,
            tuple(sorted((*self.worst, *other.worst), key=Named.rank)[:MOST_NAMED]),
        )

    def without(self, is_gone: Callable[[str], bool]) -> FleetStanding:
        """The same, without naming those who are gone meanwhile."""
        worst = tuple(each for each in self.worst if not is_gone(each.account_id))
        return msgspec.structs.replace(self, worst=worst)

    def of(self, accounts: Iterable[Account]) -> FleetStanding:
        """How these accounts stand."""
        known, untold, by_reason, worst = 0, 0, Counter[str](), list[Named]()
        for account in accounts:
            if account.stage != _CHURNED:
                known += 1
                if account.zone in _ZONES:  # who came back from danger approaches without an alert
                    by_reason[account.zone] += 1
            if not account.alerts:
                continue
            by_reason.update(r for r in account.alerts if r not in _ZONES)
            reasons = [r for r in self._untold(account) if SEVERITY.get(r) != "info"]
            if reasons:
                untold += 1
                worst.append(_named(account, reasons))
                if len(worst) > 2 * MOST_NAMED:
                    worst = sorted(worst, key=Named.rank)[:MOST_NAMED]
        worst = sorted(worst, key=Named.rank)[:MOST_NAMED]
        counts = dict(sorted(by_reason.items()))
        return FleetStanding(self.load, self.number, known, counts, untold, tuple(worst))

    def _untold(self, account: Account) -> list[str]:
        """The reasons of open alerts of which nobody was told, in order."""
        mark = account.load
        if not self.load:
            return sorted(account.alerts)
        if mark is None:
            return []
        return sorted(
            reason
            for reason, began in mark.began.items()
            if began.load == self.load
            and reason in account.alerts
            and account.alerts[reason].started_ms == began.started_ms
        )


def _named(account: Account, reasons: list[str]) -> Named:
    mrr, score = account.fact("mrr"), account.score
    return Named(
        account.account_id,
        str(account.fact("name") or ""),
        str(account.fact("owner") or ""),
        float(mrr) if isinstance(mrr, int | float) else 0.0,
        None if score is None else round(score, 2),
        tuple(reasons),
    )


def digest_alert(
    standing: FleetStanding, at_ms: int, line: Line, play: str, config_version: str
) -> AlertRecord:
    """The digest, as of the log's clock where the history or the load ended. It has no end."""
    at, load = format_ms(at_ms), standing.load
    worst = [
        {name: value for name, value in _fields(each).items() if value not in ("", None)}
        for each in standing.worst
    ]
    evidence: dict[str, Any] = {
        "after": "load" if load else "history",
        **({"load": load} if load else {}),
        "accounts": standing.accounts,
        "by_reason": standing.by_reason,
        "untold_accounts": standing.untold,
        "worst": worst,
    }
    fields: dict[str, Any] = {
        "id": alert_id(f"{EVERYBODY}\0{standing.number}", REASON, at_ms),
        "account_id": EVERYBODY,
        "reason": REASON,
        "status": "firing",
        "resolution": None,
        "started_at": at,
        "at": at,
        "since": at,
        "severity": "warning" if standing.untold else "info",
        "zone": "unknown",
        "previous_zone": None,
        **{name: NOBODY[name] for name in ("lifecycle", "score")},
        "line": {
            "enter": line.enter,
            "exit": line.exit,
            "approach": line.approach,
            "version": config_version,
        },
        "contributions": {},
        "measures": NOBODY["measures"],
        "profile": {},
        "summary": _summary(standing),
        "evidence": evidence,
        "play": play,
        "historical": False,
        "config_version": config_version,
    }
    return AlertRecord(EVERYBODY, REASON, "firing", at_ms, fields)


def _fields(each: Named) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.structs.asdict(each)
    return {**found, "mrr": each.mrr or None, "reasons": list(each.reasons)}


def _summary(standing: FleetStanding) -> str:
    counts = []
    for reason, one, several in _SAID:
        number = standing.by_reason.get(reason, 0)
        if number or reason == "danger":
            how_many = f"{number:,}" if number else "none"
            counts.append(f"{how_many} {several if number > 1 else one}")
    what = f"The load {standing.load} has ended" if standing.load else "The history is loaded"
    said = f"{what}: of {standing.accounts:,} accounts {', '.join(counts)}."
    if not standing.untold:
        return said + (" No alert that began within it still stands." if standing.load else "")
    if standing.load:
        said += f" In {standing.untold:,} of them it began within the load."
    names = "; ".join(map(_words, standing.worst[:_MOST_SAID]))
    left = standing.untold - _MOST_SAID
    return f"{said} The worst: {names}{f'; and {left:,} more' if left > 0 else ''}."


def _words(each: Named) -> str:
    facts = [reason.replace("_", " ") for reason in each.reasons]
    facts += [f"MRR {each.mrr:,.10g}"] if each.mrr else []
    facts += [] if each.score is None else [f"score {each.score:.1f}"]
    return f"{each.name or each.account_id} ({', '.join(facts)})"
