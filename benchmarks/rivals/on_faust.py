"""Faust as its documentation has it, one event a message and a table write an event, tuned.

On: uvloop, typed decode instead of a model, raw bytes for keys and values, tables in memory with a
changelog each, a linger of 20 ms, `acks=all`, lz4, large fetches and buffers, commits every 5 s, no
leader. Two tables, so that no event rewrites the ids of a whole day: the account without its ids,
and the ids (one table with both was slower). The accounts are objects beside the table, so that
nothing is unpacked. Ids are not deleted after a day, which is in its favour.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import faust
import uvloop

from benchmarks.rivals.report import Options, Stopwatch, finish, options
from benchmarks.rivals.state import Account, decode, pack, tune_gc

if TYPE_CHECKING:
    from faust.types import StreamT

PATIENCE_S = 1_100.0


class Bench:
    """The app, its tables and what it counted."""

    def __init__(self, asked: Options) -> None:
        self.counts = [0, 0, 0]
        self.accounts: dict[bytes, Account] = {}
        self.watch = Stopwatch()
        self._left = asked.records
        self.done = asyncio.Event()
        self.app = app = faust.App(
            asked.group,
            broker=f"aiokafka://{asked.bootstrap}",
            store="memory://",
            datadir=str(asked.folder),
            key_serializer="raw",
            value_serializer="raw",
            topic_partitions=asked.partitions,
            topic_disable_leader=True,
            topic_replication_factor=1,
            producer_linger=0.02,
            producer_acks=-1,
            producer_compression_type="lz4",
            producer_max_batch_size=1 << 20,
            broker_commit_interval=5.0,
            broker_commit_every=1_000_000,
            broker_max_poll_records=5_000,
            consumer_auto_offset_reset="earliest",
            stream_buffer_maxsize=65_536,
            stream_wait_empty=False,
            web_enabled=False,
        )
        self._table = app.Table("accounts", key_type=bytes, value_type=bytes)
        self._seen = app.Table("seen", key_type=bytes, value_type=bytes)
        topic = app.topic(asked.topic, key_type=bytes, value_type=bytes)
        app.agent(topic, name="count")(self._count)
        self.topic = topic

    async def _count(self, stream: StreamT[bytes]) -> None:
        watch, counts, accounts = self.watch, self.counts, self.accounts
        table, seen = self._table, self._seen
        async for event in stream.events():
            watch.start()
            self._left -= 1
            if not event.message.headers:  # else it says what time it is
                line, key = decode(event.value), event.key
                event_id = b"%b\0%b\0%b" % (key, line.source.encode(), line.id.encode())
                if event_id in seen:
                    counts[1] += 1
                else:
                    seen[event_id] = b"1"
                    account = accounts.get(key)
                    if account is None:
                        account = accounts[key] = Account()
                    counts[account.apply(line)] += 1
                    table[key] = pack(
                        (account.tiles, account.users, account.features, account.profile)
                    )
            if self._left == 0:
                self.done.set()


async def run(asked: Options) -> Bench:
    """Count what is in the topic."""
    bench = Bench(asked)
    await bench.app.start()
    try:
        await asyncio.wait_for(bench.done.wait(), PATIENCE_S)
        await asyncio.sleep(0)  # the last event is acknowledged when its agent waits for the next
        await bench.app.producer.flush()
        await bench.app.consumer.commit()
        bench.watch.lap()
    finally:
        await bench.app.stop()
    return bench


def main() -> None:
    """Count what is in the topic."""
    asked = options()
    tune_gc()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        bench = runner.run(run(asked))
    accounts = ((key.decode(), account) for key, account in bench.accounts.items())
    finish(asked.report, bench.watch, bench.counts, accounts)


if __name__ == "__main__":
    main()
