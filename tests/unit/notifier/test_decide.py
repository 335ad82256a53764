import pytest

from pulse.alerting.records.delivery import Delivery, State
from pulse.notifier.receiver import Attempt, Outcome, ReceiverSettings, Verdict
from pulse.notifier.sending.decide import Circumstances, after_attempt

RECEIVER = ReceiverSettings(name="cs", url="http://x", schedule_s=(0, 5), jitter=0)

PENDING = Delivery(
    id="al_x_cs_firing",
    group="gr_x",
    receiver="cs",
    alerts=(("al_x", "firing"),),
    labels=(("alert", "al_x"),),
    state=State.PENDING,
    at_ms=1_000,
    created_ms=1_000,
    due_ms=900,
    next_ms=1_000,
)


def ended(
    verdict: Verdict,
    delivery: Delivery = PENDING,
    *,
    superseded: bool = False,
    disabled: bool = False,
) -> Delivery:
    return after_attempt(
        delivery,
        Attempt(delivery.attempts + 1, 2_000),
        Outcome(verdict, "http_503", 503),
        Circumstances(superseded=superseded, disabled=disabled),
        RECEIVER,
        2_500,
    )


def test_a_delivery_that_succeeds_is_done_whatever_came_meanwhile() -> None:
    after = ended(Verdict.DELIVERED, superseded=True, disabled=True)

    assert (after.state, after.attempts, after.next_ms) == (State.SUCCEEDED, 1, None)
    assert after.first_attempt_ms == 2_000


def test_a_delivery_is_tried_until_the_schedule_is_used_up() -> None:
    once = ended(Verdict.RETRY)
    twice = ended(Verdict.RETRY, once)

    assert (once.state, once.attempts, once.next_ms) == (State.RETRYING, 1, 7_500)
    assert once.reason == "http_503"
    assert (twice.state, twice.attempts, twice.next_ms) == (State.FAILED, 2, None)
    assert twice.first_attempt_ms == 2_000


@pytest.mark.parametrize("verdict", [Verdict.RETRY, Verdict.THROTTLED])
def test_what_is_not_worth_another_attempt(verdict: Verdict) -> None:
    assert ended(verdict, superseded=True).state is State.SUPERSEDED
    assert ended(verdict, disabled=True).state is State.DISABLED
    assert ended(Verdict.GONE).state is State.DISABLED


def test_what_is_nowhere_any_more_is_not_looked_for_again() -> None:
    lost = Outcome(Verdict.RETRY, "alert_lost")
    meanwhile = Circumstances(superseded=False, disabled=False)

    after = after_attempt(PENDING, Attempt(1, 2_000), lost, meanwhile, RECEIVER, 2_500)

    assert (after.state, after.reason, after.next_ms) == (State.FAILED, "alert_lost", None)
