"""Many alerts at once: the event loop never stands still for long, so that the lease is kept."""

from __future__ import annotations

import asyncio
import contextlib
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from pulse.alerting.book import Rules
from pulse.alerting.brief import brief_of
from pulse.alerting.records.envelope import wrap
from pulse.alerting.stages.grouping import Entry, GroupRecord, Telling, Told
from pulse.alerting.stages.routing import Addressee, Route
from pulse.testing.alerts import sample_alert
from pulse.testing.clock import settle

from .test_dispatch import ERROR, SETTINGS, START_MS, Stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROOT = Route(receivers=("cs",))


def record(key: str, said: Entry | GroupRecord) -> tuple[str, bytes]:
    return key, wrap(1, msgspec.json.encode(said))


def recorded(firing: int, ended: int, told: Told) -> list[tuple[str, bytes]]:
    """What a notifier wrote of so many alerts, each in a group of its own."""
    records: list[tuple[str, bytes]] = []
    brief = brief_of(sample_alert("acme"))
    for number in range(firing + ended):
        alert_id, group_id = f"al_{number}", f"gr_{number}"
        status = "firing" if number < firing else "resolved"
        one = msgspec.structs.replace(
            brief, id=alert_id, account_id=f"acme-{number}", status=status
        )
        group = GroupRecord(
            id=group_id, route=ROOT.key, receiver="cs", labels=(("alert", alert_id),)
        )
        told_of = {group_id: Telling(told if number < firing else Told.NO, START_MS)}
        records.append(record(f"group/{group_id}", group))
        records.append(
            record(f"alert/{alert_id}", Entry(brief=one, arrived_ms=START_MS, told=told_of))
        )
    records.append(("position", wrap(1, b'{"offsets":{"0":7}}')))
    return records


@asynccontextmanager
async def watched() -> AsyncIterator[list[float]]:
    """How long the event loop stood still, in seconds, each time."""
    gaps: list[float] = []

    async def look() -> None:
        before = time.monotonic()
        while True:
            await asyncio.sleep(0.005)
            gaps.append(time.monotonic() - before)
            before = time.monotonic()

    task = asyncio.create_task(look())
    await asyncio.sleep(0.02)
    try:
        yield gaps
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_to_take_many_over_does_not_hold_the_event_loop() -> None:
    stage = Stage()
    stage.rules = Rules(root=ROOT, addressees={"cs": Addressee("cs")})
    stage.topic.records[0] += recorded(5_000, 5_000, Told.YES)
    begin = time.monotonic()
    async with watched() as gaps, stage.running():
        took_s = time.monotonic() - begin

    assert stage.position == 7
    assert stage.desk.got == []
    assert max(gaps) < took_s / 3
    assert len(stage.known().groups) == 5_000


async def test_what_is_let_go_at_once_is_told_in_several_turns() -> None:
    stage = Stage(replace(SETTINGS, concurrency=1))
    stage.rules = Rules(root=ROOT, addressees={"cs": Addressee("cs")})
    stage.topic.records[0] += recorded(2_500, 0, Told.NO)
    before = len(stage.topic.records[0])
    stage.desk.answers = [ERROR] * 2_500
    sizes: list[int] = []
    append = stage.topic.append

    async def appended(partition: int, records: list[tuple[str, bytes | None]]) -> None:
        sizes.append(sum(key.startswith("notification/") for key, _ in records))
        await append(partition, records)

    stage.topic.append = appended  # type: ignore[method-assign, assignment]
    async with stage.running():
        await settle()

    made = {key for key, _ in stage.topic.records[0][before:] if key.startswith("notification/")}
    assert len(made) == 2_500
    assert max(sizes) <= 1_000
