"""Sample notifications, which say that they are a test: to try a receiver, to check a template."""

from typing import Any, Final

from pulse.alerting.alert import alert_id
from pulse.model import Alert
from pulse.notifier.messages.facts import MessageFacts, facts_of
from pulse.notifier.receiver import Notification

ACCOUNT: Final = "pulse-test"
_DAY_MS: Final = 86_400_000
_WORD: Final = "This is a test of pulse, and about no customer"


def _windows(days_7: float, days_28: float, days_84: float) -> dict[str, float]:
    return {"7d": days_7, "28d": days_28, "84d": days_84}


_NOW: Final = {
    "events": _windows(12, 90, 800),
    "value": _windows(12, 90, 800),
    "active_users": _windows(1, 3, 12),
    "features": _windows(2, 4, 6),
    "active_days": _windows(2, 9, 51),
    "recency_days": 2,
}
_SCORES: Final = (
    *(63, 62, 64, 63, 63, 61, 61, 60, 60, 58, 58, 57, 55, 56),
    *(54, 53, 50, 50, 48, 46, 45, 45, 43, 41, 39, 37, 35, 33),
)
_THEN: Final = {
    "events": _windows(90, 400, 1100),
    "value": _windows(90, 400, 1100),
    "active_users": _windows(9, 12, 13),
    "features": _windows(5, 6, 6),
    "active_days": _windows(5, 20, 58),
    "recency_days": 0,
}


def sample_alert(
    now_ms: int, *, resolved: bool = False, number: int = 0, config_version: str = "0" * 12
) -> Alert:
    """An alert about an account that there is not; `number` tells several apart.

    It began with the UTC day, so that its end, sent on the same day, has the same id.
    """
    account = ACCOUNT if not number else f"{ACCOUNT}-{number + 1}"
    started_ms = now_ms - now_ms % _DAY_MS
    return Alert.model_validate(
        {
            "id": alert_id(account, "danger", started_ms),
            "account_id": account,
            "reason": "danger",
            "status": "resolved" if resolved else "firing",
            "resolution": "recovered" if resolved else None,
            "started_at": started_ms,
            "at": now_ms,
            "since": started_ms - _DAY_MS,
            "severity": "critical",
            "zone": "healthy" if resolved else "danger",
            "previous_zone": "danger" if resolved else "approaching",
            "lifecycle": "current",
            "score": 58.4 if resolved else 31.2 - number,
            "line": {"enter": 40, "exit": 50, "approach": 55},
            "contributions": {"active_users": 12.5, "active_days": 10.2, "events": 8.5},
            "measures": {"now": _NOW, "then": _THEN, "then_at": now_ms - 28 * _DAY_MS},
            "profile": {
                "name": "Test account" if not number else f"Test account {number + 1}",
                "segment": "test",
                "mrr": 1200,
                "owner": "nobody",
                "renewal_at": now_ms + 90 * _DAY_MS,
            },
            "summary": f"{_WORD}: its alert has ended."
            if resolved
            else f"{_WORD}: score 31.2, line 40. In 28 days: active users 12 → 3.",
            "evidence": {"score": 31.2, "score_then": 62.5},
            "play": "Nothing: it has arrived.",
            "historical": False,
            "config_version": config_version,
            "scores": _SCORES,
        }
    )


def sample_notification(
    receiver: str, now_ms: int, *, resolved: bool = False, several: bool = False
) -> Notification:
    """A notification of one such alert, or of three. Each has an id of its own."""
    count = 3 if several else 1
    return Notification(
        id=f"test_{now_ms}_{receiver}",
        alerts=tuple(sample_alert(now_ms, resolved=resolved, number=each) for each in range(count)),
        group=(("owner", "nobody"),) if several else (),
    )


def sample_messages(timezone: str, now_ms: int = 1_700_000_000_000) -> tuple[MessageFacts, ...]:
    """What a template must be able to say: one, its end, several, a late digest, one of little."""
    links = {"alert": "https://pulse.example/alerts/1", "close": "https://pulse.example/close/1"}
    one = sample_notification("test", now_ms)
    several = sample_notification("test", now_ms, several=True)
    digest = Notification(
        id="test",
        alerts=several.alerts,
        group=several.group,
        also_firing=7,
        is_digest=True,
        again=True,
        is_late=True,
        links={several.alert.id: links},
    )
    bare = Notification(id="test", alerts=(_bare(one.alert),))
    ended = sample_notification("test", now_ms, resolved=True)
    return tuple(facts_of(each, timezone) for each in (one, ended, several, digest, bare))


def _bare(alert: Alert) -> Alert:
    """The same with as little known as there may be."""
    known = alert.model_dump(exclude_unset=True, by_alias=True)
    measures = {"now": known["measures"]["now"], "then": None, "then_at": None}
    nothing: dict[str, Any] = {"score": None, "contributions": {}, "profile": {}, "evidence": {}}
    nothing["scores"] = ()
    return Alert.model_validate({**known, **nothing, "measures": measures})
