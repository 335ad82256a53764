"""The alert: its id, its severity, and the sentence that says why."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pulse.engagement.days import DAY_MS
from pulse.engagement.measures import readable
from pulse.model.alert import Alert, Resolution, Severity
from pulse.model.time import format_ms

if TYPE_CHECKING:
    from pulse.engagement.account import OpenAlert, Row
    from pulse.engagement.lifecycle import Lifecycle
    from pulse.engagement.line import Line, Zone
    from pulse.engagement.measures import Measures

SEVERITY: dict[str, Severity] = {"danger": "critical", "approaching": "warning"}
"""By reason; every other reason is a warning."""

_NO_PLAY = "Look at the account and decide who should talk to them."

_COMPARED = (
    ("active_users", "active users"),
    ("active_days", "active days"),
    ("features", "features"),
    ("events", "events"),
)


def alert_id(account_id: str, reason: str, started_ms: int) -> str:
    """The alert's id: a function of account, reason and the instant it began, nothing else."""
    key = f"{account_id}\0{reason}\0{started_ms}".encode()
    digest = hashlib.blake2b(key, digest_size=16).digest()
    return "al_" + base64.b32encode(digest).decode().rstrip("=").lower()


@dataclass(frozen=True, slots=True)
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


def build(
    reason: str,
    opened: OpenAlert,
    resolution: Resolution | None,
    what: Circumstances,
    play: str | None,
    config_version: str,
) -> Alert:
    """The alert for `reason`, firing where `resolution` is None."""
    line = what.line
    return Alert(
        id=alert_id(what.account_id, reason, opened.started_ms),
        account_id=what.account_id,
        reason=reason,
        status="resolved" if resolution else "firing",
        resolution=resolution,
        started_at=opened.started_ms,
        at=what.at_ms,
        since=opened.since_ms,
        severity=SEVERITY.get(reason, "warning"),
        zone=what.zone,
        previous_zone=what.previous_zone,
        lifecycle=what.lifecycle,
        score=None if what.score is None else round(what.score, 2),
        line={"enter": line.enter, "exit": line.exit, "approach": line.approach},
        contributions={name: round(points, 2) for name, points in what.contributions.items()},
        measures={
            "now": readable(what.now),
            "then": None if what.then is None else readable(what.then.measures),
            "then_at": None if what.then is None else what.then_at_ms,
        },
        profile=what.profile,
        summary=_summary(reason, opened, resolution, what),
        evidence=_evidence(reason, opened, what),
        play=play or _NO_PLAY,
        historical=what.historical,
        config_version=config_version,
    )


def _evidence(reason: str, opened: OpenAlert, what: Circumstances) -> dict[str, Any]:
    if reason == "silence":
        return {
            "last_active_at": None if what.last_ms is None else format_ms(what.last_ms),
            "active_days": what.active_days,
        }
    evidence: dict[str, Any] = {"score": None if what.score is None else round(what.score, 2)}
    if what.then is not None and what.then.score is not None:
        evidence["score_then"] = round(what.then.score, 2)
    return evidence


def _summary(
    reason: str, opened: OpenAlert, resolution: Resolution | None, what: Circumstances
) -> str:
    name = str(what.profile.get("name") or what.account_id)
    score = "no score" if what.score is None else f"score {what.score:.1f}"
    if resolution == "churned":
        return f"{name} has left: nothing meaningful for {_idle_days(what)} days."
    if reason == "silence":
        if resolution:
            return f"{name} is active again after its silence."
        return (
            f"{name} fell silent: nothing meaningful for {_idle_days(what)} days, "
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
        return f"{name} {near} the danger line: {score}, line {what.line.enter:g}.{_why(what)}"
    return f"{name}: {reason} {'ended' if resolution else 'began'} at {format_ms(what.at_ms)}."


def _idle_days(what: Circumstances) -> int:
    return 0 if what.last_ms is None else (what.at_ms - what.last_ms) // DAY_MS


def _why(what: Circumstances) -> str:
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
