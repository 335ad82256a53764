"""The emitter while there is no Kafka: what it refuses, and that it holds no more than it may."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from pulse.processes import free_port
from pulse.sdk import BadEventError, EmitError, Emitter, Limits

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMITS = Limits(buffer_bytes=10_000, max_block_s=0.3, deliver_within_s=60, exit_within_s=0)


@pytest.fixture
def alone() -> Iterator[Emitter]:
    emitter = Emitter(f"127.0.0.1:{free_port()}", source="web", limits=LIMITS)
    yield emitter
    try:
        emitter.close(0)
    except EmitError:
        return


def test_a_bad_event_is_refused_and_costs_nothing(alone: Emitter) -> None:
    with pytest.raises(BadEventError, match="value must be a number"):
        alone.event("acme", "run", value="3")  # type: ignore[arg-type]  # which is the mistake
    with pytest.raises(BadEventError, match="no field sets"):
        alone.profile("acme", sets=3)  # type: ignore[call-arg]  # which is the mistake
    alone.flush(0)


@pytest.mark.parametrize(
    ("brokers", "source", "said"),
    [
        ("localhost", "web", "is no broker address"),
        ([], "web", "brokers: "),
        ("localhost:9092", "", "source must have 1 to 256 characters"),
    ],
)
def test_a_mistake_in_how_it_is_made(brokers: str | list[str], source: str, said: str) -> None:
    with pytest.raises((EmitError, BadEventError), match=said):
        Emitter(brokers, source=source)


def test_what_waits_is_bounded_and_what_is_too_much_is_refused(alone: Emitter) -> None:
    taken = 30
    for _ in range(taken):
        alone.event("acme", "run", properties={"text": "x" * 160})
    began_s = time.monotonic()
    with pytest.raises(EmitError, match=r"not taken: [\d,]+ bytes wait for Kafka") as refused:
        alone.event("acme", "run", properties={"text": "x" * 1_000})
    assert time.monotonic() - began_s >= LIMITS.max_block_s
    assert "127.0.0.1" in str(refused.value)

    with pytest.raises(EmitError, match=f"{taken} were not delivered"):
        alone.flush(0.1)


def test_what_was_not_delivered_in_time_is_given_up_and_told() -> None:
    told: list[bytes] = []
    limits = Limits(deliver_within_s=0.1, max_block_s=0.1, exit_within_s=0)
    emitter = Emitter(
        f"127.0.0.1:{free_port()}", limits=limits, on_error=lambda lines, _: told.extend(lines)
    )
    emitter.event("acme", "run", id="e1")
    with pytest.raises(EmitError, match=r"1 were not delivered: no Kafka answers at 127\.0\.0\.1"):
        emitter.flush(30)

    assert b'"id":"e1"' in told[0]
    emitter.flush()  # it was said once
    emitter.close()
    with pytest.raises(EmitError, match="closed"):
        emitter.event("acme", "run")


def test_close_tells_what_still_waited() -> None:
    told: list[bytes] = []
    emitter = Emitter(f"127.0.0.1:{free_port()}", on_error=lambda lines, _: told.extend(lines))
    emitter.event("acme", "run")
    with pytest.raises(EmitError, match=r"1 were not delivered \(1 still wait\)"):
        emitter.close(0.2)

    assert len(told) == 1
