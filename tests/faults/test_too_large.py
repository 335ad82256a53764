"""Records and accounts that are larger than anybody planned for."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import msgspec
import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from pulse.testing.histories import usage
from pulse.testing.paced import HOUR_MS, START_MS
from pulse.testing.truth import Truth

from .scenes import WORKER, Small, metric, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pulse.testing.kafka import KafkaServer

pytestmark = pytest.mark.timeout(480)

USERS = 1_000_000
A_RECORD = 500


@pytest.fixture
def small(kafka: KafkaServer, tmp_path: Path, unique: str) -> Iterator[Small]:
    small = Small(kafka.bootstrap, tmp_path, unique)
    yield small
    small.close()


def write_users(small: Small, count: int, hours: int) -> None:
    """One event of each of so many users of `acme`, spread over so many hours with their ticks."""
    chance = random.Random(1)
    done = 0
    for hour in range(hours):
        at_ms = START_MS + hour * HOUR_MS
        until = count * (hour + 1) // hours
        while done < until:
            lines = [
                usage(f"e{n}", "acme", at_ms + n % HOUR_MS, user_id=f"{chance.getrandbits(64):x}")
                for n in range(done, min(done + A_RECORD, until))
            ]
            small.event(b"\n".join(lines))
            done += len(lines)
        small.tick(at_ms + HOUR_MS)
    small.flush()


def test_a_page_beyond_the_size_of_a_message_is_refused_until_it_is_permitted(
    small: Small,
) -> None:
    topic = small.system.config.kafka.topics.changelog
    permit(small, topic, 20_000)
    write_users(small, 9_000, 10)
    worker = small.system.process("work", **WORKER)
    worker.launch()
    assert worker.wait(120) != 0
    said = worker.log_path.read_text()
    assert "Kafka refused a record as too large" in said
    assert "max.message.bytes" in said
    assert "Traceback" not in said
    permit(small, topic, 1 << 20)
    worker.kill()
    worker.start()
    small.tick(START_MS + 11 * HOUR_MS)
    small.flush()
    small.system.wait_until_applied()
    truth = Truth.of(small.system)
    truth.assert_holds(small.system)
    assert truth.events_counted() == {"acme": 9_000}


def test_an_account_with_a_million_users(small: Small) -> None:
    worker = small.system.process("work", **WORKER | {"fetch_records": 500})
    write_users(small, USERS, 24 * 40)
    worker.start()
    # Kafka may take longer to say how far it is than the worker takes for all of it.
    wait_for(lambda: metric(worker, "pulse_events_total") > USERS / 10)
    wait_for(lambda: metric(worker, "pulse_commit_seconds_count") > 0)
    worker.kill()
    assert small.system.applied() < small.system.written()
    worker.start()
    small.system.wait_until_applied(within_s=200)
    truth = Truth.of(small.system)
    truth.assert_holds(small.system)
    status = msgspec.json.decode(truth.accounts[0])
    measures = status["measures"]
    assert measures["events"]["84d"] == USERS
    assert any("users" in name for name in status["approximate"])
    assert measures["active_users"]["84d"] == pytest.approx(USERS, rel=0.05)


def permit(small: Small, topic: str, size_bytes: int) -> None:
    """Set the largest record batch that the topic takes."""
    admin = KafkaAdminClient(bootstrap_servers=small.system.bootstrap)
    change = ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": str(size_bytes)})

    def is_done() -> bool:
        try:
            admin.alter_configs([change])
        except ValueError:  # a topic that is new is not known everywhere yet
            return False
        return True

    wait_for(is_done)
    admin.close()
