"""What a template is given: the facts of a notification in words, short and on one line each.

Texts here are plain: whoever puts them into a message escapes them. None of them has a line break
or a character that cannot be seen, so that no name makes a second line or turns the rest around.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from pulse.alerting.alert import EVERYBODY
from pulse.model import Alert
from pulse.model.account import Measures
from pulse.notifier.messages.sparkline import gauge, scores_of, sparkline
from pulse.notifier.receiver import Notification

_MAX_NAME: Final = 120
_MAX_SENTENCE: Final = 600
_MAX_NAMED: Final = 3
_DAY_MS: Final = 86_400_000
_IN_URLS: Final = "/:?#[]@!$&'()*+,;=%-._~"

_WORDS: Final = {"danger": "below the danger line", "approaching": "near the danger line"}
_LINKS: Final = {
    "alert": "Open",
    "acknowledge": "Acknowledge",
    "snooze": "Snooze",
    "close": "Close with an outcome",
}
_MEASURES: Final = {
    "active_users": "active users",
    "active_days": "active days",
    "features": "features",
    "events": "events",
    "value": "value",
}


class Link(NamedTuple):
    """An address for a person, and what it is called."""

    label: str
    url: str


class Change(NamedTuple):
    """A measure over 28 days, then and now."""

    measure: str
    then: str
    now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFacts:
    """One alert. Empty texts are facts that are not known.

    `sparkline` draws the scores of 28 days and of now against the line, `gauge` the score of now
    alone. `picture` is where a picture of them is found, where the kind of message can show one.
    `changes` are what changed most, the worst first; `points` what the score is made of, the most
    first.
    """

    id: str
    account_id: str
    account: str
    reason: str
    severity: str
    is_firing: bool
    headline: str
    summary: str
    play: str
    since: str
    lasted: str
    ended: str
    score: str
    line: str
    gauge: str
    sparkline: str
    changes: tuple[Change, ...]
    points: tuple[tuple[str, str], ...]
    segment: str
    plan: str
    owner: str
    mrr: str
    renewal: str
    links: tuple[Link, ...]
    picture: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFacts:
    """A whole notification: `alerts`, the worst first, and what is to be said of all of them.

    `notes` are sentences: that it comes late, again, is a digest, and how many fire besides.
    """

    title: str
    alerts: tuple[AlertFacts, ...]
    group: str
    also_firing: int
    is_firing: bool
    is_several: bool
    is_digest: bool
    is_late: bool
    again: bool
    notes: tuple[str, ...]


def facts_of(notification: Notification, timezone: str) -> MessageFacts:
    """The facts of a notification; times are those of the receiver's time zone."""
    zone = ZoneInfo(timezone)
    alerts = tuple(
        _alert(each, notification.links.get(each.id, {}), zone) for each in notification.alerts
    )
    group = ", ".join(
        f"{plain(name)} {plain(value) or 'unknown'}"
        for name, value in notification.group
        if name not in ("alert", "account")
    )
    return MessageFacts(
        title=_title(notification, alerts, group),
        alerts=alerts,
        group=group,
        also_firing=notification.also_firing,
        is_firing=notification.is_firing,
        is_several=len(alerts) > 1,
        is_digest=notification.is_digest,
        is_late=notification.is_late,
        again=notification.again,
        notes=tuple(_notes(notification, zone)),
    )


def plain(text: str, most: int = _MAX_NAME) -> str:
    """The text on one line, without what cannot be seen, at most so long.

    >>> plain("Acme\\r\\nBcc: all\\u202e")
    'Acme Bcc: all'
    """
    seen = "".join(" " if each.isspace() else each for each in text)
    seen = "".join(each for each in seen if each.isprintable())
    seen = " ".join(seen.split())
    return seen if len(seen) <= most else f"{seen[: most - 1]}…"


def number(amount: float) -> str:
    """A number without a needless fraction.

    >>> number(12345), number(2.25), number(3.0)
    ('12,345', '2.2', '3')
    """
    return f"{amount:,.0f}" if amount == int(amount) else f"{amount:,.1f}"


def _alert(alert: Alert, links: Mapping[str, str], zone: ZoneInfo) -> AlertFacts:
    profile, scores = alert.profile, scores_of(alert)
    account = plain(profile.name or alert.account_id)
    if alert.account_id == EVERYBODY:
        account = "All accounts"
    is_firing = alert.status == "firing"
    reason = _WORDS.get(alert.reason, plain(alert.reason.replace("_", " ")))
    state = alert.severity if is_firing else "resolved"
    return AlertFacts(
        id=alert.id,
        account_id=plain(alert.account_id),
        account=account,
        reason=reason,
        severity=alert.severity,
        is_firing=is_firing,
        headline=f"[{state}] {account}: {reason}",
        summary=plain(alert.summary, _MAX_SENTENCE),
        play=plain(alert.play, _MAX_SENTENCE) if is_firing else "",
        since=_time(alert.since, zone),
        lasted=_span(alert.at - alert.since),
        ended="" if is_firing else (alert.resolution or "").replace("_", " "),
        score="" if alert.score is None else number(alert.score),
        line=number(alert.line.enter),
        gauge="" if alert.score is None else gauge(alert.score, alert.line.enter),
        sparkline=sparkline(scores, alert.line.enter) if alert.scores else "",
        changes=_changes(alert) if is_firing else (),
        points=_points(alert),
        segment=plain(profile.segment or ""),
        plan=plain(profile.plan or ""),
        owner=plain(profile.owner or ""),
        mrr="" if profile.mrr is None else number(profile.mrr),
        renewal="" if profile.renewal_at is None else _time(profile.renewal_at, zone)[:10],
        links=tuple(_links(links)),
    )


def _links(links: Mapping[str, str]) -> list[Link]:
    order = [
        *(name for name in _LINKS if name in links),
        *(name for name in links if name not in _LINKS),
    ]
    found = []
    for name in order:
        if urlsplit(links[name]).scheme in ("http", "https"):
            # What could end a link early, in any of the kinds of messages, is spelt out.
            found.append(Link(_LINKS.get(name, plain(name)), quote(links[name], safe=_IN_URLS)))
    return found


def _changes(alert: Alert) -> tuple[Change, ...]:
    now, then = alert.measures.now, alert.measures.then
    if then is None:
        return ()
    # Where events have no values of their own each has the value 1: that is said once.
    same = all(_over_28(each, "value") == _over_28(each, "events") for each in (then, now))
    pairs = [
        (words, _over_28(then, name), _over_28(now, name))
        for name, words in _MEASURES.items()
        if not (same and name == "value")
    ]
    changed = [each for each in pairs if each[1] != each[2]]
    changed.sort(key=lambda each: each[2] / each[1] if each[1] else float("inf"))
    return tuple(Change(words, number(a), number(b)) for words, a, b in changed[:_MAX_NAMED])


def _over_28(measures: Measures, name: str) -> float:
    return float(getattr(measures, name).days_28)


def _points(alert: Alert) -> tuple[tuple[str, str], ...]:
    found = sorted(alert.contributions.items(), key=lambda each: -each[1])[: 2 * _MAX_NAMED]
    return tuple((plain(name.replace("_", " ")), number(points)) for name, points in found)


def _title(notification: Notification, alerts: tuple[AlertFacts, ...], group: str) -> str:
    if len(alerts) == 1 and not notification.is_digest:
        return alerts[0].headline
    whose = f" for {group}" if group else ""
    names = list(dict.fromkeys(each.account for each in alerts))
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    what = "Digest of " if notification.is_digest else ""
    count = _count(len(alerts))
    return f"{what}{count}{whose}: {', '.join(names[:_MAX_NAMED])}{more}"


def _notes(notification: Notification, zone: ZoneInfo) -> list[str]:
    notes = []
    if notification.is_digest:
        notes.append("A digest: what was over the week's budget, the worst first.")
    if notification.is_late:
        due = _time(min(each.at for each in notification.alerts), zone)
        notes.append(f"This comes late: it is of {due}.")
    if notification.again:
        notes.append("You were told of this before: it goes on.")
    if notification.also_firing:
        fire = "fires" if notification.also_firing == 1 else "fire"
        notes.append(f"Besides, {_count(notification.also_firing)} of the same group {fire}.")
    return notes


def _count(count: int) -> str:
    return "1 alert" if count == 1 else f"{count} alerts"


def _time(ms: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(ms / 1000, zone).strftime("%Y-%m-%d %H:%M %Z")


def _span(ms: int) -> str:
    minutes = max(ms, 0) // 60_000
    if minutes < 60:
        return f"{minutes} min"
    if ms < 2 * _DAY_MS:
        return f"{minutes // 60} h"
    return f"{ms // _DAY_MS} days"
