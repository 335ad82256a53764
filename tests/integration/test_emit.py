"""`pulse emit`, and the library under it, on Apache Kafka."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from pulse.config import Config
from pulse.engine import control
from pulse.errors import PulseError
from pulse.model.time import format_ms, parse_ts
from pulse.placement import partition_of
from pulse.playback import loading
from pulse.playback.emit import PlayProgress, PlaySettings, play
from pulse.playback.lines import Lines, read_lines
from pulse.playback.pace import LIVE_MS
from pulse.playback.script import Script
from pulse.processes import free_port
from pulse.testing.kafka import KafkaServer
from pulse.topics.broker import Brokers, KafkaAwayError
from pulse.topics.wanted import wanted_topics

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HISTORY = Path(__file__).parents[2] / "examples" / "contributions" / "contributions.ndjson.gz"
PARTITIONS = 3
DAY_MS = 86_400_000
BUSY_S = 60
"""What takes a second or two takes no longer, however much else runs."""


class Sent(NamedTuple):
    """A record as a consumer meets it."""

    partition: int
    kind: str | None
    key: str | None
    value: bytes


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def config(kafka: KafkaServer, unique: str) -> Config:
    return with_topics(kafka.bootstrap, unique)


def with_topics(bootstrap: str, unique: str, **changes: Any) -> Config:
    """A configuration whose topics have been made."""
    settings = {
        "kafka": {
            "brokers": [bootstrap],
            "partitions": PARTITIONS,
            "topics": {
                role: f"{unique}.{role}"
                for role in (
                    "events",
                    "alerts",
                    "deadletter",
                    "deliveries",
                    "keys",
                    "links",
                    "changelog",
                )
            },
        }
    } | changes
    config = Config.model_validate(settings)
    with Brokers(config.kafka) as brokers:
        brokers.create(wanted_topics(config.kafka))
    return config


def records_of(config: Config) -> Iterator[Any]:
    """Every record in the events topic as it stands now, each partition's in its order."""
    consumer = KafkaConsumer(
        bootstrap_servers=list(config.kafka.brokers),
        enable_auto_commit=False,
        max_partition_fetch_bytes=8 << 20,
    )
    try:
        places = [
            TopicPartition(config.kafka.topics.events, number)
            for number in range(config.kafka.partitions)
        ]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        ends = consumer.end_offsets(places)
        while any(consumer.position(place) < ends[place] for place in places):
            for records in consumer.poll(timeout_ms=500).values():
                yield from records
    finally:
        consumer.close()


def read(config: Config) -> list[list[Sent]]:
    """Everything in the events topic, a list for each partition."""
    found: list[list[Sent]] = [[] for _ in range(config.kafka.partitions)]
    for record in records_of(config):
        kind = dict(record.headers).get("pulse-control")
        found[record.partition].append(
            Sent(
                record.partition,
                kind and kind.decode(),
                record.key and record.key.decode(),
                record.value,
            )
        )
    return found


def event(ts: str, account_id: str = "acme", **more: Any) -> bytes:
    fields = {"id": f"{ts}{account_id}", "account_id": account_id, "event": "opened", "ts": ts}
    return json.dumps(fields | more).encode()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "events.ndjson"


def lines_of(file: Path, *raws: bytes) -> Lines:
    file.write_bytes(b"\n".join(raws) + b"\n")
    return Lines([file])


def expected(lines: Lines, *, ticks: bool, until_ms: int | None = None) -> list[list[Sent]]:
    """What should be in each partition, from the script alone."""
    found: list[list[Sent]] = [[] for _ in range(PARTITIONS)]
    for cue in Script(lines, until_ms=until_ms):
        if ticks and cue.tick_ms is not None:
            value = control.tick(cue.tick_ms).value
            for number in range(PARTITIONS):
                found[number].append(Sent(number, "tick", None, value))
        if cue.line is not None and cue.account_id is not None:
            number = partition_of(cue.account_id, PARTITIONS)
            found[number].append(Sent(number, None, cue.account_id, cue.line.raw))
    return found


def test_a_history_has_its_ticks_in_every_partition(config: Config) -> None:
    until_ms = parse_ts("2013-06-01T12:30:00Z")
    played = play(config, Lines([HISTORY]), PlaySettings(history=True, until_ms=until_ms))

    script = expected(Lines([HISTORY]), ticks=True, until_ms=until_ms)
    found = read(config)
    for number, records in enumerate(found):
        first, *between, last = records
        assert first == Sent(number, "history", None, b'{"type":"history"}')
        assert last == Sent(number, "live", None, b'{"type":"live"}')
        assert between == script[number]
        assert between[-1].value == b'{"type":"tick","ts":%d}' % until_ms
    events = sum(sent.kind is None for records in found for sent in records)
    assert played.events == events == 769
    assert played.left_out == 20_108 - 769
    assert played.records == sum(len(records) for records in found)
    assert (played.partitions, played.unreadable, played.stopped) == (PARTITIONS, 0, False)


def test_the_events_own_clock_needs_no_marks(kafka: KafkaServer, unique: str, file: Path) -> None:
    config = with_topics(kafka.bootstrap, unique, clock="events")
    lines = lines_of(file, event("2024-01-01T00:10:00Z"), event("2024-01-01T03:00:00Z", "b"))
    play(config, lines, PlaySettings(history=True))

    assert read(config) == expected(Lines([file]), ticks=True)
    for records in read(config):
        assert [sent.value for sent in records if sent.kind] == [
            control.tick(parse_ts(at)).value
            for at in ("2024-01-01T00:00:00Z", "2024-01-01T03:00:00Z")
        ]


def test_without_history_there_are_events_alone(config: Config, file: Path) -> None:
    raws = [event(f"2024-01-01T{hour:02}:00:00Z", f"a{hour}") for hour in range(24)]
    played = play(config, lines_of(file, *raws))

    assert read(config) == expected(Lines([file]), ticks=False)
    assert (played.events, played.records, played.ticks) == (24, 24, 0)


def test_a_record_has_the_clock_of_the_broker(config: Config, file: Path) -> None:
    play(config, lines_of(file, event("2024-01-01T00:00:00Z")))
    (record,) = records_of(config)

    assert abs(record.timestamp / 1000 - time.time()) < 60


def test_bad_lines_go_to_the_dead_letter(config: Config, file: Path) -> None:
    good, bad = event("2024-01-01T00:00:00Z"), [b"{", b"\xff", b"\0" * 10, b"[" * 5_000]
    lines = lines_of(file, good, *bad, event("2024-01-01T00:00:01Z"))
    played = play(config, lines, PlaySettings(batch=10))

    found = read(config)
    unread = [sent for sent in found[0] if sent.value in bad]
    assert unread == [Sent(0, None, None, raw) for raw in bad]
    assert (played.events, played.unreadable) == (2, 4)
    assert played.first_unreadable is not None
    assert played.first_unreadable.number == 2


def test_what_the_topic_does_not_take_is_left_out_and_said(config: Config, file: Path) -> None:
    fits = event("2024-01-01T00:00:00Z", properties={"x": "y" * ((1 << 20) - 200)})
    not_json = b"x" * (5 << 20)
    too_large = event("2024-01-01T00:00:01Z", properties={"x": "y" * 1_200_000})
    lines = lines_of(file, fits, not_json, too_large, event("2024-01-01T00:00:02Z"))
    played = play(config, lines)

    assert [len(sent.value) for records in read(config) for sent in records] == [
        len(fits),
        len(event("2024-01-01T00:00:02Z")),
    ]
    assert (played.events, played.too_large) == (2, 2)
    assert played.first_too_large is not None
    assert played.first_too_large.number == 2


def test_batches_hold_lines_of_one_partition_in_order(config: Config, file: Path) -> None:
    raws = [
        event(f"2024-01-01T{n // 100:02}:{n % 60:02}:00Z", f"a{n % 17}", n=n) for n in range(1_000)
    ]
    played = play(config, lines_of(file, *raws), PlaySettings(batch=64))

    for found, script in zip(read(config), expected(Lines([file]), ticks=False), strict=True):
        assert b"\n".join(sent.value for sent in found).split(b"\n") == [
            sent.value for sent in script
        ]
        assert all(sent.key is None for sent in found)
        assert [sent.value.count(b"\n") + 1 for sent in found[:-1]] == [64] * (len(found) - 1)
    assert played.events == 1_000
    assert played.records < 25


def test_ticks_stay_in_front_of_the_events_they_belong_to_in_batches(
    config: Config, file: Path
) -> None:
    raws = [
        event(f"2024-01-01T{n // 20:02}:{n % 60:02}:00Z", f"a{n % 17}", n=n) for n in range(400)
    ]
    play(config, lines_of(file, *raws), PlaySettings(batch=7, history=True))

    for found, script in zip(read(config), expected(Lines([file]), ticks=True), strict=True):
        flat = [value for sent in found[1:-1] for value in sent.value.split(b"\n")]
        assert flat == [sent.value for sent in script]


def test_a_missing_topic_is_named(kafka: KafkaServer, unique: str, file: Path) -> None:
    config = Config.model_validate(
        {"kafka": {"brokers": [kafka.bootstrap], "topics": {"events": unique}}}
    )
    lines = lines_of(file, event("2024-01-01T00:00:00Z"))

    with pytest.raises(PulseError, match=f"no topic {unique}: `pulse topics` makes it"):
        play(config, lines)


def test_another_number_of_partitions_is_refused(config: Config, file: Path) -> None:
    other = config.model_copy(update={"kafka": config.kafka.model_copy(update={"partitions": 32})})
    lines = lines_of(file, event("2024-01-01T00:00:00Z"))

    with pytest.raises(PulseError, match=r"has 3 partitions and the configuration says 32"):
        play(other, lines)
    assert read(config) == [[], [], []]


def test_a_history_is_not_played_behind_a_running_clock(config: Config, file: Path) -> None:
    producer = KafkaProducer(bootstrap_servers=list(config.kafka.brokers))
    tick = control.tick(time.time_ns() // 1_000_000)
    for number in range(PARTITIONS):
        producer.send(
            config.kafka.topics.events, tick.value, partition=number, headers=list(tick.headers)
        )
    producer.close()
    lines = lines_of(file, b"{", event("2024-01-01T00:00:00Z"))

    with pytest.raises(PulseError, match="it would be refused as too late"):
        play(config, lines, PlaySettings(history=True))
    assert [len(records) for records in read(config)] == [1, 1, 1]


def test_nor_behind_one_that_began_at_the_last_moment(config: Config, file: Path) -> None:
    """Of a young history too, which would not be too late and yet be counted wrongly."""
    now_ms = time.time_ns() // 1_000_000
    lines = lines_of(file, event(format_ms(now_ms - DAY_MS)))
    # Where it is looked at beforehand nobody has ticked yet.
    ticked(config, runs=True, partitions=(2,))

    with pytest.raises(PulseError, match="it would be refused as too late"):
        play(config, lines, PlaySettings(history=True))
    kinds = [[sent.kind for sent in records] for records in read(config)]
    assert kinds == [["history", "live"], ["history", "live"], ["tick", "history", "live"]]
    ticked(config, runs=True)
    with pytest.raises(PulseError, match="it would be refused as too late"):
        play(config, lines, PlaySettings(history=True))


def test_a_history_can_go_on(config: Config, file: Path) -> None:
    play(config, lines_of(file, event("2024-01-01T00:00:00Z")), PlaySettings(history=True))
    play(config, lines_of(file, event("2024-01-02T00:00:00Z")), PlaySettings(history=True))

    for records in read(config):
        assert [sent.kind for sent in records if sent.kind] == ["history", "tick", "live"] * 2


def test_a_history_ends_now_at_the_latest(config: Config, file: Path) -> None:
    lines = lines_of(file, event("2024-01-01T00:00:00Z"))
    until_ms = time.time_ns() // 1_000_000 + 60_000

    with pytest.raises(PulseError, match="lies in the future"):
        play(config, lines, PlaySettings(history=True, until_ms=until_ms))


def test_events_can_be_paced(config: Config, file: Path) -> None:
    lines = lines_of(file, *(event(f"2024-01-01T00:00:{n:02}Z") for n in range(30)))
    seen: list[PlayProgress] = []
    played = play(config, lines, PlaySettings(rate=20), on_progress=seen.append)

    assert 1.4 < played.took_s < BUSY_S
    assert len(seen) >= 5
    assert [progress.events for progress in seen] == sorted(progress.events for progress in seen)
    assert seen[-1].read_bytes > 0


def test_time_can_be_compressed(config: Config, file: Path) -> None:
    lines = lines_of(
        file, *(event(f"2024-01-01T{hour:02}:00:00Z", "ab"[hour % 2]) for hour in range(10))
    )
    played = play(config, lines, PlaySettings(history=True, speed=9 * 3600 / 1.5))

    assert 1.4 < played.took_s < BUSY_S
    assert played.ticks == 10


def test_what_comes_is_sent_when_it_is_its_time(config: Config, file: Path) -> None:
    now_ms = time.time_ns() // 1_000_000
    old, new = now_ms - LIVE_MS - 60_000, now_ms - LIVE_MS + 60_000
    lines = lines_of(file, *(event(format_ms(at)) for at in (old, new, now_ms + 1_500)))
    played = play(config, lines, PlaySettings(live=True))

    assert (played.events, played.passed_over) == (2, 1)
    assert time.time_ns() // 1_000_000 >= now_ms + 1_500
    assert played.took_s < BUSY_S


def test_a_play_can_be_stopped(config: Config, file: Path) -> None:
    lines = lines_of(file, *(event(f"2024-01-{n:02}T00:00:00Z") for n in range(1, 31)))
    stop = threading.Event()

    def tell(progress: PlayProgress) -> None:
        if progress.events:
            stop.set()

    settings = PlaySettings(history=True, rate=5)
    played = play(config, lines, settings, stop=stop, on_progress=tell)

    assert played.stopped
    assert 0 < played.events < 30
    # What was said to be sent is there, and the history has not ended.
    found = read(config)
    assert sum(len(records) for records in found) == played.records
    assert all(sent.kind != "live" for records in found for sent in records)


def test_a_history_that_was_interrupted_goes_on(config: Config) -> None:
    until_ms = parse_ts("2013-06-01T12:30:00Z")
    stop = threading.Event()

    def tell(progress: PlayProgress) -> None:
        if progress.events > 300:
            stop.set()

    settings = PlaySettings(history=True, until_ms=until_ms, rate=400)
    begun = play(config, Lines([HISTORY]), settings, stop=stop, on_progress=tell)
    ticked(config, runs=True)  # a worker was started meanwhile
    rest = play(
        config, Lines([HISTORY]), PlaySettings(history=True, resume=True, until_ms=until_ms)
    )

    assert begun.stopped
    assert 0 < rest.passed_over <= begun.events
    wanted = expected(Lines([HISTORY]), ticks=True, until_ms=until_ms)
    for partition, records in enumerate(read(config)):
        events = [sent for sent in records if sent.kind is None]
        # What came after the last tick came again, and nothing else.
        once = list(dict.fromkeys(events))
        assert once == [sent for sent in wanted[partition] if sent.kind is None]
        ticks = [s.value for s in records if s.kind == "tick" and b"runs" not in s.value]
        assert sorted(set(ticks), key=ticks.index) == [
            sent.value for sent in wanted[partition] if sent.kind == "tick"
        ]
        assert [sent.kind for sent in records if sent.kind not in (None, "tick")] == [
            "history",
            "history",
            "live",
        ]
    assert begun.events + rest.events - 300 < sum(len(each) for each in wanted)


def test_a_history_that_has_not_begun_begins(config: Config, file: Path) -> None:
    lines = lines_of(file, event("2024-01-01T00:00:00Z"))

    assert play(config, lines, PlaySettings(history=True, resume=True)).passed_over == 0
    assert sum(sent.kind is None for records in read(config) for sent in records) == 1


@pytest.mark.parametrize("runs", [True, False], ids=["now", "before they said that they run"])
def test_a_history_does_not_go_on_where_workers_tick(
    config: Config, file: Path, runs: bool
) -> None:
    lines = lines_of(file, event("2024-01-01T00:00:00Z"), event("2024-01-02T00:00:00Z"))
    ticked(config, runs=runs)

    with pytest.raises(PulseError, match=r"this history ends at 2024-01-02.*workers tick there"):
        play(config, lines, PlaySettings(history=True, resume=True))
    # Nothing was sent, not even that the past is played.
    assert {sent.kind for records in read(config) for sent in records} == {"tick"}


def test_a_load_is_marked_in_every_partition(config: Config, file: Path) -> None:
    now_ms = ticked(config)
    raws = [event(format_ms(now_ms - days * DAY_MS), f"a{days}") for days in (95, 89, 40, 1)]
    played = play(config, lines_of(file, *raws), PlaySettings(load=True))

    assert (played.events, played.too_old, played.load) == (3, 1, f"load-{played.load[5:]}")
    for records in headed(config):
        kinds = [kind for kind, _, _ in records if kind != "tick"]
        assert (kinds[0], kinds[-1]) == ("load", "loaded")
        assert {load for kind, load, _ in records if kind is None} <= {played.load}
    values = [value for records in headed(config) for kind, _, value in records if kind is None]
    assert sorted(values) == sorted(raws[1:])


def test_a_load_that_was_interrupted_goes_on(
    config: Config, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "EVERY_LINES", 20)
    now_ms = ticked(config)
    raws = [event(format_ms(now_ms - n * 60_000), f"a{n}") for n in range(200)]
    stop = threading.Event()

    def tell(progress: PlayProgress) -> None:
        if progress.events > 90:
            stop.set()

    settings = PlaySettings(load=True, rate=100)
    begun = play(config, lines_of(file, *raws), settings, stop=stop, on_progress=tell)
    rest = play(config, Lines([file]), PlaySettings(load=True, resume=True))

    assert begun.stopped
    assert begun.load == rest.load
    assert 60 < rest.passed_over <= begun.events
    assert begun.events - rest.passed_over <= 21
    values = [value for records in headed(config) for kind, _, value in records if kind is None]
    assert set(values) == set(raws)
    assert len(values) == begun.events + rest.events
    with pytest.raises(PulseError, match="has ended"):
        play(config, Lines([file]), PlaySettings(load=True, resume=True))


def test_there_is_nothing_to_load_into_where_nobody_ticks(config: Config, file: Path) -> None:
    lines = lines_of(file, event("2024-01-01T00:00:00Z"))

    with pytest.raises(PulseError, match="nobody ticks in"):
        play(config, lines, PlaySettings(load=True))
    ticked(config)
    with pytest.raises(PulseError, match="there is no load in"):
        play(config, Lines([file]), PlaySettings(load=True, resume=True))


def ticked(
    config: Config, *, runs: bool = False, partitions: Iterable[int] = range(PARTITIONS)
) -> int:
    """Somebody ticks; the time it is."""
    now_ms = time.time_ns() // 1_000_000
    producer = KafkaProducer(bootstrap_servers=list(config.kafka.brokers))
    tick = control.tick(now_ms, runs=runs)
    for number in partitions:
        producer.send(
            config.kafka.topics.events, tick.value, partition=number, headers=list(tick.headers)
        )
    producer.close()
    return now_ms


def headed(config: Config) -> list[list[tuple[str | None, str | None, bytes]]]:
    """Kind, load and value of everything in the events topic, a list for each partition."""
    found: list[list[tuple[str | None, str | None, bytes]]] = [[] for _ in range(PARTITIONS)]
    for record in records_of(config):
        said = {name: value.decode() for name, value in record.headers}
        found[record.partition].append(
            (said.get("pulse-control"), said.get("pulse-load"), record.value)
        )
    return found


def test_without_idempotence_the_order_holds(config: Config, file: Path) -> None:
    kafka = config.kafka.model_copy(update={"idempotence": False})
    raws = [event("2024-01-01T00:00:00Z", id=str(n)) for n in range(2_000)]
    play(config.model_copy(update={"kafka": kafka}), lines_of(file, *raws))

    assert [sent.value for sent in read(config)[partition_of("acme", PARTITIONS)]] == raws


def test_a_kafka_that_is_away_is_waited_for(config: Config, file: Path) -> None:
    kafka = config.kafka.model_copy(update={"brokers": (f"127.0.0.1:{free_port()}",)})
    said: list[str] = []
    lines = lines_of(file, event("2024-01-01T00:00:00Z"))

    # After two seconds a person hears of it: there is time for that on a busy machine too.
    with pytest.raises(KafkaAwayError, match=r"tried for 8 s"):
        play(
            config.model_copy(update={"kafka": kafka}),
            lines,
            PlaySettings(timeout_s=8),
            say=said.append,
        )
    assert len(said) == 1


@pytest.fixture
def own_kafka(kafka: KafkaServer, tmp_path: Path) -> Iterator[KafkaServer]:
    """A Kafka that a test may kill. Depends on `kafka` to be skipped, or to fail, where that is."""
    folder = tmp_path / "kafka"
    folder.mkdir()
    with KafkaServer(folder) as server:
        yield server


def wait_for_records(config: Config, least: int) -> None:
    consumer = KafkaConsumer(bootstrap_servers=list(config.kafka.brokers))
    places = [TopicPartition(config.kafka.topics.events, number) for number in range(PARTITIONS)]
    deadline_s = time.monotonic() + 90
    try:
        while sum(consumer.end_offsets(places).values()) < least:
            assert time.monotonic() < deadline_s
            time.sleep(0.1)
    finally:
        consumer.close()


# In processes of their own: kafka-python leaves the sockets of failed attempts open.
@pytest.mark.timeout(300)
def test_a_kafka_that_goes_away_and_comes_back_has_everything_once(
    own_kafka: KafkaServer, unique: str, file: Path
) -> None:
    config = with_topics(own_kafka.bootstrap, unique)
    raws = [event("2024-01-01T00:00:00Z", f"a{n % 9}", n=n) for n in range(4_000)]
    lines_of(file, *raws)
    # So slowly that Kafka is killed long before all of it is sent.
    emitting = start(config, file, "--rate", "500/s", "--timeout", "120", cwd=file.parent)
    wait_for_records(config, 1_000)
    own_kafka.kill()
    time.sleep(5)
    own_kafka.restart()
    said, trouble = emitting.communicate(timeout=150)

    assert emitting.returncode == 0
    assert said.startswith("4,000 events into ")
    assert read(config) == expected(Lines([file]), ticks=False)
    # A Kafka that is only slow may have been told of too.
    told = trouble.splitlines()
    assert told
    assert told == [
        "pulse: Kafka does not answer; waiting, at most 120 s",
        "pulse: Kafka answers again",
    ] * (len(told) // 2)

    emitting = start(config, file, "--rate", "500/s", "--timeout", "6", cwd=file.parent)
    wait_for_records(config, 5_000)
    own_kafka.kill()
    said, trouble = emitting.communicate(timeout=120)

    assert (emitting.returncode, said) == (1, "")
    *_, waiting, given_up = trouble.splitlines()
    assert waiting == "pulse: Kafka does not answer; waiting, at most 6 s"
    assert given_up.startswith("pulse: Kafka took ")
    assert " records and then no more: " in given_up


def start(config: Config, *arguments: str | Path, cwd: Path) -> subprocess.Popen[str]:
    (cwd / "pulse.yaml").write_text(json.dumps(config.model_dump(mode="json", exclude_unset=True)))
    return subprocess.Popen(
        [
            *(sys.executable, "-c", "from pulse.cli import main; main()"),
            *("emit", *arguments, "--config", "pulse.yaml"),
        ],
        cwd=cwd,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"COLUMNS": "100"},
        encoding="utf-8",
    )


def emit(config: Config, *arguments: str | Path, cwd: Path, given: bytes = b"") -> Done:
    """What `pulse emit` says and ends with."""
    with start(config, *arguments, cwd=cwd) as process:
        out, err = process.communicate(given.decode(), timeout=120)
    return Done(process.returncode, out, err)


def test_the_command_says_what_it_did(config: Config, tmp_path: Path) -> None:
    raws = [event("2024-01-01T00:00:00Z"), b"{", event("2024-01-01T05:00:00Z", "b")]
    given = b"\n".join([*raws, event("2024-03-01T00:00:00Z"), b"x" * 2_000_000])
    done = emit(
        *(config, "-", "--history", "--until", "2024-02-01T00:00:00Z", "--rate", "100/s"),
        cwd=tmp_path,
        given=given,
    )

    assert (done.code, done.err) == (0, "")
    first, *rest = done.out.splitlines()
    topic = config.kafka.topics.events
    assert first.startswith(f"2 events into {topic} (3 partitions), 2024-01-01 to 2024-01-01: ")
    assert rest == [
        "ticks        3 ticks in each partition",
        "left out     1 event after --until",
        "unreadable   1 line, sent to partition 0 for the dead letter; -:2",
        "too large    1 line that the topic does not take, not sent; -:5",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["gone.ndjson"], 1, "pulse: cannot read gone.ndjson: no such file or directory\n"),
        (["-", "--rate", "many"], 2, '"many" is no rate'),
        (["-", "--rate", "-1/s"], 2, '"-1/s" is no rate'),
        (["-", "--until", "2024-01-01"], 2, "must be RFC 3339"),
        (["-", "--batch", "0"], 2, "'--batch'"),
        (["-", "--resume"], 2, "--resume goes on with a --history"),
    ],
)
def test_mistakes_are_said(
    config: Config, tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    done = emit(config, *arguments, cwd=tmp_path)

    assert done.code == code
    assert said in done.err
    assert "Traceback" not in done.err


def test_without_anybody_who_ticks_a_person_is_told(
    kafka: KafkaServer, unique: str, tmp_path: Path
) -> None:
    config = with_topics(kafka.bootstrap, unique, clock="events")
    done = emit(config, "-", cwd=tmp_path, given=event("2024-01-01T00:00:00Z"))

    assert done.code == 0
    assert "note: with clock: events nobody ticks but --history" in done.err
    assert done.out.startswith("1 event into ")


def test_what_is_read_here_is_what_a_replay_reads() -> None:
    assert sum(1 for _ in read_lines([HISTORY])) == 20_108
