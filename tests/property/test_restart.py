"""Whatever write was the last one before a crash, and whoever wrote over it: nothing changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.engine import Engine, PartitionState
from pulse.stream import pages
from pulse.stream.pages import Snapshot, write_manifest, write_pages

from .histories import POLICIES, Item, histories, log_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pulse.engine import Policy
    from pulse.model import Alert
    from pulse.stream.pages import ChangelogRecord
    from pulse.testing.histories import LogEntry

policies = st.sampled_from(POLICIES)
PARTITIONS = 4


@pytest.fixture(autouse=True, scope="module")
def _small_parts() -> Iterator[None]:
    """Some pages have more than one part, so that a crash can fall between two."""
    large, pages.PART_BYTES = pages.PART_BYTES, 600
    yield
    pages.PART_BYTES = large


@dataclass
class Kafka:
    """What is outside a worker: the log, the changelog, the alerts."""

    log: Sequence[LogEntry]
    changelog: list[ChangelogRecord] = field(default_factory=list)
    alerts: dict[tuple[str, str], Alert] = field(default_factory=dict)

    def take(self, alerts: Sequence[Alert]) -> None:
        """An alert may come again, but only the same."""
        for alert in alerts:
            assert self.alerts.setdefault((alert.id, alert.status), alert) == alert


class Worker:
    """Takes the partition up where the changelog leaves it."""

    def __init__(self, policy: Policy, kafka: Kafka, page_accounts: int) -> None:
        self.kafka = kafka
        self.engine = Engine(policy, least_slice=0)
        self.state = PartitionState(0, page_accounts=page_accounts, page_bytes=1_200)
        snapshot = Snapshot()
        for key, value in kafka.changelog:
            snapshot.take(key, value)
        manifest = snapshot.manifest(PARTITIONS)
        if manifest is not None:
            snapshot.restore(self.engine, self.state, manifest)

    def work(self, records: int) -> None:
        """Apply some records; what they cause is acknowledged before anything else is written."""
        start = self.state.position
        batch = self.kafka.log[start : start + records]
        self.kafka.take(self.engine.apply(self.state, batch).alerts)

    def flush(self, writes: int | None = None) -> bool:
        """Write the state, or only so many records of it; whether that was all."""
        records = [
            *write_pages(self.state),
            write_manifest(self.state, PARTITIONS, "0" * 12, 0),
        ]
        self.kafka.changelog += records[:writes]
        return writes is None or writes >= len(records)

    def finish(self) -> dict[str, dict[str, Any]]:
        """Apply the rest; every account as of the clock."""
        self.work(len(self.kafka.log))
        self.kafka.take(self.engine.settle(self.state))
        clock_ms = self.state.clock_ms or 0
        accounts = sorted((name, self.state.account(name)) for name in self.state.ids())
        return {name: self.engine.status(account, clock_ms) for name, account in accounts}


def undisturbed(policy: Policy, kafka: Kafka) -> tuple[dict[Any, Alert], dict[str, Any]]:
    """Alerts and statuses of a worker to which nothing happens."""
    calm = Kafka(kafka.log)
    statuses = Worker(policy, calm, 64).finish()
    return calm.alerts, statuses


@given(
    policies,
    histories,
    st.integers(1, 3),
    st.lists(st.tuples(st.integers(1, 20), st.none() | st.integers(0, 6)), max_size=8),
)
def test_a_crash_after_any_write_changes_nothing(
    policy: Policy,
    items: list[Item],
    page_accounts: int,
    turns: list[tuple[int, int | None]],
) -> None:
    kafka = Kafka(log_of(items).records)
    worker = Worker(policy, kafka, page_accounts)
    for records, writes in turns:
        worker.work(records)
        if not worker.flush(writes):
            worker = Worker(policy, kafka, page_accounts)

    statuses = worker.finish()
    assert (kafka.alerts, statuses) == undisturbed(policy, kafka)


@given(
    policies,
    histories,
    st.integers(1, 3),
    st.tuples(*[st.integers(0, 30)] * 4),
    st.integers(0, 8),
)
def test_a_worker_that_was_thought_dead_changes_nothing(
    policy: Policy, items: list[Item], page_accounts: int, works: tuple[int, ...], writes: int
) -> None:
    kafka = Kafka(log_of(items).records)
    old = Worker(policy, kafka, page_accounts)
    old.work(works[0])
    old.flush()
    new = Worker(policy, kafka, page_accounts)
    new.work(works[1])
    new.flush()
    old.work(works[2])
    old.flush(writes)
    next_one = Worker(policy, kafka, page_accounts)
    next_one.work(works[3])
    next_one.flush()
    last = Worker(policy, kafka, page_accounts)

    statuses = last.finish()
    assert (kafka.alerts, statuses) == undisturbed(policy, kafka)


@given(policies, histories, st.integers(0, 60))
def test_reading_on_from_further_back_changes_nothing(
    policy: Policy, items: list[Item], back: int
) -> None:
    # The group's commit is only a hint: what a page holds already is skipped.
    kafka = Kafka(log_of(items).records)
    worker = Worker(policy, kafka, 2)
    worker.work(len(kafka.log) // 2)
    worker.flush()
    worker = Worker(policy, kafka, 2)
    position = worker.state.position
    start = max(position - back, 0)
    letters = worker.engine.apply(worker.state, kafka.log[start:position]).dead_letters
    assert letters == []
    assert worker.state.position == position

    statuses = worker.finish()
    assert (kafka.alerts, statuses) == undisturbed(policy, kafka)
