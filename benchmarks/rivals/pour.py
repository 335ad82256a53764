"""Not a rival: pours live events into a topic at a rate, as a product app would.

    python -m benchmarks.rivals.pour --bootstrap … --topic … --accounts N --rate R --seconds S

Accounts are chosen evenly at random. Events carry the time at which they are produced; or, with
`--clock-ms`, the time that has passed since then on a clock that began there, and ticks a second
apart say what that clock shows. It prints the number of events and of their bytes.
"""

from __future__ import annotations

import argparse
import random
import time

from confluent_kafka import Producer

SLICE_S = 0.01


def main() -> None:
    """Produce."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--accounts", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--word", required=True, help="what the events' ids begin with")
    parser.add_argument("--clock-ms", type=int)
    parser.add_argument("--partitions", type=int, default=4)
    asked = parser.parse_args()
    producer = Producer(
        {
            "bootstrap.servers": asked.bootstrap,
            "partitioner": "murmur2",
            "linger.ms": 5,
            "acks": "all",
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    rng = random.Random(asked.word)
    began_s, sent, size, ticked_s = time.monotonic(), 0, 0, 0
    while (passed_s := time.monotonic() - began_s) < asked.seconds:
        due = int(passed_s * asked.rate)
        now_ms = time.time_ns() // 1_000_000
        if asked.clock_ms is not None:
            now_ms = asked.clock_ms + int(1000 * passed_s)
            if passed_s >= ticked_s:
                ticked_s += 1
                tick = b'{"type":"tick","ts":%d}' % now_ms
                for partition in range(asked.partitions):
                    producer.produce(
                        asked.topic, tick, partition=partition, headers=[("pulse-control", b"tick")]
                    )
        for _ in range(due - sent):
            number = rng.randrange(asked.accounts)
            account = b"acc-%06d" % number
            line = (
                b'{"id":"%b-%012d","account_id":"%b","user_id":"user-%06d-%d",'
                b'"event":"report.run","ts":%d,"properties":{"feature":"feature-%02d","value":%d}}'
                % (
                    asked.word.encode(), sent, account, number, sent % 5, now_ms, sent % 20,
                    sent % 60,
                )
            )  # fmt: skip
            producer.produce(asked.topic, line, account)
            sent += 1
            size += len(line)
        producer.poll(0)
        time.sleep(SLICE_S)
    producer.flush()
    print(sent, size)


if __name__ == "__main__":
    main()
