"""What the deliveries topic says, as the API and the page show it: notifications, alerts' ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from pulse.alerting.records.reader import Deliveries
from pulse.model.time import format_ms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulse.alerting.records.delivery import Delivery, Step

log = structlog.get_logger("pulse.web")


class DeliveryBook:
    """Notifications, and each alert's way through the pipeline. It is as large as the notifier's
    memory: what that forgets is forgotten here.
    """

    def __init__(self) -> None:
        self._said = Deliveries()

    def take(self, key: bytes, value: bytes | None) -> None:
        """A record of the deliveries topic."""
        try:
            self._said.read(key.decode(), value)
        except (ValueError, UnicodeDecodeError) as error:
            log.warning("a record among the deliveries is none", key=key[:80], error=str(error))

    def path(self, alert_id: str) -> tuple[Step, ...]:
        """The last decisions on an alert, in their order: why it was sent, or was not."""
        found = self._said.alerts.get(alert_id)
        return () if found is None else found.beside.path

    def __iter__(self) -> Iterator[Delivery]:
        """Those of now, whatever comes while somebody goes through them."""
        return iter(list(self._said.notifications.values()))


def view(delivery: Delivery) -> dict[str, Any]:
    """A notification as the API shows it."""
    return {
        "id": delivery.id,
        "receiver": delivery.receiver,
        "state": delivery.state.value,
        "at": format_ms(delivery.at_ms),
        "created_at": format_ms(delivery.created_ms),
        "alerts": [{"id": name, "status": status} for name, status in delivery.alerts],
        "attempts": delivery.attempts,
        "next_at": None if delivery.next_ms is None else format_ms(delivery.next_ms),
        "reason": delivery.reason,
        "http_status": delivery.http_status,
        "is_digest": delivery.is_digest,
        "is_late": delivery.is_late,
        "replay_of": delivery.replay_of or None,
    }


def step_view(step: Step) -> dict[str, Any]:
    """A decision as the API shows it."""
    return {
        "at": format_ms(step.at_ms),
        "receiver": step.receiver,
        "stage": step.stage,
        "reason": step.reason,
        "until": None if step.until_ms is None else format_ms(step.until_ms),
    }
