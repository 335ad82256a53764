"""The body of a webhook as Alertmanager posts it, version 4, for what already understands that.

https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pulse.model import Alert, format_ms
from pulse.notifier.receiver import Notification
from pulse.notifier.receivers.prometheus import annotations_of, fingerprint, labels_of

_NEVER: Final = "0001-01-01T00:00:00Z"
"""What Go writes for an instant that is not set: `endsAt` of what fires."""


def alertmanager_body(notification: Notification, receiver: str) -> bytes:
    """The body of a notification, of one alert or several."""
    alerts = [_alert(each, notification.links.get(each.id, {})) for each in notification.alerts]
    group = {name: value for name, value in notification.group if name != "alert"}
    key = ", ".join(f"{name}={json.dumps(value)}" for name, value in sorted(notification.group))
    body = {
        "version": "4",
        "groupKey": f"{{}}:{{{key}}}",
        "truncatedAlerts": notification.also_firing,
        "status": "firing" if notification.is_firing else "resolved",
        "receiver": receiver,
        "groupLabels": group,
        "commonLabels": _common(each["labels"] for each in alerts),
        "commonAnnotations": _common(each["annotations"] for each in alerts),
        "externalURL": "",
        "alerts": alerts,
    }
    return json.dumps(body, ensure_ascii=False).encode()


def _alert(alert: Alert, links: Mapping[str, str]) -> dict[str, Any]:
    labels = labels_of(alert)
    return {
        "status": alert.status,
        "labels": labels,
        "annotations": annotations_of(alert, links),
        "startsAt": format_ms(alert.started_at),
        "endsAt": _NEVER if alert.status == "firing" else format_ms(alert.at),
        "generatorURL": links.get("alert", ""),
        "fingerprint": fingerprint(labels),
    }


def _common(each_of: Iterable[dict[str, str]]) -> dict[str, str]:
    first, *others = each_of
    return {
        name: value
        for name, value in first.items()
        if all(each.get(name) == value for each in others)
    }
