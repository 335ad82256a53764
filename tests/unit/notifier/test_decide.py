from dataclasses import replace

import pytest

from pulse.model import Alert
from pulse.notifier.decide import (
    Decision,
    Firing,
    Lane,
    Standing,
    after_attempt,
    on_arrival,
    wants,
)
from pulse.notifier.delivery import Delivery, State
from pulse.notifier.receiver import Attempt, Outcome, ReceiverSettings, Verdict
from pulse.testing.alerts import sample_alert

RECEIVER = ReceiverSettings(name="cs", url="http://x", schedule_s=(0, 5), jitter=0)
ALL = Lane(Firing.UNKNOWN, False)


def decide(
    alert: Alert, lane: Lane, receiver: ReceiverSettings = RECEIVER, *, disabled: bool = False
) -> Decision:
    return on_arrival(alert, lane, receiver, disabled=disabled)


def firing(**changes: object) -> Alert:
    return sample_alert("acme", "firing", **changes)


def resolved(**changes: object) -> Alert:
    return sample_alert("acme", "resolved", **changes)


@pytest.mark.parametrize(
    ("lane", "expected"),
    [
        (Lane(Firing.UNKNOWN, False), Decision(State.PENDING, "routed")),
        (Lane(Firing.UNKNOWN, True), Decision(State.SUPERSEDED, "already_resolved")),
        *(
            (Lane(known, known_too), Decision(None, "repeat"))
            for known in Firing
            if known is not Firing.UNKNOWN
            for known_too in (True, False)
        ),
    ],
)
def test_a_firing(lane: Lane, expected: Decision) -> None:
    assert decide(firing(), lane) == expected


@pytest.mark.parametrize(
    ("lane", "expected"),
    [
        (Lane(Firing.UNKNOWN, False), Decision(State.SKIPPED, "firing_unknown")),
        (
            Lane(Firing.UNTRIED, False),
            Decision(State.SKIPPED, "firing_not_sent", "resolved_before_sent"),
        ),
        (
            Lane(Firing.TRIED, False),
            Decision(State.PENDING, "routed", "resolved_before_delivered"),
        ),
        (Lane(Firing.IN_FLIGHT, False), Decision(State.PENDING, "routed")),
        (Lane(Firing.TOLD, False), Decision(State.PENDING, "routed")),
        (Lane(Firing.NOT_TOLD, False), Decision(State.SKIPPED, "firing_not_sent")),
        *((Lane(known, True), Decision(None, "repeat")) for known in Firing),
    ],
)
def test_a_resolving(lane: Lane, expected: Decision) -> None:
    assert decide(resolved(), lane) == expected


def test_history_is_recorded_and_never_sent() -> None:
    assert decide(firing(historical=True), ALL) == Decision(State.SKIPPED, "historical")
    assert decide(resolved(historical=True), Lane(Firing.TRIED, False)) == Decision(
        State.SKIPPED, "historical", "resolved_before_delivered"
    )


def test_what_the_configuration_caused_is_recorded_and_not_sent_alone() -> None:
    caused = {"caused_by": "configuration"}

    assert decide(firing(**caused), ALL) == Decision(State.SKIPPED, "configuration")
    assert decide(resolved(), Lane(Firing.NOT_TOLD, False)).state is State.SKIPPED
    # Who was told that it began waits for the end, whatever caused it.
    assert decide(resolved(**caused), Lane(Firing.TOLD, False)).state is State.PENDING


def test_only_the_reasons_a_receiver_wants_are_routed() -> None:
    receiver = replace(RECEIVER, reasons=("silence", "payment_*"))

    assert decide(firing(reason="danger"), ALL, receiver) == Decision(None, "reason_not_wanted")
    assert decide(resolved(reason="danger"), ALL, receiver) == Decision(None, "reason_not_wanted")
    assert decide(firing(reason="payment_failed"), ALL, receiver).state is State.PENDING
    assert wants(receiver, "silence")
    assert not wants(receiver, "Silence")


def test_a_load_is_recorded_and_what_receivers_know_of_is_told_at_its_end() -> None:
    caused = {"caused_by": "load"}

    assert decide(firing(**caused), ALL) == Decision(State.SKIPPED, "load")
    assert decide(resolved(), Lane(Firing.NOT_TOLD, False)).state is State.SKIPPED
    assert decide(resolved(), Lane(Firing.TOLD, False)).state is State.PENDING


@pytest.mark.parametrize(
    ("patterns", "counted", "state"),
    [
        (("danger",), {}, State.PENDING),
        (("digest",), {}, State.PENDING),
        (("payment_*",), {"payment_failed": 1}, State.PENDING),
        (("payment_*",), {"bug_open": 1}, None),
    ],
)
def test_who_gets_what_a_digest_stands_for_gets_the_digest(
    patterns: tuple[str, ...], counted: dict[str, int], state: State | None
) -> None:
    receiver = replace(RECEIVER, reasons=patterns)
    digest = firing(reason="digest", evidence={"by_reason": counted})

    assert decide(digest, ALL, receiver).state is state


def test_who_was_told_is_told_the_end_even_if_the_patterns_changed_meanwhile() -> None:
    receiver = replace(RECEIVER, reasons=("silence",))

    assert decide(resolved(), Lane(Firing.TOLD, False), receiver).state is State.PENDING


def test_a_receiver_without_resolvings_still_has_its_firing_superseded() -> None:
    receiver = replace(RECEIVER, send_resolved=False)

    assert decide(resolved(), Lane(Firing.TOLD, False), receiver) == Decision(
        State.SKIPPED, "resolved_not_wanted"
    )
    assert decide(resolved(), Lane(Firing.TRIED, False), receiver) == Decision(
        State.SKIPPED, "resolved_not_wanted", "resolved_before_delivered"
    )


def test_a_disabled_endpoint_gets_nothing() -> None:
    assert decide(firing(), ALL, disabled=True).state is State.DISABLED
    assert decide(resolved(), Lane(Firing.TOLD, False), disabled=True).state is State.DISABLED


PENDING = Delivery(
    id="al_x_cs_firing",
    alert_id="al_x",
    receiver="cs",
    status="firing",
    state=State.PENDING,
    at_ms=1_000,
    created_ms=1_000,
    due_ms=900,
    next_ms=1_000,
    origin="pulse.alerts/0/0",
    epoch=1,
    alert=b"{}",
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
        Standing(superseded=superseded, disabled=disabled),
        RECEIVER,
        2_500,
    )


def test_a_delivery_that_succeeds_lets_its_alert_go() -> None:
    after = ended(Verdict.DELIVERED, superseded=True, disabled=True)

    assert (after.state, after.attempts, after.next_ms) == (State.SUCCEEDED, 1, None)
    assert after.alert is None
    assert after.first_attempt_ms == 2_000


def test_a_delivery_is_tried_until_the_schedule_is_used_up() -> None:
    once = ended(Verdict.RETRY)
    twice = ended(Verdict.RETRY, once)

    assert (once.state, once.attempts, once.next_ms) == (State.RETRYING, 1, 7_500)
    assert once.reason == "http_503"
    assert (twice.state, twice.attempts, twice.next_ms) == (State.FAILED, 2, None)
    assert twice.alert == b"{}"
    assert twice.first_attempt_ms == 2_000


@pytest.mark.parametrize("verdict", [Verdict.RETRY, Verdict.THROTTLED])
def test_what_is_not_worth_another_attempt(verdict: Verdict) -> None:
    assert ended(verdict, superseded=True).state is State.SUPERSEDED
    assert ended(verdict, disabled=True).state is State.DISABLED
    assert ended(Verdict.GONE).state is State.DISABLED
