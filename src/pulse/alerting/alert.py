"""The alert: its id, its severity, and the sentence that says why."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pulse.engagement.days import DAY_MS, LAST_DAY, MINUTE_MS
from pulse.engagement.measures import readable
from pulse.model.alert import Alert, Cause, Resolution, Severity, Status
from pulse.model.time import format_ms
from pulse.model.usage import AccountProfile
from pulse.model.wire import PROFILE_INSTANTS

if TYPE_CHECKING:
    from pulse.engagement.account import OpenAlert, Row
    from pulse.engagement.forecast import Crossing
    from pulse.engagement.lifecycle import Lifecycle
    from pulse.engagement.line import Line, Zone
    from pulse.engagement.measures import Measures

SEVERITY: Final[dict[str, Severity]] = {
    "danger": "critical",
    "subscription_cancelled": "critical",
    "payment_failed": "critical",
    "renewal_at_risk": "critical",
    "outgrows_seats": "info",
    "ready_to_ask": "info",
}
"""By reason; every other reason is a warning."""

EVERYBODY: Final = "*"
"""In place of an account's id, in an alert that is about no single one."""

ENDLESS: Final = frozenset({"configuration", "digest"})
"""Reasons of alerts that only begin."""

_NO_PLAY: Final = "Look at the account and decide who should talk to them."

_DIGITS: Final = "abcdefghijklmnopqrstuvwxyz234567"

_COMPARED: Final = (
    ("active_users", "active users"),
    ("active_days", "active days"),
    ("features", "features"),
    ("events", "events"),
)

_USUAL: Final = 0.9
"""From this trend on a week is as usual."""
_MOST_SAID: Final = 3
"""Key features that are named in a sentence."""

_ENDED: Final = {
    "recovered": "has ended well",
    "settled": "is what is usual now",
    "passed": "is past its time",
    "escalated": "goes on in a new alert",
    "rule_removed": "is no longer looked for",
    "no_longer": "no longer holds",
}
"""How the end of a signal's alert is said."""

_PROFILE_FIELDS: Final = tuple(AccountProfile.model_fields)

_encode: Final = msgspec.json.Encoder().encode


class AlertRecord:
    """One state of one alert, as the engine makes it: the fields of `pulse.model.Alert`, as JSON
    has them.

    Who reads an alert checks it by that model; here that would take five times as long as to make
    it.
    """

    __slots__ = ("account_id", "at", "fields", "reason", "status")

    def __init__(
        self, account_id: str, reason: str, status: Status, at: int, fields: dict[str, Any]
    ) -> None:
        self.account_id = account_id
        self.reason = reason
        self.status: Status = status
        self.at = at
        """When this state was due (ms)."""
        self.fields = fields

    def mark(self, cause: Cause = "configuration") -> None:
        """Say that the configuration caused it, or a load, and not the account."""
        self.fields["caused_by"] = cause

    def to_json(self) -> bytes:
        """The bytes of `Alert.to_json`."""
        return _encode(self.fields)

    def model(self) -> Alert:
        """The alert, checked."""
        return Alert.model_validate(self.fields)


def alert_id(account_id: str, reason: str, started_ms: int) -> str:
    """The alert's id: a function of account, reason and the instant it began, nothing else."""
    key = f"{account_id}\0{reason}\0{started_ms}".encode()
    digest = hashlib.blake2b(key, digest_size=16).digest()
    # Base 32 (RFC 4648) in lower case, without padding; `base64` takes ten times as long, and so do
    # numbers that no register holds.
    return (
        "al_"
        + _base32(int.from_bytes(digest[:5]), 40)
        + _base32(int.from_bytes(digest[5:10]), 40)
        + _base32(int.from_bytes(digest[10:15]), 40)
        + _base32(digest[15] << 2, 10)
    )


def _base32(number: int, bits: int) -> str:
    digits, shift = "", bits
    while shift > 0:
        shift -= 5
        digits += _DIGITS[number >> shift & 31]
    return digits


@dataclass(slots=True)
class Circumstances:
    """All that is known of an account at the instant an alert changes its state."""

    account_id: str
    at_ms: int
    zone: Zone
    previous_zone: Zone
    lifecycle: Lifecycle
    score: float | None
    contributions: dict[str, float]
    line: Line
    now: Measures
    then: Row | None
    then_at_ms: int | None
    last_ms: int | None
    active_days: int
    profile: dict[str, Any]
    historical: bool
    is_cancelled: bool = False
    crossing: Crossing | None = None
    """When an approaching account reaches the line, if its scores say so."""
    today: int = 0
    """The account's day, from which the crossing counts."""
    is_projected: bool = False
    """It approaches by that alone: its score lies above the band."""
    found: tuple[str, dict[str, Any]] | None = None
    """What a signal found, where one opens the alert: how it is said, and what shows it."""
    given_up: list[str] = field(default_factory=list)
    """Key features that it used, and not over the last 28 days."""
    scores: list[int | None] = field(default_factory=list)
    """At the starts of the 28 days before today, in whole points, the oldest first; None for a day
    without one."""


def build(
    reason: str,
    opened: OpenAlert,
    resolution: Resolution | None,
    what: Circumstances,
    play: str | None,
    config_version: str,
) -> AlertRecord:
    """The alert for `reason`, firing where `resolution` is None."""
    line, then = what.line, what.then
    status: Status = "resolved" if resolution else "firing"
    fields: dict[str, Any] = {
        "id": alert_id(what.account_id, reason, opened.started_ms),
        "account_id": what.account_id,
        "reason": reason,
        "status": status,
        "resolution": resolution,
        "started_at": format_ms(opened.started_ms),
        "at": format_ms(what.at_ms),
        "since": format_ms(opened.since_ms),
        "severity": SEVERITY.get(reason, "warning"),
        "zone": what.zone,
        "previous_zone": what.previous_zone,
        "lifecycle": what.lifecycle,
        "score": None if what.score is None else round(what.score, 2),
        "line": {
            "enter": line.enter,
            "exit": line.exit,
            "approach": line.approach,
            "version": line.version or config_version,
        },
        "contributions": {name: round(points, 2) for name, points in what.contributions.items()},
        "measures": {
            "now": readable(what.now),
            "then": None if then is None else readable(then.measures),
            "then_at": None if what.then_at_ms is None else format_ms(what.then_at_ms),
        },
        "profile": {
            name: format_ms(what.profile[name]) if name in PROFILE_INSTANTS else what.profile[name]
            for name in _PROFILE_FIELDS
            if name in what.profile
        },
        "summary": _summary(reason, opened, resolution, what),
        "evidence": _evidence(reason, opened, what),
        "play": play or _NO_PLAY,
        "historical": what.historical,
        "config_version": config_version,
    }
    if what.scores:
        fields["scores"] = what.scores
    return AlertRecord(what.account_id, reason, status, what.at_ms, fields)


def _evidence(reason: str, opened: OpenAlert, what: Circumstances) -> dict[str, Any]:
    if what.found is not None:
        return what.found[1]
    if reason == "silence":
        return {
            "last_active_at": None if what.last_ms is None else format_ms(what.last_ms),
            "active_days": what.active_days,
        }
    if reason not in ("danger", "approaching"):
        return {}
    evidence: dict[str, Any] = {"score": None if what.score is None else round(what.score, 2)}
    if what.then is not None and what.then.score is not None:
        evidence["score_then"] = round(what.then.score, 2)
    if what.given_up:
        evidence["key_features_given_up"] = what.given_up
    if reason == "approaching":
        evidence["by"] = "projection" if what.is_projected else "band"
        found = what.crossing
        if found is not None:
            evidence["slope"] = round(found.slope, 3)
            evidence["crosses_on"] = _date(what.today + found.days)
            evidence["crosses_between"] = [
                _date(what.today + found.soonest), _date(what.today + found.latest)
            ]  # fmt: skip
    return evidence


def _date(day: float) -> str:
    return date.fromordinal(min(int(day), LAST_DAY)).isoformat()


def _summary(
    reason: str, opened: OpenAlert, resolution: Resolution | None, what: Circumstances
) -> str:
    name = str(what.profile.get("name") or what.account_id)
    score = "no score" if what.score is None else f"score {what.score:.1f}"
    if what.found is not None:
        return f"{name}: {what.found[0]}."
    if resolution == "forgotten":
        return f"{name}: {reason.replace('_', ' ')} has ended, since it was to be forgotten."
    if resolution == "renamed":
        return f"{name}: {reason.replace('_', ' ')} goes on under the account's new id."
    if resolution == "churned" and what.is_cancelled:
        return f"{name} has left: the subscription is cancelled."
    if resolution == "churned" and what.last_ms is None:
        return f"{name} has left: it never used the product."
    if resolution == "churned":
        return f"{name} has left: nothing meaningful for {_idle_days(what)} days."
    if reason == "silence" and resolution == "active_again":
        return f"{name} is active again after its silence."
    if reason == "silence" and resolution is None:
        # Who resumed a subscription is silent from then on, however long it was away.
        return (
            f"{name} fell silent: nothing meaningful for {_days(what.at_ms - opened.since_ms)}, "
            f"after {what.active_days} active days."
        )
    if reason == "danger":
        if resolution:
            return f"{name} is back above the danger line: {score}, left at {what.line.exit:g}."
        return f"{name} fell below the danger line: {score}, line {what.line.enter:g}.{_why(what)}"
    if reason == "approaching":
        if resolution == "crossed":
            return f"{name} no longer approaches the danger line, it crossed it: {score}."
        if resolution:
            return f"{name} has moved away from the danger line: {score}."
        near = "is about to cross" if (what.score or 0) < what.line.enter else "approaches"
        return (
            f"{name} {near} the danger line: {score}, line {what.line.enter:g}."
            f"{_when(what)}{_why(what)}"
        )
    words, ended = reason.replace("_", " "), _ENDED.get(resolution or "", "has ended")
    return f"{name}: {words} {ended}, after {_days(what.at_ms - opened.started_ms)}."


def _when(what: Circumstances) -> str:
    found = what.crossing
    if found is None:
        return ""
    soonest, latest = _date(what.today + found.soonest), _date(what.today + found.latest)
    between = "" if soonest == latest else f" ({soonest} to {latest})"
    return f" At this pace it crosses on {_date(what.today + found.days)}{between}."


def _days(ms: int) -> str:
    # What begins with a fact begins at the close of its minute.
    days = (ms + MINUTE_MS) // DAY_MS
    return "less than a day" if not days else "a day" if days == 1 else f"{days} days"


def _idle_days(what: Circumstances) -> int:
    return 0 if what.last_ms is None else (what.at_ms - what.last_ms) // DAY_MS


def _why(what: Circumstances) -> str:
    """What fell: the two measures that did the most, the last week, key features."""
    return f"{_what_fell(what)}{_last_week(what)}{_given_up(what)}"


def _last_week(what: Circumstances) -> str:
    trend = what.now.trend
    if trend < 0.0 or trend >= _USUAL:
        return ""
    return f" The last 7 days: {round(100 * trend)} % of a usual week."


def _given_up(what: Circumstances) -> str:
    names = what.given_up
    if not names:
        return ""
    more = f" and {len(names) - _MOST_SAID} more" if len(names) > _MOST_SAID else ""
    return f" Key features not used for 28 days: {', '.join(names[:_MOST_SAID])}{more}."


def _what_fell(what: Circumstances) -> str:
    """The two measures that fell the most, over 28 days, then against now."""
    then = what.then
    if then is None:
        return ""
    falls: list[tuple[float, str]] = []
    for measure, words in _COMPARED:
        before = then.measures.number(measure, 1)
        now = what.now.number(measure, 1)
        if now < before:
            falls.append((now / before, f"{words} {before:g} → {now:g}"))
    if not falls:
        return ""
    falls.sort(key=lambda fall: fall[0])
    return f" In 28 days: {', '.join(words for _, words in falls[:2])}."
