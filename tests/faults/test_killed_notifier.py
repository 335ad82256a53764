"""`kill -9` of the notifier: what it sent and did not log is sent again, with the same id."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from pulse.model import notification_id

from .scenes import receivers

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulse.testing.webhooks import WebhookReceiver

    from .scenes import Scene

pytestmark = pytest.mark.timeout(480)


def test_between_sending_logging_and_committing(
    make_scene: Callable[..., Scene], receiver: WebhookReceiver
) -> None:
    scene = make_scene(**receivers(receiver.url))
    scene.play(injuries=2)
    scene.worker().start()
    notifier = scene.notifier()
    for step, number in (("sent", 8), ("logged", 8)):
        notifier.dies_at = (step, number)
        notifier.launch()
        death = notifier.wait_for_death()
        assert death.step == step
        states = scene.system.deliveries()
        unsettled = {key for key, state in states.items() if state in ("pending", "retrying")}
        unread = alerts_until(scene, death.at_ms) - set(states)
        assert unsettled | unread, f"nothing was undone when it died at {step}"
        if step == "sent":
            # What was answered and not logged is what comes again.
            answered = unsettled & receiver.delivered_ids
            assert answered
        notifier.dies_at = None
        scene.inflict()
    notifier.start()
    scene.finish()
    truth = scene.assert_exact()
    scene.assert_delivered(truth, receiver)
    # Twice, with the same id, or not again because the alert had ended.
    states = scene.system.deliveries()
    assert answered <= set(receiver.repeated_ids) | {
        k for k in answered if states[k] == "superseded"
    }


def alerts_until(scene: Scene, at_ms: int) -> set[str]:
    """The ids of the notifications for the alerts that there were by then."""
    alerts = [
        msgspec.json.decode(record.value)
        for record in scene.system.read("alerts")
        if record.timestamp <= at_ms
    ]
    return {notification_id(alert["id"], "cs", alert["status"]) for alert in alerts}
