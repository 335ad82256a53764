"""A hand-written confluent-kafka loop, as fast as its settings let it be.

On: `fetch.queue.backoff.ms=10` (else it idles once its queue is full), 5,000 records a call, one
typed decode for each call, the plain state, rare garbage collection. Every 5 s, and at the end, the
offsets are committed. With `--changelog` the accounts that changed are produced before, each once
(coalesced), by an idempotent producer with `acks=all`, lz4 and a linger of 5 ms, and awaited.
Nothing is read back: there is no recovery, and a crash between changelog and commit counts twice.
"""

from __future__ import annotations

import time
from typing import Any

from confluent_kafka import Consumer, KafkaError, Producer

from benchmarks.rivals.report import Options, Stopwatch, finish, options
from benchmarks.rivals.state import Fleet, decode_values, tune_gc

FETCH = 5_000
COMMIT_EVERY_S = 5.0


class Changelog:
    """Where the state of the accounts goes."""

    def __init__(self, asked: Options) -> None:
        self._topic = asked.changelog
        self._failed: list[KafkaError] = []
        self.bytes = 0
        self._producer = Producer(
            {
                "bootstrap.servers": asked.bootstrap,
                "enable.idempotence": True,
                "acks": "all",
                "compression.type": "lz4",
                "linger.ms": 5,
                "queue.buffering.max.messages": 1_000_000,
            }
        )

    def write(self, fleet: Fleet) -> None:
        """Produce what changed and wait until all of it is acknowledged."""
        for account_id, packed in fleet.take_dirty():
            self.bytes += len(packed)
            self._producer.produce(self._topic, packed, account_id, on_delivery=self._done)
        self._producer.flush()
        if self._failed:
            raise SystemExit(f"the changelog was not written: {self._failed[0]}")

    def _done(self, error: KafkaError | None, _: Any) -> None:
        if error is not None:
            self._failed.append(error)


def main() -> None:
    """Count what is in the topic."""
    asked = options()
    changelog = Changelog(asked) if asked.changelog else None
    consumer = Consumer(
        {
            "bootstrap.servers": asked.bootstrap,
            "group.id": asked.group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.queue.backoff.ms": 10,
        }
    )
    consumer.subscribe([asked.topic])
    fleet, watch, left = Fleet(), Stopwatch(), asked.records
    tune_gc()
    written_s, is_fresh = time.monotonic(), False
    while left > 0:
        values = []
        records = consumer.consume(FETCH, 0.1)
        for record in records:
            if record.error():
                raise SystemExit(str(record.error()))
            if record.headers() is None:  # else it says what time it is
                values.append(record.value())
        if records:
            watch.start()
            left -= len(records)
            is_fresh = True
        if values:
            fleet.apply(decode_values(values))
        if left <= 0 or time.monotonic() - written_s > COMMIT_EVERY_S:
            if changelog is not None:
                changelog.write(fleet)
            if is_fresh:  # a commit of nothing new is an error to librdkafka
                consumer.commit(asynchronous=False)
                is_fresh = False
            written_s = time.monotonic()
    watch.lap()
    written = changelog.bytes if changelog else 0
    finish(asked.report, watch, fleet.counts, fleet.accounts.items(), changelog_bytes=written)
    consumer.close()


if __name__ == "__main__":
    main()
