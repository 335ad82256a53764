import pytest

from pulse.notifier.receiver import Outcome, ReceiverSettings, Verdict
from pulse.notifier.sending.retry import (
    Progress,
    Retry,
    first_attempt_ms,
    hold_s,
    next_attempt,
    parse_retry_after,
)

NOW_MS = 1_700_000_000_000
FAILED = Outcome(Verdict.RETRY, "http_500", 500)
RECEIVER = ReceiverSettings(name="cs", url="http://x", schedule_s=(0, 5, 300), jitter=0)


def throttled(retry_after_s: float | None) -> Outcome:
    return Outcome(Verdict.THROTTLED, "http_429", 429, retry_after_s=retry_after_s)


def after(step: int, outcome: Outcome = FAILED, *, elapsed_ms: int = 0) -> Retry | None:
    progress = Progress(step + 1, step, NOW_MS - elapsed_ms)
    return next_attempt(RECEIVER, "n", progress, outcome, NOW_MS)


def test_attempts_follow_the_schedule_to_its_end() -> None:
    assert first_attempt_ms(RECEIVER, "n", NOW_MS) == NOW_MS
    assert after(0) == Retry(NOW_MS + 5_000, 1)
    assert after(1) == Retry(NOW_MS + 300_000, 2)
    assert after(2) is None


def test_the_jitter_is_bounded_and_the_same_for_the_same_attempt() -> None:
    receiver = ReceiverSettings(name="cs", url="http://x", schedule_s=(0, 100), jitter=0.2)
    waits_ms = []
    for number in range(200):
        progress = Progress(1, 0, NOW_MS)
        retry = next_attempt(receiver, f"n{number}", progress, FAILED, NOW_MS)
        assert retry == next_attempt(receiver, f"n{number}", progress, FAILED, NOW_MS)
        assert retry is not None
        waits_ms.append(retry.at_ms - NOW_MS)

    assert min(waits_ms) >= 80_000
    assert max(waits_ms) <= 120_000
    assert max(waits_ms) - min(waits_ms) > 30_000


def test_the_endpoints_own_wait_takes_the_place_of_the_schedules() -> None:
    assert after(0, throttled(60)) == Retry(NOW_MS + 60_000, 0)
    assert after(0, throttled(2)) == Retry(NOW_MS + 2_000, 0)


def test_an_endpoints_wait_is_never_shortened_by_jitter() -> None:
    receiver = ReceiverSettings(name="cs", url="http://x", schedule_s=(0, 5), jitter=0.5)
    for number in range(50):
        retry = next_attempt(receiver, f"n{number}", Progress(1, 0, NOW_MS), throttled(10), NOW_MS)
        assert retry is not None
        assert 10_000 <= retry.at_ms - NOW_MS <= 15_000


def test_throttling_for_longer_than_the_schedule_ends_it_too() -> None:
    span_ms = 305_000
    assert after(0, throttled(60), elapsed_ms=span_ms - 1) == Retry(NOW_MS + 60_000, 0)
    assert after(0, throttled(60), elapsed_ms=span_ms) == Retry(NOW_MS + 60_000, 1)
    assert after(2, throttled(60), elapsed_ms=span_ms) is None


def test_throttling_without_a_wait_is_a_failure_like_others() -> None:
    assert after(0, throttled(None)) == Retry(NOW_MS + 5_000, 1)
    assert after(2, throttled(None)) is None


def test_an_absurd_wait_is_capped_and_none_is_a_second() -> None:
    assert hold_s(RECEIVER, 10.0**9) == 3600
    assert hold_s(RECEIVER, 0) == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("9" * 400, 999_999_999_999.0),
        ("Tue, 14 Nov 2023 22:14:00 GMT", 40.0),
        ("Tuesday, 14-Nov-23 22:14:00 GMT", 40.0),
        ("Tue, 14 Nov 2023 22:14:00 -0000", 40.0),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0.0),
        (None, None),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("٣", None),
        ("Tue, 99 Nov 2023 22:14:00 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date(
    header: str | None, seconds: float | None
) -> None:
    assert parse_retry_after(header, NOW_MS) == seconds
