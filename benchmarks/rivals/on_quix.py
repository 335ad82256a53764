"""Quix Streams: a stateful dataframe with RocksDB and a changelog topic, at least once.

On: a typed decode in place of its JSON deserialiser, `fetch.queue.backoff.ms=10`, commits every
5 s, lz4 for the changelog, msgpack for state in place of JSON, logging off, stop by `app.stop`. An
account has one value without its ids, and each id a value of its own, so that no event rewrites the
ids of a day (a value for each tile, user and feature was slower). Ids are not deleted after a day,
which is in its favour. Its clock ends with its last checkpoint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import rocksdict
from quixstreams import Application, State
from quixstreams.checkpointing import Checkpoint
from quixstreams.models import BytesDeserializer
from quixstreams.state.rocksdb import RocksDBOptions

from benchmarks.rivals.report import Options, Stopwatch, finish, options
from benchmarks.rivals.state import Account, decode, tune_gc

if TYPE_CHECKING:
    from pathlib import Path

counts = [0, 0, 0]
watch = Stopwatch()


def is_usage(value: bytes, key: Any, timestamp: int, headers: Any) -> bool:
    """Whether it is not what says what time it is."""
    watch.start()
    return not headers


def count(value: bytes, state: State) -> None:
    """Count one line."""
    line = decode(value)
    key = f"{line.source}\0{line.id}"
    if state.exists(key):
        counts[1] += 1
        return
    state.set(key, 1)
    account = Account()
    kept = state.get("account")
    if kept is not None:
        account.tiles, account.users, account.features, account.profile = kept
    account.open(line.ts.toordinal())
    counts[account.apply(line)] += 1
    state.set("account", (account.tiles, account.users, account.features, account.profile))


def application(asked: Options) -> Application:
    """The application, which stops itself after the last record."""
    left = asked.records

    def processed(topic: str, partition: int, offset: int) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            app.stop()

    app = Application(
        asked.bootstrap,
        consumer_group=asked.group,
        auto_offset_reset="earliest",
        commit_interval=5.0,
        consumer_extra_config={"fetch.queue.backoff.ms": 10},
        producer_extra_config={"compression.type": "lz4", "linger.ms": 20},
        state_dir=asked.folder,
        rocksdb_options=RocksDBOptions(dumps=msgspec.msgpack.encode, loads=msgspec.msgpack.decode),
        on_message_processed=processed,
        loglevel="WARNING",
        processing_guarantee="at-least-once",
    )
    topic = app.topic(
        asked.topic, value_deserializer=BytesDeserializer(), key_deserializer=BytesDeserializer()
    )
    frame = app.dataframe(topic)
    frame = frame.filter(is_usage, metadata=True)
    frame.update(count, stateful=True)
    return app


def accounts_on_disk(folder: Path) -> dict[str, Account]:
    """What its stores hold."""
    accounts: dict[str, Account] = {}
    for path in {found.parent for found in folder.rglob("CURRENT")}:
        store = rocksdict.Rdict(
            str(path),
            rocksdict.Options(raw_mode=True),
            access_type=rocksdict.AccessType.read_only(),
        )
        for raw, value in store.items():
            account_id, bar, text = raw.partition(b"|")
            if not bar:
                continue
            if msgspec.msgpack.decode(text) == "account":
                account = accounts.setdefault(account_id.decode(), Account())
                account.tiles, account.users, account.features, account.profile = (
                    msgspec.msgpack.decode(value)
                )
        store.close()
    return accounts


def main() -> None:
    """Count what is in the topic."""
    asked = options()
    commit = Checkpoint.commit

    def timed(self: Checkpoint, **kwargs: Any) -> None:
        commit(self, **kwargs)
        watch.lap()

    Checkpoint.commit = timed
    app = application(asked)
    tune_gc()
    app.run()
    finish(asked.report, watch, counts, accounts_on_disk(asked.folder).items())


if __name__ == "__main__":
    main()
