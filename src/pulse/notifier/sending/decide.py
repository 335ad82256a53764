"""What becomes of a notification when an attempt has ended. Pure, and the only place that decides.

`tests/unit/notifier/test_decide.py` holds the table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pulse.alerting.outgoing import Ending
from pulse.alerting.records.delivery import Delivery, State
from pulse.notifier.receiver import Attempt, Outcome, ReceiverSettings, Verdict
from pulse.notifier.sending import retry

_ENDED: Final[Mapping[State, Ending]] = {
    State.SUCCEEDED: "delivered",
    State.RETRYING: "retry",
    State.SUPERSEDED: "retry",
}


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What holds for a notification at the moment its attempt has ended."""

    superseded: bool
    """One of its alerts has another state by now."""
    disabled: bool
    """The endpoint wants no more notifications."""


def after_attempt(
    delivery: Delivery,
    attempt: Attempt,
    outcome: Outcome,
    meanwhile: Circumstances,
    receiver: ReceiverSettings,
    now_ms: int,
) -> Delivery:
    """The delivery after an attempt: succeeded, retrying, failed, superseded or disabled."""
    first_ms = delivery.first_attempt_ms
    tried = delivery.becomes(
        State.RETRYING,
        now_ms,
        attempts=attempt.number,
        first_attempt_ms=attempt.at_ms if first_ms is None else first_ms,
        http_status=outcome.http_status,
        reason=outcome.reason,
    )
    if outcome.verdict is Verdict.DELIVERED:
        # Why not all of it is, where that is so.
        but = "" if outcome.reason == "ok" else outcome.reason
        return tried.becomes(State.SUCCEEDED, now_ms, reason=but)
    if outcome.verdict is Verdict.GONE:
        return tried.becomes(State.DISABLED, now_ms)
    if meanwhile.superseded:
        return tried.becomes(State.SUPERSEDED, now_ms, reason="resolved_before_delivered")
    if meanwhile.disabled:
        return tried.becomes(State.DISABLED, now_ms, reason="endpoint_disabled")
    progress = retry.Progress(
        attempts=tried.attempts,
        step=tried.step,
        first_attempt_ms=attempt.at_ms if first_ms is None else first_ms,
    )
    following = retry.next_attempt(receiver, delivery.id, progress, outcome, now_ms)
    if following is None or outcome.reason == "alert_lost":
        return tried.becomes(State.FAILED, now_ms)
    return tried.becomes(State.RETRYING, now_ms, next_ms=following.at_ms, step=following.step)


def ending_of(delivery: Delivery) -> Ending:
    """What the pipeline is told of a notification's last attempt, or of none."""
    if delivery.state is State.DISABLED and not delivery.attempts:
        return "dropped"
    return _ENDED.get(delivery.state, "failed")
