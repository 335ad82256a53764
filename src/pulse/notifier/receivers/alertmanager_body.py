"""The body of a webhook as Alertmanager posts it, version 4, for what already understands that.

https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

import json
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from pulse.model import Alert, format_ms
from pulse.model.notification import MAX_BODY_BYTES
from pulse.model.notification_of_several import cut
from pulse.notifier.receiver import Notification
from pulse.notifier.receivers.prometheus import annotations_of, fingerprint, labels_of

_NEVER: Final = "0001-01-01T00:00:00Z"
"""What Go writes for an instant that is not set: `endsAt` of what fires."""
_SHORT: Final = 100
"""Characters of a text that is shortened."""
_ESSENTIAL: Final = frozenset({"summary", "play", "alert_id", "score", "late", "again", "digest"})
"""Annotations that an alert has in any case."""


def alertmanager_body(notification: Notification, receiver: str) -> bytes:
    """The body of a notification, of one alert or several, below 20 KB.

    Where it would be larger, these are given up one after the other until it fits: the annotations
    with links (`generatorURL` stays), the ends of plays and of sentences, all other annotations but
    the score, the last alerts, which `truncatedAlerts` counts.
    """
    alerts = [_alert(each, notification) for each in notification.alerts]
    body = _encode(notification, receiver, alerts)
    for smaller in _TRIMS:
        if len(body) < MAX_BODY_BYTES:
            return body
        alerts = [{**each, "annotations": smaller(each["annotations"])} for each in alerts]
        body = _encode(notification, receiver, alerts)
    while len(body) >= MAX_BODY_BYTES and len(alerts) > 1:
        alerts.pop()
        body = _encode(notification, receiver, alerts)
    return body


def _encode(notification: Notification, receiver: str, alerts: list[dict[str, Any]]) -> bytes:
    left_out = len(notification.alerts) - len(alerts)
    key, group = _group(notification)
    body = {
        "version": "4",
        "groupKey": key,
        "truncatedAlerts": notification.also_firing + left_out,
        "status": "firing" if notification.is_firing else "resolved",
        "receiver": receiver,
        "groupLabels": group,
        "commonLabels": _common(each["labels"] for each in alerts),
        "commonAnnotations": _common(each["annotations"] for each in alerts),
        "externalURL": "",
        "alerts": alerts,
    }
    return json.dumps(body, ensure_ascii=False).encode()


def _group(notification: Notification) -> tuple[str, dict[str, str]]:
    """The group's key, in Alertmanager's form: its route, then its labels; and those labels.

    Whoever is told takes what has one key for one group, and its end for the end of all of it. So
    the key of an alert that is told alone has its id, and that of a group has the group's.
    """
    route = f'/{{group="{notification.group_id}"}}' if notification.group_id else ""
    if notification.group or notification.group_id:
        keyed = dict(notification.group)
        group = {name: value for name, value in keyed.items() if name != "alert"}
    else:
        labels = labels_of(notification.alert)
        group = {name: labels[name] for name in ("account", "alertname")}
        keyed = {**group, "alert": notification.alert.id}
    said = ", ".join(f"{name}={json.dumps(value)}" for name, value in sorted(keyed.items()))
    return f"{{}}{route}:{{{said}}}", group


def _alert(alert: Alert, notification: Notification) -> dict[str, Any]:
    labels = labels_of(alert)
    return {
        "status": alert.status,
        "labels": labels,
        "annotations": annotations_of(alert, notification),
        "startsAt": format_ms(alert.started_at),
        "endsAt": _NEVER if alert.status == "firing" else format_ms(alert.at),
        "generatorURL": notification.links.get(alert.id, {}).get("alert", ""),
        "fingerprint": fingerprint(labels),
    }


def _common(each_of: Iterable[dict[str, str]]) -> dict[str, str]:
    first, *others = each_of
    return {
        name: value
        for name, value in first.items()
        if all(each.get(name) == value for each in others)
    }


def _without_links(told: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in told.items() if not name.startswith("link_")}


def _essential(told: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in told.items() if name in _ESSENTIAL}


def _shortened(name: str, told: dict[str, str]) -> dict[str, str]:
    return told | {name: cut(told[name], _SHORT)} if name in told else told


_TRIMS: Final[tuple[Callable[[dict[str, str]], dict[str, str]], ...]] = (
    _without_links,
    partial(_shortened, "play"),
    partial(_shortened, "summary"),
    _essential,
)
