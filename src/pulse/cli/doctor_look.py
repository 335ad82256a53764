"""Looks at the brokers, the topics and Redis, for `pulse doctor`. Writes nothing anywhere."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec
import redis
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from pulse.alerting.people.outcomes import SOURCE as OURS
from pulse.config.kafka_clients import for_kafka_python
from pulse.doctor.found import Cluster, Fresh, Group, Letters, Reason, Stream
from pulse.engagement.days import DAY_MS
from pulse.engine.control import CONTROL_HEADER, read_source, tick_time
from pulse.errors import PulseError
from pulse.stream.state.pages import Manifest, decode_manifest, manifest_generation
from pulse.topics.broker import connected
from pulse.topics.wanted import wanted_topics

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

    from pulse.config import Config

_REACH_S: Final = 3.0
_READ_S: Final = 20.0
"""Longer than that nothing is read."""

_TAIL: Final = 20
"""Records of the changelog in which a manifest is looked for: one ends what is written at once."""

_SHOWN: Final = 120
"""Characters of a dead letter that are shown."""

_APPENDED: Final = 1
"""A record's time is the broker's."""


class _Sourced(msgspec.Struct):
    source: str = "default"


_decode_lines = msgspec.json.Decoder(_Sourced).decode_lines


class Looker:
    """Connections to look with. A context manager; raises `KafkaAwayError` where there is no Kafka.

    `most` records of each partition are looked at, at most.
    """

    def __init__(self, config: Config, *, timeout_s: float, most: int) -> None:
        self._config, self._kafka = config, config.kafka
        self._most = most
        settings = for_kafka_python(config.kafka)
        self._admin: Any = connected(
            lambda within_ms: KafkaAdminClient(bootstrap_timeout_ms=within_ms, **settings),
            config.kafka,
            timeout_s=timeout_s,
        )
        try:
            self._consumer: Any = KafkaConsumer(
                enable_auto_commit=False,
                fetch_max_wait_ms=100,
                max_poll_records=5_000,
                **settings,
            )
        except BaseException:
            self._admin.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._consumer.close()
        self._admin.close()

    def cluster(self) -> Cluster:
        """The brokers, and whether each can be reached where it says it is."""
        brokers = [
            (each["host"], each["port"]) for each in self._admin.describe_cluster()["brokers"]
        ]
        version = ".".join(map(str, self._consumer.config["api_version"]))
        return Cluster(
            version,
            [f"{host}:{port}" for host, port in brokers],
            [f"{host}:{port}" for host, port in brokers if not _answers(host, port)],
        )

    def stream(self) -> Stream:
        """The last records of the events topic, and what the state knows of its sources."""
        places = self._places(self._kafka.topics.events)
        now_ms = _now_ms()
        quiet_ms = self._config.worker.source_guard.after_ms
        starts, ends, whole = self._last(places, now_ms - quiet_ms)
        stream = Stream(len(places), now_ms - quiet_ms, now_ms)
        oldest: list[int] = []
        for record in self._read({place: (starts[place], ends[place]) for place in places}):
            start = starts[TopicPartition(record.topic, record.partition)]
            if record.offset == start and record.partition not in whole:
                oldest.append(record.timestamp)
            self._take(stream, record)
        # What was cut off in one partition was not looked at.
        stream.since_ms = max([stream.since_ms, *oldest])
        manifests = self._manifests().values()
        for manifest in manifests:
            for name, heard in manifest.read_on.heard.items():
                if name == OURS:  # people close alerts when they do
                    continue
                stream.known[name] = max(heard.last_ms, stream.known.get(name, 0))
        if manifests:
            furthest = max(manifests, key=lambda each: each.read_on.clock_ms or 0)
            for outage in furthest.read_on.outages:
                if outage.is_open and outage.source not in stream.sources:
                    stream.stopped.setdefault(outage.source, outage.from_ms)
        stream.now_ms = _now_ms()
        return stream

    def last_records(self) -> dict[str, int]:
        """The age of the last record of each topic that has any, by the name of the topic."""
        names = [topic.name for topic in wanted_topics(self._kafka)]
        places = [place for name in names for place in self._places(name)]
        ends = self._consumer.end_offsets(places)
        ages: dict[str, int] = {}
        for record in self._read({each: (max(ends[each] - 1, 0), ends[each]) for each in places}):
            age_ms = _now_ms() - record.timestamp
            ages[record.topic] = min(age_ms, ages.get(record.topic, age_ms))
        return ages

    def fresh(self) -> Fresh | None:
        """A record that comes within some ticks from now."""
        places = self._places(self._kafka.topics.events)
        self._consumer.assign(places)
        self._consumer.seek_to_end(*places)
        for place in places:
            self._consumer.position(place)
        deadline_s = time.monotonic() + 2.0 + 2 * self._config.worker.tick_interval_s
        while time.monotonic() < deadline_s:
            for records in self._consumer.poll(timeout_ms=200).values():
                arrived_ms = _now_ms()
                last = records[-1]
                if last.timestamp_type == _APPENDED:
                    return Fresh(last.timestamp, arrived_ms, _tick_of(last))
        return None

    def worker(self) -> Group:
        """The workers' group, and how far they are by their commits and by their state."""
        dealt_with = {number: each.position for number, each in self._manifests().items()}
        return self._group(self._kafka.group, self._kafka.topics.events, dealt_with)

    def notifier(self) -> Group:
        """The notifiers' group on the topic of alerts."""
        return self._group(f"{self._kafka.group}-notifier", self._kafka.topics.alerts, {})

    def letters(self) -> Letters:
        """The last dead letters, by reason."""
        places = self._places(self._kafka.topics.deadletter)
        day_ms = _now_ms() - DAY_MS
        _, ends, whole = self._last(places, day_ms)
        firsts = self._consumer.beginning_offsets(places)
        ranges = {each: (max(firsts[each], ends[each] - self._most), ends[each]) for each in places}
        reasons: dict[str, Reason] = {}
        for record in self._read(ranges):
            headers = {name: value.decode(errors="replace") for name, value in record.headers}
            reason = reasons.setdefault(headers.get("pulse-reason", "without a reason"), Reason())
            reason.count += 1
            reason.last_day += record.timestamp >= day_ms
            if record.timestamp > reason.last_ms:
                reason.last_ms = record.timestamp
                reason.detail = headers.get("pulse-detail", "")
                reason.origin = headers.get("pulse-origin", "")
                reason.begins_with = (record.value or b"")[:_SHOWN].decode(errors="replace")
        return Letters(reasons, len(whole) == len(places))

    # -- Kafka -----------------------------------------------------------------------------------

    def _places(self, topic: str) -> list[TopicPartition]:
        numbers = self._consumer.partitions_for_topic(topic) or ()
        return [TopicPartition(topic, number) for number in sorted(numbers)]

    def _last(
        self, places: Sequence[TopicPartition], from_ms: int
    ) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int], set[int]]:
        """Where the records since an instant begin and end, and the partitions of which that is not
        cut off.
        """
        firsts = self._consumer.beginning_offsets(places)
        ends = self._consumer.end_offsets(places)
        since = self._consumer.offsets_for_times(dict.fromkeys(places, from_ms))
        starts, whole = {}, set()
        for place in places:
            wanted = ends[place] if since[place] is None else since[place].offset
            starts[place] = max(firsts[place], wanted, ends[place] - self._most)
            if starts[place] <= max(wanted, firsts[place]):
                whole.add(place.partition)
        return starts, ends, whole

    def _read(self, ranges: Mapping[TopicPartition, tuple[int, int]]) -> Iterator[Any]:
        """The records of these ranges, those of a partition in order."""
        left = {place for place, (start, end) in ranges.items() if start < end}
        self._consumer.assign(list(left))
        self._consumer.resume(*left)  # a partition that is assigned again stays paused
        for place in left:
            self._consumer.seek(place, ranges[place][0])
        deadline_s = time.monotonic() + _READ_S
        while left:
            if time.monotonic() > deadline_s:
                raise PulseError(
                    f"what is in {next(iter(left)).topic} could not be read within {_READ_S:g} s",
                    hint="look at less of it (--last)",
                )
            for place, records in self._consumer.poll(timeout_ms=500).items():
                yield from (record for record in records if record.offset < ranges[place][1])
            done = {each for each in left if self._consumer.position(each) >= ranges[each][1]}
            self._consumer.pause(*done)
            left -= done

    def _take(self, stream: Stream, record: Any) -> None:
        headers = dict(record.headers)
        kind = headers.get(CONTROL_HEADER)
        if kind == b"tick":
            at_ms = tick_time(record.value or b"")
            if at_ms is not None:
                stream.ticks[record.partition] = max(at_ms, stream.ticks.get(record.partition, 0))
        elif kind == b"source":
            said = read_source(record.value or b"")
            if said is not None and said.state == "stopped":
                stream.stopped[said.source] = said.ts
            elif said is not None:
                stream.stopped.pop(said.source, None)
        elif kind is None:
            stream.events[record.partition] = record.timestamp
            for name in _sources_of(record.value or b""):
                if name != OURS:
                    stream.sources[name] = max(record.timestamp, stream.sources.get(name, 0))

    def _manifests(self) -> dict[int, Manifest]:
        """The last manifest of each partition, where one is among the last records."""
        places = self._places(self._kafka.topics.changelog)
        firsts, ends = (
            self._consumer.beginning_offsets(places),
            self._consumer.end_offsets(places),
        )
        ranges = {each: (max(firsts[each], ends[each] - _TAIL), ends[each]) for each in places}
        found: dict[int, Manifest] = {}
        for record in self._read(ranges):
            if record.value and manifest_generation(record.key or b"") is not None:
                try:
                    found[record.partition] = decode_manifest(record.value)
                except (PulseError, msgspec.DecodeError):
                    continue  # of another version: the worker says so
        return found

    def _group(self, name: str, topic: str, dealt_with: Mapping[int, int]) -> Group:
        places = self._places(topic)
        described: dict[str, Any] = {"members": (), "group_state": "Dead"}
        offsets: dict[TopicPartition, Any] = {}
        # To ask for a group that never was, Kafka would first make the topic of commits.
        if name in {each["group_id"] for each in self._admin.list_groups()}:
            described = self._admin.describe_groups([name])[name]
            offsets = self._admin.list_group_offsets({name: places})[name]
        firsts, ends = (
            self._consumer.beginning_offsets(places),
            self._consumer.end_offsets(places),
        )
        committed = {
            each: max(firsts[each], offsets[each].offset if each in offsets else -1)
            for each in places
        }
        applied = {
            each: max(committed[each], dealt_with.get(each.partition, -1)) for each in places
        }
        ranges = {each: (applied[each], min(applied[each] + 1, ends[each])) for each in places}
        oldest_ms = min((record.timestamp for record in self._read(ranges)), default=None)
        return Group(
            name,
            len(described["members"]),
            described["group_state"],
            {each.partition: max(ends[each] - committed[each], 0) for each in places},
            {each.partition: max(ends[each] - applied[each], 0) for each in places},
            0 if oldest_ms is None else _now_ms() - oldest_ms,
        )


def look_at_redis(config: Config) -> tuple[str, str | None]:
    """Where Redis is, and why it does not answer; None where it does."""
    address = config.redis.address()
    where = address.origin if config.redis.url_env else config.redis.url
    try:
        with redis.Redis.from_url(
            address.reveal(), socket_connect_timeout=_REACH_S, socket_timeout=_REACH_S
        ) as client:
            client.ping()
    except (redis.RedisError, OSError) as error:
        return where, str(error) or type(error).__name__
    return where, None


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=_REACH_S).close()
    except OSError:
        return False
    return True


def _tick_of(record: Any) -> int | None:
    is_tick = dict(record.headers).get(CONTROL_HEADER) == b"tick"
    return tick_time(record.value or b"") if is_tick else None


def _sources_of(value: bytes) -> Iterable[str]:
    try:
        return {line.source for line in _decode_lines(value)}
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
