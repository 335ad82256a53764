"""The script into the events topic."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final, NamedTuple

from pulse.engine import control
from pulse.engine.admission import LATE_MS
from pulse.errors import PulseError
from pulse.model.time import format_ms
from pulse.placement import partition_of
from pulse.playback.clock import latest_tick_ms, reached_ms, running_ms
from pulse.playback.loading import Load
from pulse.playback.pace import Pace
from pulse.playback.script import Script
from pulse.playback.sender import Sender
from pulse.topics.broker import Brokers

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator

    from pulse.config import Config
    from pulse.playback.lines import FileLine, Lines
    from pulse.playback.script import Cue

BAD_PARTITION: Final = 0
"""Lines that have no account go there, so that a worker's dead letter has them."""

_DEFAULT_MAX_BYTES: Final = 1_048_588
"""What a topic takes that does not say (Kafka's own default)."""

_MOST_PACKED: Final = 512 << 10
_TELL_EVERY_S: Final = 0.1
_NAP_S: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaySettings:
    """How files are played.

    `history` plays them with ticks of their own, `load` into topics on which workers run; with
    `resume` it goes on where one that was interrupted stopped. `live` sends each event when it is
    its time. `rate` is events a second, `speed`
    seconds of event time a second; neither: as fast as Kafka takes them. `batch` packs up to so
    many lines of a partition into one record.
    """

    history: bool = False
    load: bool = False
    resume: bool = False
    live: bool = False
    until_ms: int | None = None
    rate: float | None = None
    speed: float | None = None
    batch: int = 1
    timeout_s: float = 60.0


class PlayProgress(NamedTuple):
    """How far a play is."""

    read_bytes: int
    events: int
    at_ms: int | None
    """The time of the event at hand."""


@dataclass(slots=True)
class Played:
    """What was played."""

    events: int = 0
    """Lines sent to the partition of their account."""
    unreadable: int = 0
    """Lines without an account, sent to partition 0."""
    first_unreadable: FileLine | None = None
    too_large: int = 0
    """Lines that the topic does not take, left out."""
    first_too_large: FileLine | None = None
    left_out: int = 0
    """Events later than `until_ms`."""
    passed_over: int = 0
    """Events that the topic has already, of a history or a load that goes on; of what is played
    live, those of more than twelve hours ago."""
    too_old: int = 0
    """Events of a load that workers would refuse as too late, left out."""
    load: str | None = None
    """The name of the load."""
    ticks: int = 0
    records: int = 0
    """Everything that Kafka acknowledged, control records included."""
    partitions: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    took_s: float = 0.0
    stopped: bool = False


def play(
    config: Config,
    lines: Lines,
    settings: PlaySettings | None = None,
    *,
    on_progress: Callable[[PlayProgress], None] | None = None,
    say: Callable[[str], None] | None = None,
    stop: threading.Event | None = None,
) -> Played:
    """Play files into the events topic; returns when Kafka has everything.

    Blocks: an event loop calls it in a thread. `on_progress` is called about ten times a second,
    `say` gets a line when Kafka does not answer. `stop` ends the play early: what was sent by then
    is waited for, and what would end a history is left out.

    Raises `PulseError` where a file cannot be read, the topic is missing or another than the
    configuration says, or Kafka is away for longer than `timeout_s`.
    """
    return _Play(config, lines, settings or PlaySettings(), on_progress, say, stop).run()


class _Play:
    def __init__(
        self,
        config: Config,
        lines: Lines,
        settings: PlaySettings,
        on_progress: Callable[[PlayProgress], None] | None,
        say: Callable[[str], None] | None,
        stop: threading.Event | None,
    ) -> None:
        self._config, self._kafka = config, config.kafka
        self._lines = lines
        self._settings = settings
        self._on_progress = on_progress
        self._say = say
        self._stop = stop
        self._now_ms = time.time_ns() // 1_000_000
        self._played = Played()
        self._packs: list[list[bytes]] = []
        self._pack_bytes: list[int] = []
        self._told_s = 0.0
        self._started_s = 0.0
        self._most_packed = _MOST_PACKED
        self._sender: Sender
        self._load: Load | None = None
        self._place = lru_cache(100_000)(partial(partition_of, partitions=config.kafka.partitions))
        if settings.history and (settings.until_ms or 0) > self._now_ms:
            raise PulseError(
                f"until {format_ms(settings.until_ms or 0)} lies in the future",
                hint="a history ends now at the latest",
            )

    def run(self) -> Played:
        played, settings = self._played, self._settings
        max_bytes = self._look_at_topic()
        script = Script(self._lines, until_ms=settings.until_ms, now_ms=self._now_ms)
        if settings.load:
            begin = Load.resume if settings.resume else Load.begin
            self._load = begin(self._kafka, self._now_ms)
            played.load = self._load.name
        partitions = self._kafka.partitions
        played.partitions = partitions
        self._packs = [[] for _ in range(partitions)]
        self._pack_bytes = [0] * partitions
        self._most_packed = min(_MOST_PACKED, max_bytes // 2)
        self._sender = Sender(
            self._kafka, max_bytes=max_bytes, timeout_s=settings.timeout_s, say=self._say
        )
        self._started_s = time.monotonic()
        self._pace = Pace(settings, self._now_ms)
        try:
            cues = self._checked(script)
            marked = settings.history and self._config.clock == "wall"
            if marked:
                self._begin_history(script.first_ms)
            if self._load is not None:
                self._to_all(self._load.mark())
                self._sender.flush()
            for cue in cues:
                if self._pace.is_past(cue):
                    played.passed_over += 1
                    self._tell(cue.at_ms)
                    continue
                self._wait_for(cue, script.first_ms)
                if self._is_stopped():
                    played.stopped = True
                    break
                self._play(cue)
                self._tell(cue.at_ms)
            self._send_packs()
            if marked and not played.stopped:
                self._end(control.boundary("live"))
            if self._load is not None and not played.stopped:
                self._end(self._load.end())
            self._sender.flush()
        finally:
            self._sender.close()
        played.records = self._sender.acknowledged
        played.left_out = script.left_out
        played.first_ms, played.last_ms = script.first_ms, script.last_ms
        played.took_s = time.monotonic() - self._started_s
        return played

    # -- before ----------------------------------------------------------------------------------

    def _look_at_topic(self) -> int:
        """The largest record that the events topic takes. Raises where it is not as configured."""
        name, partitions = self._kafka.topics.events, self._kafka.partitions
        with Brokers(self._kafka, timeout_s=self._settings.timeout_s, say=self._say) as brokers:
            topic = brokers.need(name)[name]
        if topic.partitions != partitions:
            raise PulseError(
                f"{name} has {topic.partitions} partitions and the configuration says {partitions}",
                hint=f"set kafka.partitions to {topic.partitions}; `pulse topics` says more",
            )
        return int(topic.settings.get("max.message.bytes") or _DEFAULT_MAX_BYTES)

    def _checked(self, script: Script) -> Iterator[Cue]:
        """The cues, after a look at whether the topic's clock lets this history in."""
        cues = iter(script)
        if not self._settings.history:
            return cues
        if self._settings.resume:
            return self._checked_rest(cues, reached_ms(self._kafka))
        leading = []
        for cue in cues:
            leading.append(cue)
            if cue.at_ms is not None:
                self._check_clock(cue.at_ms)
                break
        return itertools.chain(leading, cues)

    def _checked_rest(self, cues: Iterator[Cue], reached_ms: int | None) -> Iterator[Cue]:
        """The cues from the last tick on that every partition has.

        What was sent after it may be there too, and comes again: a worker counts it once. Raises
        where the last tick is none of this history's.
        """
        if reached_ms is None:
            return cues
        last_ms = -1
        for cue in cues:
            last_ms = max(last_ms, cue.tick_ms or -1)
            if cue.tick_ms is not None and cue.tick_ms >= reached_ms and cue.line is not None:
                return itertools.chain([cue], cues)
            self._played.passed_over += cue.line is not None
            self._tell(cue.at_ms)
        if reached_ms > last_ms:
            raise PulseError(
                f"the clock of {self._kafka.topics.events} stands at {format_ms(reached_ms)}, and "
                f"this history ends at {format_ms(max(last_ms, 0))}: workers tick there already",
                hint="what is missing of it, and younger than 90 days, --load brings",
            )
        return cues

    def _check_clock(self, first_ms: int) -> None:
        """Raises where the past is past already."""
        clock_ms = latest_tick_ms(self._kafka)
        if clock_ms is not None and first_ms < clock_ms - LATE_MS:
            raise self._too_late(clock_ms, first_ms)
        self._check_running(first_ms, (0,))

    def _check_running(self, first_ms: int, partitions: Iterable[int]) -> None:
        running = running_ms(self._kafka, partitions)
        if running is not None and first_ms < running:
            raise self._too_late(running, first_ms)

    def _begin_history(self, first_ms: int | None) -> None:
        """From here on no other clock counts. Raises where one that runs was quicker."""
        self._to_all(control.boundary("history"))
        self._sender.flush()
        if self._settings.resume or first_ms is None:
            return
        try:
            self._check_running(first_ms, range(self._kafka.partitions))
        except PulseError:
            self._to_all(control.boundary("live"))
            self._sender.flush()
            raise

    def _too_late(self, clock_ms: int, first_ms: int) -> PulseError:
        return PulseError(
            f"the clock of {self._kafka.topics.events} stands at {format_ms(clock_ms)} and this "
            f"history begins at {format_ms(first_ms)}: it would be refused as too late",
            hint="play a history once, into new topics, and begin before a worker runs on them, "
            "whose ticks say that it is now; one that was interrupted goes on with --resume. Into "
            "topics on which workers run, --load brings what is younger than 90 days",
        )

    # -- while it plays --------------------------------------------------------------------------

    def _play(self, cue: Cue) -> None:
        if cue.tick_ms is not None and self._settings.history:
            # One ahead of the broker's clock would be refused.
            self._to_all(control.tick(min(cue.tick_ms, self._now_ms)))
            self._played.ticks += 1
        if cue.line is None:
            return
        if self._load is not None:
            if self._load.is_due():
                self._to_all(self._load.mark())
            if self._load.is_there():
                self._played.passed_over += 1
                return
            if self._load.is_too_old(cue.at_ms):
                self._played.too_old += 1
                return
        if cue.account_id is None:
            self._send_pack(BAD_PARTITION)
            if self._send(BAD_PARTITION, cue.line, None):
                self._played.unreadable += 1
                self._played.first_unreadable = self._played.first_unreadable or cue.line
            return
        partition = self._place(cue.account_id)
        if self._settings.batch > 1:
            sent = self._pack(partition, cue.line)
        else:
            sent = self._send(partition, cue.line, cue.account_id.encode())
        self._played.events += sent

    def _send(self, partition: int, line: FileLine, key: bytes | None) -> bool:
        """Send a line as a record; whether the topic takes it."""
        headers = None if self._load is None else self._load.headers
        size = sum(len(name) + len(value) for name, value in headers or ())
        if not self._sender.fits(len(line.raw) + len(key or b"") + size):
            self._played.too_large += 1
            self._played.first_too_large = self._played.first_too_large or line
            return False
        self._sender.send(partition, line.raw, key, headers)
        return True

    def _pack(self, partition: int, line: FileLine) -> bool:
        pack, size = self._packs[partition], len(line.raw) + 1
        if self._pack_bytes[partition] + size > self._most_packed:
            self._send_pack(partition)
            if size > self._most_packed:
                return self._send(partition, line, None)
        pack.append(line.raw)
        self._pack_bytes[partition] += size
        if len(pack) >= self._settings.batch:
            self._send_pack(partition)
        return True

    def _send_pack(self, partition: int) -> None:
        pack = self._packs[partition]
        if pack:
            # Without a key: it may hold several accounts' events.
            headers = None if self._load is None else self._load.headers
            self._sender.send(partition, b"\n".join(pack), headers=headers)
            pack.clear()
            self._pack_bytes[partition] = 0

    def _send_packs(self) -> None:
        for partition in range(self._kafka.partitions):
            self._send_pack(partition)

    def _to_all(self, record: control.ControlRecord) -> None:
        self._send_packs()
        headers = list(record.headers)
        for partition in range(self._kafka.partitions):
            self._sender.send(partition, record.value, headers=headers)

    def _end(self, record: control.ControlRecord) -> None:
        """Send what ends a play: first everywhere but to the first partition.

        There the round begins that says how the fleet stands; by then all of it must be there.
        """
        self._sender.flush()
        for partition in reversed(range(self._kafka.partitions)):
            if not partition:
                self._sender.flush()
            self._sender.send(partition, record.value, headers=list(record.headers))

    # -- pace ------------------------------------------------------------------------------------

    def _wait_for(self, cue: Cue, first_ms: int | None) -> None:
        """Wait until it is time for the cue, if there is a pace."""
        due_s = self._pace.due_s(cue, first_ms, self._played.events)
        if due_s > time.monotonic() + _NAP_S:
            self._send_packs()
        while (left_s := due_s - time.monotonic()) > 0 and not self._is_stopped():
            self._sender.look()
            time.sleep(min(left_s, _NAP_S))

    def _is_stopped(self) -> bool:
        return self._stop is not None and self._stop.is_set()

    def _tell(self, at_ms: int | None) -> None:
        now_s = time.monotonic()
        if now_s - self._told_s < _TELL_EVERY_S:
            return
        self._told_s = now_s
        self._sender.look()
        if self._on_progress is not None:
            events = self._played.events
            self._on_progress(PlayProgress(self._lines.read_bytes, events, at_ms))
