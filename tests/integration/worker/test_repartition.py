"""`pulse repartition` on Apache Kafka: workers go on with another number of partitions as if there
had always been so many, and as a replay of files that knows no partitions.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
from typing import TYPE_CHECKING

import msgspec
import pytest
from kafka import KafkaProducer

from pulse.collector.links import Link
from pulse.config.policy import policy
from pulse.engine import Engine, control
from pulse.errors import PulseError
from pulse.model.time import parse_ts
from pulse.placement import partition_of
from pulse.playback.lines import read_lines
from pulse.playback.replay import Replay
from pulse.playback.script import Script
from pulse.stream.partition import empty_state
from pulse.stream.repartition.reading import read_partitions
from pulse.stream.state.checkpoint import Checkpoint
from pulse.stream.state.pages import PageKey
from pulse.testing import forked
from pulse.testing.alerts import differing
from pulse.testing.histories import profile, usage
from pulse.testing.system import System
from tests.integration.worker import breaking
from tests.integration.worker.rounds import Player

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from pulse.testing.kafka import KafkaServer

PARTITIONS = 4
START_MS = parse_ts("2024-03-01T00:00:00Z")
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
DAYS, ACCOUNTS = 12, 40
SETTINGS = {
    "scorecard": [
        {"measure": "active_days", "window": "7d", "weight": 1, "target": 7},
        {"measure": "active_users", "window": "7d", "weight": 1, "target": 3},
    ],
    "line": {
        "from": "fleet", "quantile": 0.4, "dwell": "0s", "min_history_days": 2,
        "min_active_days": 1,
    },
}  # fmt: skip
# None is killed, and one that only stands still for a while is to stay in its group: its alerts
# would come again, and here they are counted.
WORKER = {"session_timeout_s": 30, "flush_interval_s": 0.3, "reread_s": 0.001}

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]


def history() -> list[bytes]:
    """Account n is used on some days of each week; who is used most changes from week to week.
    What comes twice comes a day later, so that before and after it may lie in other partitions.
    """
    lines = [
        profile(f"p-{n}", f"account-{n}", START_MS + n, name=f"Account {n}", mrr=100 * n)
        for n in range(ACCOUNTS)
    ]
    for day in range(DAYS):
        for number in range(ACCOUNTS):
            at_ms = START_MS + day * DAY_MS + 10 * HOUR_MS + number * 60_000
            if (day * 5 + number) % 7 < (number + day // 7 * 4) % 8:
                user = f"user-{(day + number) % 3}"
                lines.append(usage(f"{day}-{number}", f"account-{number}", at_ms, user_id=user))
            if day and number % 5 == 0:
                # An hour less than a day ago: it is known for a day.
                before_ms = at_ms - DAY_MS + HOUR_MS
                lines.append(usage(f"again-{day}-{number}", f"account-{number}", before_ms))
                lines.append(usage(f"again-{day - 1}-{number}", f"account-{number}", before_ms))
    return lines


def command(old: System, new: System) -> list[str]:
    files = [str(new.folder / "pulse.yaml"), "--config", str(old.folder / "pulse.yaml")]
    return ["repartition", *files, "--author", "kim"]


def repartition(old: System, new: System, *options: str) -> subprocess.CompletedProcess[str]:
    return forked.run([*command(old, new), *options])


def break_off(old: System, new: System) -> None:
    """Let one die when it has begun to write the new state."""
    running = forked.ForkedProcess(
        command(old, new), log=new.folder / "repartition.log", module=breaking.__name__
    )
    try:
        assert running.wait(120) == -signal.SIGKILL
    finally:
        running.send_signal(signal.SIGKILL)
    assert any(PageKey.decode(record.key) for record in new.read("changelog"))


@pytest.fixture
def old(kafka: KafkaServer, tmp_path: Path, unique: str) -> Iterator[System]:
    (tmp_path / "old").mkdir()
    system = System(
        kafka.bootstrap, tmp_path / "old", prefix=unique, partitions=PARTITIONS, settings=SETTINGS
    )
    system.create_topics()
    yield system
    system.stop()


def with_partitions(old: System, partitions: int) -> System:
    """The system that goes on; its topics are not made yet."""
    folder = old.folder.parent / f"new-{partitions}"
    folder.mkdir()
    topics = old.config.kafka.topics.model_dump()
    names = {name: f"{topics[name]}-{partitions}" for name in ("events", "changelog", "links")}
    settings = {**SETTINGS, "kafka": {"topics": {**topics, **names}}}
    return System(
        old.bootstrap,
        folder,
        prefix=old.config.kafka.group,
        partitions=partitions,
        settings=settings,
    )


@pytest.mark.parametrize("partitions", [6, 3])
def test_workers_go_on_as_if_there_had_always_been_so_many(
    old: System, tmp_path: Path, partitions: int
) -> None:
    file = tmp_path / "history.ndjson"
    file.write_bytes(
        b"\n".join(sorted(history(), key=lambda line: msgspec.json.decode(line)["ts"]))
    )
    replay = Replay(policy(old.config))
    replay.run(Script(read_lines([file])))
    cues = list(Script(read_lines([file])))
    half = next(n for n, cue in enumerate(cues) if n > len(cues) // 2 and cue.tick_ms is not None)
    producer = KafkaProducer(bootstrap_servers=old.bootstrap, acks="all")
    link = Link("web", "ada", "account-1")
    number = partition_of(link.user, PARTITIONS)
    producer.send(old.config.kafka.topics.links, b"account-1", key=link.key, partition=number)
    producer.close()

    worker, player = old.process("work", **WORKER).start(), Player(old)
    day = player.play(itertools.islice(cues, half))
    old.wait_until_applied()
    new = with_partitions(old, partitions)
    try:
        refused = repartition(old, new)
        assert refused.returncode == 1
        assert "1 worker is in the group" in refused.stderr
        worker.stop()
        # A worker that ticks may leave a tick behind, and not in every partition.
        player.tick(cues[half].tick_ms, [0, 2])
        player.close()
        before = [old.read(name) for name in ("events", "changelog", "links")]

        dry = repartition(old, new, "--dry-run")
        assert dry.returncode == 0, dry.stderr
        assert "Nothing was written" in dry.stdout
        assert not old.read("audit")
        if partitions == 6:  # what was broken off is begun again
            break_off(old, new)
        for _ in range(1 + (partitions == 6)):
            done = repartition(old, new)
            assert done.returncode == 0, done.stderr
        assert f"40 accounts of 4 partitions of {old.config.kafka.topics.events}" in done.stdout
        assert [old.read(name) for name in ("events", "changelog", "links")] == before
        assert [each.value for each in new.read("links")][-1:] == [b"account-1"]

        worker = new.process("work", **WORKER).start()
        player = Player(new)
        player.play(itertools.islice(cues, half, None), day)
        player.close()
        new.wait_until_applied()

        assert new.accounts() == [msgspec.json.encode(each) for each in replay.accounts()]
        widest = max(old, new, key=lambda system: system.partitions)
        alerts = [msgspec.json.decode(alert) for alert in replay.alerts()]
        assert differing(widest.alerts(), alerts) == []
        assert len(widest.alerts()) == len(alerts) > 50
        assert len({alert["line"]["version"] for alert in alerts}) > 3
        worker.stop()
        refused = repartition(old, new)
        assert refused.returncode == 1
        assert "is in use already" in refused.stderr
        audited = [msgspec.json.decode(each.value) for each in old.read("audit")]
        assert [(each["who"], each["change"], each["details"]) for each in audited] == [
            ("kim", "state_repartitioned", {"before": str(PARTITIONS), "after": str(partitions)})
        ] * (1 + 2 * (partitions == 6))
    finally:
        new.stop()


def test_what_a_worker_had_applied_and_not_written_is_applied_again(old: System) -> None:
    """As a worker that was killed leaves it; of what it had not applied ticks may be left alone."""
    kafka, by = old.config.kafka, policy(old.config)
    player = Player(old)
    for n, line in enumerate(history()):
        name = msgspec.json.decode(line)["account_id"]
        if n % 20 == 0:
            player.tick(START_MS + n * HOUR_MS, range(PARTITIONS))
        player.send(name, line)
    player.close()
    engine = Engine(by, lambda name: partition_of(name, PARTITIONS))
    written, wanted, last, alerts = [], {}, 0, set()
    records = old.read("events")
    for number in range(PARTITIONS):
        mine = [record for record in records if record.partition == number]
        state = empty_state(old.config, number)
        engine.apply(state, mine[: len(mine) // 2])
        checkpoint = Checkpoint(state, 1)
        checkpoint.mark(0.0, 0.0)
        pages = [checkpoint.pack(page) for page in checkpoint.due(0.0, 0.0)]
        checkpoint.wrote(pages)
        effects = engine.apply(state, mine[len(mine) // 2 :])
        alerts |= {(alert.fields["id"], alert.status) for alert in effects.alerts}
        checkpoint.mark(1.0, 1.0)
        manifest = checkpoint.manifest(PARTITIONS, old.config.version)
        written += [(number, each) for page in pages for each in page.records]
        written.append((number, manifest))
        last += len(mine) - len(mine) // 2
        engine.settle(state)
        wanted |= {name: state.packed(name) for name in state.ids()}
    producer = KafkaProducer(bootstrap_servers=old.bootstrap, acks="all")
    for number, (key, value) in written:
        producer.send(kafka.topics.changelog, value, key, partition=number)
    headers, value = control.tick(START_MS + 20 * DAY_MS)
    producer.send(kafka.topics.events, value, partition=1, headers=[*headers])
    producer.flush()

    read = asyncio.run(read_partitions(old.config, engine))
    clocks = [each.state.clock_ms for each in read]
    assert clocks[1] == START_MS + 20 * DAY_MS > max(clocks[0], clocks[2], clocks[3])
    assert sum(each.again for each in read) == last
    again = {(alert.fields["id"], alert.status) for each in read for alert in each.alerts}
    assert again == alerts
    assert len(alerts) > 10
    for each in read:
        each.state.clock_ms = clocks[0]
        engine.settle(each.state)
    found = {name: each.state.packed(name) for each in read for name in each.state.ids()}
    assert found == wanted

    producer.send(kafka.topics.events, usage("new", "a", START_MS), partition=2)
    producer.close()
    with pytest.raises(PulseError, match=r"1 records of .* by no worker.* partition 2 \(1\)"):
        asyncio.run(read_partitions(old.config, engine))
