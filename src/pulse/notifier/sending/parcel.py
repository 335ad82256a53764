"""A notification as it is sent, of its record and the alerts that it tells."""

from collections.abc import Mapping

from pulse.alerting.alert import EVERYBODY
from pulse.alerting.people.links import Links
from pulse.alerting.records.delivery import Delivery
from pulse.model import Alert
from pulse.notifier.receiver import Notification


def notification_of(
    delivery: Delivery,
    letters: Mapping[str, bytes],
    owners: Mapping[str, str],
    links: Links | None = None,
) -> Notification | None:
    """The notification, of alerts' JSON by id; None where there is none of them.

    An alert whose profile names no owner has the one that was chosen. Without `links` no page is
    linked to.
    """
    alerts = [
        _with_owner(Alert.model_validate_json(letters[alert_id]), owners.get(alert_id, ""))
        for alert_id, _ in delivery.alerts
        if alert_id in letters
    ]
    if not alerts:
        return None
    is_alone = [name for name, _ in delivery.labels] == ["alert"]
    return Notification(
        id=delivery.sent_as,
        alerts=tuple(alerts),
        group=() if is_alone else delivery.labels,
        group_id="" if is_alone else delivery.group,
        also_firing=delivery.also_firing,
        is_digest=delivery.is_digest,
        again=delivery.again,
        is_late=delivery.is_late,
        links={each.id: _linked(each, links, delivery.created_ms) for each in alerts}
        if links is not None
        else {},
    )


def _linked(alert: Alert, links: Links, now_ms: int) -> dict[str, str]:
    """The links of an alert: what is about no single account has no page, what ended no forms."""
    if alert.account_id == EVERYBODY:
        return {}
    # As of the notification, not of the attempt: the body is the same over all attempts.
    found = links.of(alert.id, alert.account_id, now_ms)
    return found if alert.status == "firing" else {k: found[k] for k in ("alert", "close")}


def _with_owner(alert: Alert, owner: str) -> Alert:
    if not owner or alert.profile.owner:
        return alert
    return alert.model_copy(update={"profile": alert.profile.model_copy(update={"owner": owner})})
