"""State survives as bytes, whatever write was the last one."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pulse.config import Config
from pulse.config.policy import policy
from pulse.engine import Engine, PartitionState
from pulse.stream import pages
from pulse.stream.pages import Snapshot, StateError, write_manifest, write_pages

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pulse.stream.pages import ChangelogRecord

DAY_MS = 86_400_000
START_MS = 19_000 * DAY_MS


@dataclass
class Record:
    offset: int
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp: int | None = None


class Log:
    """A changelog in memory: what a compacted topic would keep."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes | None] = {}

    def write(self, records: Iterable[ChangelogRecord]) -> None:
        for key, value in records:
            self.values[key] = value

    def snapshot(self) -> Snapshot:
        snapshot = Snapshot()
        for key, value in self.values.items():
            snapshot.take(key, value)
        return snapshot


@pytest.fixture
def engine() -> Engine:
    return Engine(policy(Config()))


def history(days: int, accounts: int = 5, seed: int = 1, text: int = 0) -> list[Record]:
    """Events of some accounts, one tick a day; `text` lengthens the user ids."""
    chance = random.Random(seed)
    records: list[Record] = []
    for day in range(days):
        at_ms = START_MS + day * DAY_MS
        tick = b'{"type":"tick","ts":%d}' % at_ms
        records.append(Record(len(records), tick, (("pulse-control", b"tick"),)))
        for number in range(accounts):
            event = {
                "id": f"e{day}-{number}",
                "account_id": f"account-{number}",
                "user_id": f"user-{chance.getrandbits(64):x}" + "x" * text,
                "event": "report.run",
                "ts": at_ms + chance.randrange(3_600_000),
                "properties": {"value": chance.randrange(1000)},
            }
            records.append(Record(len(records), msgspec.json.encode(event)))
    return records


def write(state: PartitionState, log: Log) -> None:
    log.write(list(write_pages(state)))
    log.write([write_manifest(state, 4, "0" * 12, 1)])


def restored(engine: Engine, log: Log) -> PartitionState:
    snapshot = log.snapshot()
    manifest = snapshot.manifest(4)
    assert manifest is not None
    state = PartitionState(0)
    snapshot.restore(engine, state, manifest)
    return state


def statuses(engine: Engine, state: PartitionState) -> list[dict[str, Any]]:
    engine.settle(state)
    assert state.clock_ms is not None
    return [engine.status(state.account(name), state.clock_ms) for name in sorted(state.ids())]


def test_a_restored_state_goes_on_as_the_old_one(engine: Engine) -> None:
    records = history(60)
    state, log = PartitionState(0), Log()
    engine.apply(state, records[:200])
    write(state, log)
    again = restored(engine, log)
    assert again.position == state.position == 200
    first = engine.apply(state, records[200:]).alerts
    assert engine.apply(again, records[200:]).alerts == first
    assert statuses(engine, again) == statuses(engine, state)


def test_only_pages_that_changed_are_written(engine: Engine) -> None:
    state = PartitionState(0, page_accounts=1)
    engine.apply(state, history(1, accounts=3))
    assert len(list(write_pages(state))) == 3
    more = {"id": "n", "account_id": "account-1", "event": "x", "ts": START_MS + 1}
    engine.apply(state, [Record(4, msgspec.json.encode(more))])
    assert [key for key, _ in write_pages(state)] == [b"page/1/0/0"]


def test_a_page_ahead_of_the_manifest_skips_what_it_holds(engine: Engine) -> None:
    records = history(60)
    state, log = PartitionState(0), Log()
    engine.apply(state, records[:200])
    write(state, log)
    engine.apply(state, records[200:250])
    log.write(write_pages(state))  # and the crash comes before the manifest
    again = restored(engine, log)
    assert again.position == 200
    effects = engine.apply(again, records[200:250])
    assert effects.counts["skipped"] == sum(not record.headers for record in records[200:250])
    engine.apply(state, records[250:])
    engine.apply(again, records[250:])
    assert statuses(engine, again) == statuses(engine, state)


def test_a_page_overwritten_by_an_older_one_is_made_again(engine: Engine) -> None:
    records = history(60)
    state, log, zombie = PartitionState(0, page_accounts=2), Log(), Log()
    engine.apply(state, records[:100])
    write(state, zombie)
    engine.apply(state, records[100:200])
    write(state, log)
    log.values[b"page/1/0/0"] = zombie.values[b"page/1/0/0"]
    again = restored(engine, log)
    assert again.position == 100
    engine.apply(again, records[100:])
    engine.apply(state, records[200:])
    assert statuses(engine, again) == statuses(engine, state)


def test_accounts_of_a_page_that_no_manifest_names_are_made_again(engine: Engine) -> None:
    records = history(60)
    state, log = PartitionState(0, page_accounts=2), Log()
    engine.apply(state, records[:3])  # a tick and two accounts: one page
    write(state, log)
    engine.apply(state, records[3:100])
    log.write(write_pages(state))
    again = restored(engine, log)
    assert sorted(again.ids()) == ["account-0", "account-1"]
    engine.apply(again, records[3:])
    engine.apply(state, records[100:])
    assert statuses(engine, again) == statuses(engine, state)


def test_a_crash_between_two_parts_leaves_the_former_version(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "PART_BYTES", 500)
    records = history(60)
    state, log = PartitionState(0), Log()
    engine.apply(state, records[:200])
    write(state, log)
    parts = [key for key in log.values if key.startswith(b"page/")]
    assert len(parts) > 2
    engine.apply(state, records[200:250])
    half = list(write_pages(state))
    log.write(half[: len(half) // 2])
    again = restored(engine, log)
    assert again.position == 200
    engine.apply(again, records[200:])
    engine.apply(state, records[250:])
    assert statuses(engine, again) == statuses(engine, state)


def test_sums_beyond_64_bits_survive(engine: Engine) -> None:
    state, log = PartitionState(0), Log()
    engine.apply(state, history(1))
    state.account("account-0").value.today = 1 << 80
    write(state, log)
    assert restored(engine, log).account("account-0").value.today == 1 << 80


def test_another_version_is_refused(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    state, log = PartitionState(0), Log()
    engine.apply(state, history(1))
    write(state, log)
    monkeypatch.setattr(pages, "STATE_VERSION", 3)
    with pytest.raises(StateError, match="written in version 2, this pulse reads 3"):
        log.snapshot().manifest(4)


def test_another_number_of_partitions_is_refused(engine: Engine) -> None:
    state, log = PartitionState(0), Log()
    engine.apply(state, history(1))
    write(state, log)
    with pytest.raises(StateError, match="made with 4 partitions, the events topic has 8"):
        log.snapshot().manifest(8)


def test_a_missing_page_is_refused(engine: Engine) -> None:
    state, log = PartitionState(0), Log()
    engine.apply(state, history(1))
    write(state, log)
    del log.values[b"page/0/0/0"]
    with pytest.raises(StateError, match="page 0 of the state is missing"):
        restored(engine, log)


@pytest.mark.xfail(
    strict=True,
    raises=StateError,
    reason="a worker that was thought dead and its successor write the same keys: a page in parts "
    "can lose both of its versions; the keys need the generation of who writes",
)
def test_parts_of_two_writers_leave_a_whole_version(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "PART_BYTES", 500)
    records = history(60)
    state, log = PartitionState(0), Log()
    engine.apply(state, records[:200])
    write(state, log)
    zombie, successor = restored(engine, log), restored(engine, log)
    for end in (240, 280):
        engine.apply(successor, records[200:end])
        write(successor, log)
        engine.apply(zombie, records[200 : end - 10])
        half = list(write_pages(zombie))
        log.write(half[: len(half) // 2])
    again = restored(engine, log)
    engine.apply(again, records[200:])
    engine.apply(successor, records[280:])
    assert statuses(engine, again) == statuses(engine, successor)
