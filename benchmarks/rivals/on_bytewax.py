"""Bytewax: its Kafka source, a typed decode for each batch, one stateful step, recovery on.

On: batches of 250 records (its own 1,000 were slower here), `fetch.queue.backoff.ms=10`, one decode
a batch, keys without a step of their own, the plain state in `stateful_batch`, an epoch and so a
snapshot of what changed every 5 s into its recovery store (SQLite on the same disk), which is where
it keeps its offsets too. One worker, as pulse has. It reads to the end and stops; the time ends
when its last snapshot is written.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main
from bytewax.testing import TestingSink
from confluent_kafka import OFFSET_BEGINNING

from benchmarks.rivals.report import Options, Stopwatch, finish, options
from benchmarks.rivals.state import Account, Line, decode_values, tune_gc

if TYPE_CHECKING:
    from collections.abc import Iterable

BATCH = 250
EPOCH = timedelta(seconds=5)

accounts: dict[str, Account] = {}
counts = [0, 0, 0]
watch = Stopwatch()


def decoded(records: list[Any]) -> Iterable[tuple[str, Line]]:
    """The lines of a batch by account; what says what time it is left out."""
    watch.start()
    values = [record.value for record in records if not record.headers]
    return [(line.account_id, line) for line in decode_values(values)] if values else ()


class AccountLogic(StatefulBatchLogic):  # type: ignore[misc]  # not installed where mypy runs
    """One account."""

    def __init__(self, packed: bytes | None) -> None:
        self.account = Account() if packed is None else Account.unpack(packed)

    def on_batch(self, lines: list[Line]) -> tuple[Iterable[None], bool]:
        apply = self.account.apply
        for line in lines:
            counts[apply(line)] += 1
        # For the report; by the id of the last line, which is all that is known here.
        accounts[lines[-1].account_id] = self.account
        return (), False

    def snapshot(self) -> bytes:
        return self.account.pack()


def dataflow(asked: Options) -> Dataflow:
    """Source → decode → count."""
    flow = Dataflow("bench")
    source = KafkaSource(
        [asked.bootstrap],
        [asked.topic],
        tail=False,
        starting_offset=OFFSET_BEGINNING,
        add_config={"fetch.queue.backoff.ms": "10"},
        batch_size=BATCH,
    )
    records = op.input("kafka", flow, source)
    lines = op.flat_map_batch("decode", records, decoded)
    out = op.stateful_batch("count", lines, AccountLogic)
    op.output("none", out, TestingSink([]))
    return flow


def main() -> None:
    """Count what is in the topic."""
    asked = options()
    init_db_dir(asked.folder, 1)
    tune_gc()
    cli_main(
        dataflow(asked), epoch_interval=EPOCH, recovery_config=RecoveryConfig(str(asked.folder))
    )
    watch.lap()
    finish(asked.report, watch, counts, accounts.items())


if __name__ == "__main__":
    main()
