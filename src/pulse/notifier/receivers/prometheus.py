"""pulse's alerts as Prometheus has them: labels that identify, annotations that tell.

Two alerts with the same labels are the same alert there, and one whose labels change is another:
the first would never be resolved. So labels are what an alert keeps from its beginning to its end,
and everything else, every number above all, is an annotation.
"""

import re
from collections.abc import Mapping
from typing import Final

from pulse.model import Alert, format_ms
from pulse.notifier.receiver import Notification

_FNV_OFFSET: Final = 14695981039346656037
_FNV_PRIME: Final = 1099511628211
_SEPARATOR: Final = b"\xff"


def labels_of(alert: Alert, more: tuple[str, ...] = ()) -> dict[str, str]:
    """What identifies an alert: its reason, its account and its severity, which follows its reason.

    `more` are fields of the profile (`segment`, `plan`, `owner`) that are taken for labels too,
    where they are known.
    """
    labels = {
        "alertname": "pulse_" + re.sub(r"[^a-zA-Z0-9_]", "_", alert.reason),
        "account": alert.account_id,
        "reason": alert.reason,
        "severity": alert.severity,
        "service": "pulse",
    }
    for name in more:
        if value := getattr(alert.profile, name):
            labels[name] = str(value)
    return labels


def annotations_of(alert: Alert, notification: Notification) -> dict[str, str]:
    """What is told of an alert of a notification; all of it is text.

    `late`, `again` and `digest` are "true", or absent.
    """
    profile = alert.profile
    links = notification.links.get(alert.id, {})
    told = {
        "summary": alert.summary,
        "play": alert.play,
        "alert_id": alert.id,
        "since": format_ms(alert.since),
        "score": "" if alert.score is None else f"{alert.score:g}",
        "line": f"{alert.line.enter:g}",
        "zone": alert.zone,
        "resolution": alert.resolution or "",
        "name": profile.name or "",
        "segment": profile.segment or "",
        "plan": profile.plan or "",
        "owner": profile.owner or "",
        "mrr": "" if profile.mrr is None else f"{profile.mrr:g}",
        "config_version": alert.config_version,
        "late": "true" if notification.is_late else "",
        "again": "true" if notification.again else "",
        "digest": "true" if notification.is_digest else "",
        **{f"link_{name}": url for name, url in links.items()},
    }
    return {name: text for name, text in told.items() if text}


def fingerprint(labels: Mapping[str, str]) -> str:
    """Alertmanager's fingerprint of a set of labels: FNV-1a over them in order, 16 hex digits."""
    value = _FNV_OFFSET
    for name in sorted(labels):
        for byte in name.encode() + _SEPARATOR + labels[name].encode() + _SEPARATOR:
            value = ((value ^ byte) * _FNV_PRIME) % 2**64
    return f"{value:016x}"
