"""Takes events and profiles from an app's threads, and knows which of them Kafka has."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import uuid
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self, Unpack

from kafka import KafkaProducer
from kafka.errors import KafkaError
from pydantic import ValidationError

from pulse.config import Kafka, KafkaSecurity
from pulse.config.kafka_clients import for_kafka_python
from pulse.errors import PulseError
from pulse.packs import RECORD_BYTES, Line, Pack, packed
from pulse.sdk.lines import instant, line_of
from pulse.topics.broker import KafkaAwayError, connected

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from pulse.sdk.lines import Instant, ProfileFields

    OnError = Callable[[list[bytes], BaseException], None]

log = logging.getLogger("pulse.sdk")

_CONNECT_S: Final = 3.0
_PAUSE_S: Final = 0.5
_END_S: Final = 5.0


class EmitError(PulseError):
    """It was not taken, or Kafka does not have it; the message says how many, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much waits for how long."""

    linger_s: float = 0.1
    """An event waits for so long for others to go with it."""
    batch_bytes: int = RECORD_BYTES
    """But goes at once where so many bytes wait."""
    buffer_bytes: int = 16 << 20
    """Bytes that Kafka has not acknowledged, at most; who emits more is blocked."""
    max_block_s: float = 5.0
    """For so long; then `EmitError` is raised, and the event was not taken."""
    deliver_within_s: float = 120.0
    """What Kafka has not acknowledged by then is given up, and told."""
    exit_within_s: float = 10.0
    """How long the end of the interpreter is put off for what has still to be delivered."""


class Emitter:
    """Sends events and profiles to the topic that the workers read. For all threads; a context
    manager.

    `event` and `profile` return at once: a thread of the emitter's own sends what they were given,
    with `acks=all` and idempotent. It connects by itself, and tries again while Kafka is away. What
    is not delivered is told: `flush` and `close` raise, and `on_error` gets the lines and the
    reason, in a thread that must not emit; without it they are logged. What was not acknowledged in
    time may be written all the same; an event that is sent again with its id is counted once.

    An emitter that nobody closes is closed when the interpreter ends.
    """

    def __init__(
        self,
        brokers: str | Sequence[str],
        *,
        source: str = "default",
        topic: str = "pulse.events",
        security: KafkaSecurity | None = None,
        limits: Limits | None = None,
        on_error: OnError | None = None,
    ) -> None:
        addresses = brokers.split(",") if isinstance(brokers, str) else brokers
        try:
            self._kafka = Kafka(
                brokers=tuple(addresses),
                security=security or KafkaSecurity(),
                client_id="pulse-sdk",
            )
        except ValidationError as error:
            raise EmitError(f"brokers: {error.errors()[0]['msg']}") from None
        self._client = for_kafka_python(self._kafka)
        # A source that no event can have is said here, and not by the first event.
        line_of({"id": "-", "account_id": "-", "event": "-", "ts": 0, "source": source})
        self._source = source
        self._topic = topic
        self._limits = limits or Limits()
        self._on_error = on_error
        self._pid = os.getpid()
        self._changed = threading.Condition()
        # What follows is of whoever holds `_changed`.
        self._lines: list[Line] = []
        self._lines_bytes = 0
        self._first_s = 0.0
        self._round = 0
        """Lines that are sent together have the same."""
        self._open: dict[int, int] = defaultdict(int)
        """Lines of a round that have had no end yet."""
        self._held_bytes = 0
        self._undelivered = 0
        self._trouble: BaseException | None = None
        """Why Kafka did not take the last that it did not take."""
        self._hurried = 0
        self._closed = False
        self._stopping = False
        # And this of the thread.
        self._producer: Any = None
        self._partitions = 0
        self._worn = False  # it has failed at something, and may not be able to go on
        self._thread = threading.Thread(target=self._run, name="pulse-emitter", daemon=True)
        self._thread.start()
        atexit.register(self._at_exit)

    def event(
        self,
        account_id: str,
        event: str,
        user_id: str | None = None,
        feature: str | None = None,
        value: float | None = None,
        properties: Mapping[str, Any] | None = None,
        ts: Instant | None = None,
        id: str | None = None,
    ) -> None:
        """An account's user did something. Raises `BadEventError`, or `EmitError` where too much
        waits for Kafka.

        `ts` is now and `id` a new one unless they are given; `feature` and `value` are properties.
        """
        said = dict(properties or {})
        said |= {} if feature is None else {"feature": feature}
        said |= {} if value is None else {"value": value}
        fields = self._fields(account_id, ts, id) | {"event": event}
        fields |= {} if user_id is None else {"user_id": user_id}
        fields |= {"properties": said} if said else {}
        self._put(line_of(fields))

    def profile(
        self,
        account_id: str,
        *,
        ts: Instant | None = None,
        id: str | None = None,
        **profile: Unpack[ProfileFields],
    ) -> None:
        """What is known of an account besides its usage. Raises as `event` does.

        A field that is left out stays as it is, and None deletes it.
        """
        said = {name: instant(value) for name, value in profile.items()}
        self._put(line_of(self._fields(account_id, ts, id) | {"type": "profile", "profile": said}))

    def flush(self, timeout_s: float | None = None) -> None:
        """Return when Kafka has all that was emitted before. Raises `EmitError` with how many it
        has not, of all since the last `flush`.

        Without `timeout_s` it waits until everything is delivered or given up.
        """
        with self._changed:
            self._hurried += 1
            self._changed.notify_all()
            upto = self._round
            try:
                done = self._changed.wait_for(
                    lambda: min(self._open, default=upto + 1) > upto, timeout_s
                )
            finally:
                self._hurried -= 1
            left = 0 if done else sum(count for each, count in self._open.items() if each <= upto)
            given_up, self._undelivered = self._undelivered, 0
            trouble = self._trouble
        if left or given_up:
            waits = f" ({left} still wait)" if left else ""
            raise EmitError(f"{left + given_up} were not delivered{waits}: {self._why(trouble)}")

    def close(self, timeout_s: float | None = None) -> None:
        """`flush`, and end the connection; nothing is taken from now on. Raises as `flush` does."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()  # who waits for room waits in vain
        atexit.unregister(self._at_exit)
        if self._pid != os.getpid():
            return
        try:
            self.flush(timeout_s)
        finally:
            with self._changed:
                self._stopping = True
                self._changed.notify_all()
            self._thread.join(_END_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- the app's threads -----------------------------------------------------------------------

    def _fields(self, account_id: str, ts: Instant | None, id: str | None) -> dict[str, Any]:
        return {
            "id": str(uuid.uuid4()) if id is None else id,
            "account_id": account_id,
            "ts": time.time_ns() // 1_000_000 if ts is None else instant(ts),
            "source": self._source,
        }

    def _put(self, line: Line) -> None:
        if self._pid != os.getpid():
            raise EmitError("the emitter is of another process", hint="make one after the fork")
        size, limits = len(line.data), self._limits
        with self._changed:
            has_room = self._changed.wait_for(
                lambda: (
                    self._closed
                    or not self._held_bytes
                    or self._held_bytes + size <= limits.buffer_bytes
                ),
                limits.max_block_s,
            )
            if self._closed:
                raise EmitError("the emitter is closed")
            if not has_room:
                raise EmitError(
                    f"not taken: {self._held_bytes:,} bytes wait for Kafka, and there was no room "
                    f"within {limits.max_block_s:g} s: {self._why(self._trouble)}"
                )
            if not self._lines:
                self._first_s = time.monotonic()
            self._lines.append(line)
            self._lines_bytes += size
            self._held_bytes += size
            self._open[self._round] += 1
            if len(self._lines) == 1 or self._lines_bytes >= limits.batch_bytes:
                self._changed.notify_all()

    def _why(self, trouble: BaseException | None) -> str:
        where = ", ".join(self._kafka.brokers)
        return f"Kafka at {where} has not acknowledged" if trouble is None else str(trouble)

    def _at_exit(self) -> None:
        try:
            self.close(self._limits.exit_within_s)
        except EmitError as error:
            log.error("at the end of the program %s", error)

    # -- the emitter's thread --------------------------------------------------------------------

    def _run(self) -> None:
        while (due := self._due()) is not None:
            self._send(*due)
        with self._changed:
            left, self._lines = self._lines, []
        if left:
            error = self._trouble or EmitError("the emitter was closed")
            self._ended(self._round, [line.data for line in left], error)
        if self._producer is not None:
            self._drop()

    def _due(self) -> tuple[int, list[Line]] | None:
        """Waits for lines that are to be sent now, and their round; None at the end."""
        with self._changed:
            while not self._stopping:
                if self._lines:
                    left_s = self._first_s + self._limits.linger_s - time.monotonic()
                    full = self._lines_bytes >= self._limits.batch_bytes
                    if full or self._hurried or left_s <= 0:
                        due = self._round, self._lines
                        self._lines, self._lines_bytes = [], 0
                        self._round += 1
                        return due
                    self._changed.wait(left_s)
                else:
                    self._changed.wait()
        return None

    def _send(self, number: int, lines: list[Line]) -> None:
        deadline_s = time.monotonic() + self._limits.deliver_within_s
        while True:
            try:
                self._connect(number)
                break
            except (PulseError, KafkaError, OSError) as error:
                with self._changed:
                    self._trouble = error
                if self._stopping or time.monotonic() >= deadline_s:
                    self._ended(number, [line.data for line in lines], error)
                    return
                time.sleep(_PAUSE_S)
        for pack in packed(lines, self._partitions):
            try:
                sent = self._producer.send(
                    self._topic, pack.value, key=pack.key, partition=pack.partition
                )
            except KafkaError as error:
                self._failed(number, pack, error)
            else:
                sent.add_callback(partial(self._taken, number, pack))
                sent.add_errback(partial(self._failed, number, pack))

    def _connect(self, number: int) -> None:
        """Have a producer that can send a round, and know how many partitions there are."""
        if self._worn:
            # What the old one was given has its end first: nothing overtakes it.
            with self._changed:
                self._changed.wait_for(lambda: min(self._open, default=number) >= number)
            self._drop()
        if self._producer is None:
            try:
                self._producer = connected(self._make, self._kafka, timeout_s=_CONNECT_S)
            except KafkaAwayError as error:
                raise EmitError(error.message) from None
            # At the end the last that was registered is first: before the producer's own word.
            atexit.unregister(self._at_exit)
            if not self._closed:
                atexit.register(self._at_exit)
        if not self._partitions:
            try:
                self._partitions = len(self._producer.partitions_for(self._topic))
            except KafkaError as error:
                raise EmitError(
                    f"Kafka does not say where {self._topic} is: {error}",
                    hint="is there such a topic? `pulse topics` makes it",
                ) from None

    def _make(self, within_ms: float) -> Any:
        deliver_ms = max(round(1000 * self._limits.deliver_within_s), 1_000)
        return KafkaProducer(
            bootstrap_timeout_ms=within_ms,
            acks="all",
            enable_idempotence=True,
            allow_auto_create_topics=False,
            linger_ms=0,
            batch_size=RECORD_BYTES,
            max_block_ms=1000 * _CONNECT_S,
            delivery_timeout_ms=deliver_ms,
            request_timeout_ms=min(15_000, deliver_ms // 2),
            **self._client,
        )

    def _drop(self) -> None:
        producer, self._producer, self._worn = self._producer, None, False
        try:
            producer.close(timeout=0)
        except KafkaError as error:
            log.debug("the producer closed with an error: %s", error)

    # -- the producer's thread -------------------------------------------------------------------

    def _taken(self, number: int, pack: Pack, _: object) -> None:
        self._ended(number, pack.lines, None)

    def _failed(self, number: int, pack: Pack, error: BaseException) -> None:
        self._worn = True
        self._ended(number, pack.lines, error)

    def _ended(self, number: int, lines: list[bytes], error: BaseException | None) -> None:
        """Kafka has the lines, or they are given up."""
        with self._changed:
            self._held_bytes -= sum(map(len, lines))
            self._open[number] -= len(lines)
            if not self._open[number]:
                del self._open[number]
            self._trouble = error
            if error is not None:
                self._undelivered += len(lines)
            self._changed.notify_all()
        if error is None:
            return
        if self._on_error is None:
            log.error("%d were not delivered: %s", len(lines), error)
            return
        try:
            self._on_error(lines, error)
        except Exception:
            log.exception("on_error failed")
