"""When a notification is tried again. Pure: the time and the seed of the jitter are given.

The schedule holds the waits before the first, the second, … attempt; when it is used up the
notification has failed. A wait that the endpoint asked for with `Retry-After` takes the place of
the schedule's and uses none of it up, for as long as the schedule as a whole would have lasted;
from then on each attempt uses one wait, so that an endpoint cannot put it off for ever.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from pulse.notifier.receiver import Outcome, ReceiverSettings, Verdict

_SHORTEST_RETRY_AFTER_S: Final = 1.0
"""`Retry-After: 0` shall not become a busy loop."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a notification is: attempts made, waits of the schedule used up, when it began."""

    attempts: int
    step: int
    first_attempt_ms: int


@dataclass(frozen=True, slots=True)
class Retry:
    """The next attempt: when it is due, and the waits that are used up then."""

    at_ms: int
    step: int


def first_attempt_ms(receiver: ReceiverSettings, notification_id: str, now_ms: int) -> int:
    """When the first attempt is due."""
    wait_s = receiver.schedule_s[0]
    return now_ms + round(1000 * _jittered(wait_s, receiver.jitter, f"{notification_id}/1"))


def next_attempt(
    receiver: ReceiverSettings,
    notification_id: str,
    progress: Progress,
    outcome: Outcome,
    now_ms: int,
) -> Retry | None:
    """The next attempt after one that failed, or None where the schedule is used up.

    `progress` includes the attempt that failed.
    """
    seed = f"{notification_id}/{progress.attempts + 1}"
    span_ms = 1000 * sum(receiver.schedule_s)
    asked_s = outcome.retry_after_s if outcome.verdict is Verdict.THROTTLED else None
    keeps_step = asked_s is not None and now_ms - progress.first_attempt_ms < span_ms
    step = progress.step if keeps_step else progress.step + 1
    if step >= len(receiver.schedule_s):
        return None
    if asked_s is None:
        wait_s = _jittered(receiver.schedule_s[step], receiver.jitter, seed)
    else:
        # Never before what was asked for: the jitter only adds.
        wait_s = hold_s(receiver, asked_s) * (1 + receiver.jitter * _unit(seed))
    return Retry(at_ms=now_ms + round(1000 * wait_s), step=step)


def hold_s(receiver: ReceiverSettings, retry_after_s: float) -> float:
    """How long an endpoint is left alone that asked for it: between a second and the cap."""
    return min(max(retry_after_s, _SHORTEST_RETRY_AFTER_S), receiver.retry_after_cap_s)


def parse_retry_after(value: str | None, now_ms: int) -> float | None:
    """Seconds to wait by a `Retry-After` header, or None where it has none that can be read.

    >>> parse_retry_after("120", now_ms=0)
    120.0
    >>> parse_retry_after("Thu, 01 Jan 1970 00:01:00 GMT", now_ms=15_000)
    45.0
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        # More digits are more than any cap, and might be more than a float.
        return float(text[:12])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        # "-0000": an HTTP date is GMT, whatever it says.
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - now_ms / 1000)


def _jittered(wait_s: float, jitter: float, seed: str) -> float:
    """The wait with up to ± `jitter` of it, the same for the same seed."""
    return wait_s * (1 + jitter * (2 * _unit(seed) - 1))


def _unit(seed: str) -> float:
    """A number in [0, 1), the same for the same seed."""
    return int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=7).digest()) / 2**56
