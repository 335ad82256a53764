"""Records into one topic, in order per partition, with an end to patience and to memory."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from kafka import KafkaProducer
from kafka.errors import KafkaError

from pulse.config.kafka_clients import for_kafka_python
from pulse.errors import PulseError
from pulse.topics.broker import connected

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulse.config import Kafka

Headers = list[tuple[str, bytes]]

_MOST_RECORDS: Final = 20_000
_MOST_BYTES: Final = 32 << 20
_LOOK_EVERY_S: Final = 0.005
_SILENT_S: Final = 3.0
"""Without any acknowledgement for so long, a person hears that Kafka does not answer."""

_RECORD_BYTES: Final = 128
"""What a record is larger on the wire than its key, value and headers, at most."""


class SendError(PulseError):
    """Kafka did not take everything."""


class Sender:
    """Sends records to the events topic and knows which of them Kafka has.

    Every record is acknowledged by all replicas. At most 20,000 records or 32 MB are under way;
    who sends more waits. `max_bytes` is the largest record the topic takes. `say` gets a line when
    Kafka does not answer, and one when it does again. Not for several threads.
    """

    def __init__(
        self,
        kafka: Kafka,
        *,
        max_bytes: int,
        timeout_s: float,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self._topic = kafka.topics.events
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._say = say or (lambda text: None)
        timeout_ms = max(round(1000 * timeout_s), 2_000)
        self._producer: Any = connected(
            lambda within_ms: KafkaProducer(
                bootstrap_timeout_ms=within_ms,
                acks="all",
                enable_idempotence=kafka.idempotence,
                # Without idempotence a batch that is sent again could land behind the next.
                max_in_flight_requests_per_connection=5 if kafka.idempotence else 1,
                allow_auto_create_topics=False,
                linger_ms=20,
                batch_size=128 << 10,
                max_request_size=max(1 << 20, max_bytes + 1024),
                delivery_timeout_ms=timeout_ms,
                request_timeout_ms=min(30_000, timeout_ms - 1_000),
                max_block_ms=timeout_ms,
                **for_kafka_python(kafka),
            ),
            kafka,
            timeout_s=timeout_s,
            say=say,
        )
        self.sent = 0
        self._sent_bytes = 0
        self._lock = threading.Lock()
        # Written by the producer's thread too.
        self.acknowledged = 0
        self._acknowledged_bytes = 0
        self._error: BaseException | None = None
        self._heard_s = time.monotonic()
        self._heard_at = 0
        self._is_silent = False

    def fits(self, size_bytes: int) -> bool:
        """Whether the topic takes a record whose key, value and headers have this size."""
        return size_bytes + _RECORD_BYTES <= self._max_bytes

    def send(
        self, partition: int, value: bytes, key: bytes | None = None, headers: Headers | None = None
    ) -> None:
        """Send a record. Raises `SendError` if Kafka refused an earlier one or is away."""
        if self._error is not None:
            raise self._failed(self._error)
        while self._is_full():
            self.look()
            time.sleep(_LOOK_EVERY_S)
        size = len(value)
        self.sent += 1
        self._sent_bytes += size
        try:
            future = self._producer.send(
                self._topic, value=value, key=key, partition=partition, headers=headers
            )
        except KafkaError as error:
            raise self._failed(error) from None
        future.add_callback(self._taken, size)
        future.add_errback(self._refused)

    def flush(self) -> None:
        """Wait until Kafka has everything. Raises `SendError` where it does not take it."""
        while self.acknowledged < self.sent:
            self.look()
            time.sleep(_LOOK_EVERY_S)

    def look(self) -> None:
        """See whether Kafka answers; to be called now and then. Raises `SendError`."""
        if self._error is not None:
            raise self._failed(self._error)
        now_s = time.monotonic()
        if self.acknowledged != self._heard_at or self.acknowledged == self.sent:
            self._heard_at, self._heard_s = self.acknowledged, now_s
            if self._is_silent:
                self._is_silent = False
                self._say("Kafka answers again")
        elif not self._is_silent and now_s - self._heard_s > _SILENT_S:
            self._is_silent = True
            self._say(f"Kafka does not answer; waiting, at most {self._timeout_s:g} s")

    def close(self) -> None:
        """End the connections; what Kafka does not have by now is given up."""
        with contextlib.suppress(KafkaError):
            self._producer.close(timeout=0)

    def _is_full(self) -> bool:
        return (
            self.sent - self.acknowledged >= _MOST_RECORDS
            or self._sent_bytes - self._acknowledged_bytes >= _MOST_BYTES
        )

    def _taken(self, size: int, _: object) -> None:
        with self._lock:
            self.acknowledged += 1
            self._acknowledged_bytes += size

    def _refused(self, error: BaseException) -> None:
        if self._error is None:
            self._error = error

    def _failed(self, error: BaseException) -> SendError:
        return SendError(
            f"Kafka took {self.acknowledged:,} of {self.sent:,} records and then no more: {error}"
        )
