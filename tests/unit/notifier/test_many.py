"""Many alerts at once: the event loop never stands still for long, so that the lease is kept."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import msgspec
import pytest

from pulse.alerting.book import Rules
from pulse.alerting.brief import brief_of
from pulse.alerting.records.envelope import wrap
from pulse.alerting.stages.grouping import Entry, GroupRecord, Telling, Told
from pulse.alerting.stages.routing import Addressee, Route
from pulse.notifier.kafka import KafkaSettings
from pulse.testing.alerts import sample_alert
from pulse.testing.clock import settle

from .test_dispatch import OK, SETTINGS, START_MS, Stage
from .test_takeover import version_1

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.long

ROOT = Route(receivers=("cs",))
LEASE_S = KafkaSettings(client={}, group="", alerts_topic="", deliveries_topic="").lease_s
STILL_S = LEASE_S / 10
"""For the numbers here: in one piece they take 0.6 s, on the machine where 100,000 took 2.9 s."""


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
    """How long the event loop stood still, each time: in seconds of its thread's own work, which
    others on the machine do not prolong, and of full collections of garbage in any thread, less
    what such a one takes for all that other tests have left here.
    """
    gaps: list[float] = []
    begin_s = time.thread_time()
    gc.collect()
    others_s = time.thread_time() - begin_s

    def collected(phase: Literal["start", "stop"], info: dict[str, int]) -> None:
        nonlocal begin_s
        if phase == "start":
            begin_s = time.thread_time()
        else:
            gaps.append(time.thread_time() - begin_s - others_s)

    async def look() -> None:
        before = time.thread_time()
        while True:
            await asyncio.sleep(0.005)
            gaps.append(time.thread_time() - before - others_s)
            before = time.thread_time()

    task = asyncio.create_task(look())
    gc.callbacks.append(collected)
    try:
        yield gaps
    finally:
        gc.callbacks.remove(collected)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_to_take_many_over_does_not_hold_the_event_loop() -> None:
    stage = Stage()
    stage.rules = Rules(root=ROOT, addressees={"cs": Addressee("cs")})
    # An alert and its group are two records.
    stage.topic.records[0] += recorded(25_000, 10_000, Told.YES)
    async with watched() as gaps, stage.running():
        spared = gc.get_freeze_count()

    # What is known is not looked at for garbage again and again.
    assert spared > 100_000
    assert gc.get_freeze_count() == 0
    assert stage.position == 7
    assert stage.desk.got == []
    assert max(gaps) < STILL_S
    assert len(stage.known().groups) == 25_000


async def test_what_version_1_left_is_taken_over_beside_the_event_loop() -> None:
    stage = Stage()
    stage.topic.records[0] += [
        version_1(sample_alert(f"acme-{number}"), "succeeded", attempts=1)
        for number in range(20_000)
    ]
    async with watched() as gaps, stage.running():
        pass

    assert len(stage.known().groups) == 20_000
    assert max(gaps) < STILL_S


async def test_what_waits_for_one_receiver_costs_an_attempt_at_another_nothing() -> None:
    patient = replace(SETTINGS, schedule_s=(3_600,))
    stage = Stage(patient, replace(SETTINGS, name="ops", url="http://ops.example"), backlog=5_000)
    stage.rules = Rules(root=ROOT, addressees={"cs": Addressee("cs")})
    stage.topic.records[0] += recorded(4_000, 0, Told.NO)
    async with stage.running() as notifier:
        outbox = notifier._outbox
        assert outbox is not None
        assert len(outbox) == 4_000
        # A collection of garbage would go through all that other tests have left here.
        gc.disable()
        try:
            begin_s = time.thread_time()
            for _ in range(1_000):
                notifier._endpoints.ended(outbox, notifier._couriers["ops"], OK)
            took_s = time.thread_time() - begin_s
        finally:
            gc.enable()

    # To go through all of them each time took 0.19 s.
    assert took_s < 0.05


async def test_what_is_let_go_at_once_is_told_in_several_turns() -> None:
    """Also where many attempts end at once, each of which is followed by a turn."""
    stage = Stage(replace(SETTINGS, concurrency=30), backlog=5_000)
    stage.rules = Rules(root=ROOT, addressees={"cs": Addressee("cs")})
    stage.topic.records[0] += recorded(2_500, 0, Told.NO)
    before = len(stage.topic.records[0])
    sizes = [0]
    append = stage.topic.append

    async def appended(partition: int, records: list[tuple[str, bytes | None]]) -> None:
        sizes[-1] += sum(key.startswith("notification/") for key, _ in records)
        await append(partition, records)

    async def count() -> None:
        while True:
            sizes.append(0)
            await asyncio.sleep(0)

    stage.topic.append = appended  # type: ignore[method-assign, assignment]
    counting = asyncio.create_task(count())
    async with stage.running():
        await settle()
    counting.cancel()

    made = {key for key, _ in stage.topic.records[0][before:] if key.startswith("notification/")}
    assert len(made) == 2_500
    # A turn of its own, and a few after each attempt.
    assert max(sizes) <= 1_000 + 30 * 25 + 30


async def test_what_is_forgotten_at_once_is_forgotten_in_several_turns() -> None:
    stage = Stage()
    stage.rules = Rules(root=ROOT, addressees={"cs": Addressee("cs")})
    stage.topic.records[0] += recorded(0, 7_000, Told.NO)
    async with stage.running() as notifier:
        await stage.clock.advance(40 * 86_400)
        sizes: list[int] = []
        append = stage.topic.append

        async def appended(partition: int, records: list[tuple[str, bytes | None]]) -> None:
            sizes.append(len(records))
            await append(partition, records)

        stage.topic.append = appended  # type: ignore[method-assign, assignment]
        await notifier.forget_old()

    assert max(sizes) <= 5_000
    assert stage.known().alerts == {}
