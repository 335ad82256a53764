"""By default the pipeline sends what the naive way sends, with the same ids."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pulse.alerting.brief import brief_of
from pulse.alerting.pipeline import Pipeline
from pulse.alerting.records.delivery import State
from pulse.config import Config
from pulse.config.loading import read
from pulse.config.pipeline import pipeline_rules
from pulse.model import Alert, notification_id
from pulse.notifier.receiver import ReceiverSettings
from pulse.testing.alerts import sample_alert

from .lanes import Firing, Lane, on_arrival

CONFIG = read(
    Config,
    """
receivers:
  - {name: all, kind: webhook, url: 'https://a.example', secret_env: A}
  - {name: some, kind: webhook, url: 'https://b.example', secret_env: B, reasons: ["d*"],
     send_resolved: false}
""",
)
RECEIVERS = [
    ReceiverSettings(
        name=each.name, url="http://x", reasons=each.reasons, send_resolved=each.send_resolved
    )
    for each in CONFIG.receivers
]
STATES = st.builds(
    sample_alert,
    st.sampled_from(["acme", "beta"]),
    st.sampled_from(["firing", "resolved"]),
    reason=st.sampled_from(["danger", "silence", "fleet_falls"]),
    started_at_ms=st.sampled_from([1_700_000_000_000, 1_700_000_060_000]),
    historical=st.booleans(),
    caused_by=st.sampled_from([None, None, "load", "configuration"]),
)


def sent_before(alerts: list[Alert]) -> list[str]:
    """What is sent where every attempt is answered before the next alert comes."""
    lanes: dict[str, Lane] = {}
    sent: list[str] = []
    for alert in alerts:
        for receiver in RECEIVERS:
            key = f"{alert.id}_{receiver.name}"
            lane = lanes.get(key, Lane(Firing.UNKNOWN, resolved_known=False))
            decision = on_arrival(alert, lane, receiver, disabled=False)
            if decision.state is None:
                continue
            is_sent = decision.state is State.PENDING
            if is_sent:
                sent.append(notification_id(alert.id, receiver.name, alert.status))
            if alert.status == "resolved":
                lanes[key] = Lane(lane.firing, resolved_known=True)
            else:
                told = Firing.TOLD if is_sent else Firing.NOT_TOLD
                lanes[key] = Lane(told, lane.resolved_known)
    return sent


def sent_now(alerts: list[Alert]) -> list[str]:
    pipeline = Pipeline(pipeline_rules(CONFIG))
    sent: list[str] = []
    for now_ms, alert in enumerate(alerts):
        pipeline.take(brief_of(alert), now_ms)
        for notice in pipeline.flush(now_ms):
            assert pipeline.begins(notice.id, now_ms)
            sent.append(notice.id)
            pipeline.ended(notice.id, "delivered", now_ms)
    return sent


@given(st.lists(STATES, max_size=12))
def test_the_default_is_as_it_was(alerts: list[Any]) -> None:
    assert sent_now(alerts) == sent_before(alerts)
