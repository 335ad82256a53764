"""What the notifier says of decisions and notifications, in the log and in the metrics."""

from typing import Any

import structlog

from pulse.alerting.brief import Decision
from pulse.alerting.records.delivery import Delivery, State
from pulse.model import format_ms
from pulse.notifier.metrics import NotifierMetrics
from pulse.notifier.receiver import Outcome, Verdict

log = structlog.get_logger("pulse.notifier")


class Reporter:
    """Says it. Neither line nor count ever holds a URL, a secret or a body."""

    def __init__(self, metrics: NotifierMetrics) -> None:
        self._metrics = metrics

    def decided(self, decision: Decision) -> None:
        """A stage of the pipeline has decided on an alert."""
        # Which silence it was is in the log: there may be many.
        reason = decision.reason.partition(":")[0]
        self._metrics.decisions.labels(decision.stage, decision.receiver, reason).inc()
        until = {} if decision.until_ms is None else {"until": format_ms(decision.until_ms)}
        log.debug(
            "decided",
            alert=decision.alert_id,
            receiver=decision.receiver or "all",
            stage=decision.stage,
            reason=decision.reason,
            **until,
        )

    def settled(self, delivery: Delivery) -> None:
        """A notification will not be sent, or not any more."""
        self._metrics.deliveries.labels(delivery.receiver, delivery.state.value).inc()

    def attempted(self, after: Delivery, outcome: Outcome) -> None:
        """An attempt has ended; `after` is what became of the notification."""
        self._metrics.deliveries.labels(after.receiver, after.state.value).inc()
        facts: dict[str, Any] = {
            "receiver": after.receiver,
            "id": after.id,
            "attempt": after.attempts,
        }
        if after.replay_of:
            facts["replay_of"] = after.replay_of
        if outcome.verdict is Verdict.DELIVERED:
            if after.reason:
                # Nothing that is tried again: those who took it would have it twice.
                self._metrics.attempt_failures.labels(after.receiver, after.reason).inc()
                log.warning(
                    "notification delivered, but not to all",
                    reason=after.reason,
                    detail=outcome.detail,
                    **facts,
                )
            else:
                log.info("notification delivered", status=outcome.http_status, **facts)
            due_s = max(0, after.at_ms - after.due_ms) / 1000
            self._metrics.due_to_webhook_seconds.observe(due_s)
            return
        self._metrics.attempt_failures.labels(after.receiver, outcome.reason).inc()
        facts["reason"] = outcome.reason
        if outcome.detail:
            facts["detail"] = outcome.detail
        if after.state is State.FAILED:
            log.error("notification failed; no attempt is left", **facts)
        elif after.next_ms is not None:
            wait_s = round((after.next_ms - after.at_ms) / 1000, 1)
            log.warning("attempt failed; it will be tried again", in_s=wait_s, **facts)
        else:
            log.warning("attempt failed; it is not tried again", state=after.state.value, **facts)

    def disabled(self, receiver: str, *, disabled: bool) -> None:
        """Whether a receiver's endpoint is disabled."""
        self._metrics.disabled.labels(receiver).set(1 if disabled else 0)
