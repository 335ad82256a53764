"""Version 1 of the deliveries topic, as it was written, taken over by a notifier of today."""

import json
from typing import Any

import pytest

from pulse.alerting.records.reader import Deliveries
from pulse.model import Alert, format_ms
from pulse.notifier.receiver import ReceiverSettings
from pulse.testing.alerts import sample_alert

from .test_dispatch import GONE, START_MS, Stage

CS = ReceiverSettings(name="cs", url="http://cs.example", schedule_s=(0, 5, 300), jitter=0)


def version_1(alert: Alert, state: str, **changes: Any) -> tuple[str, bytes]:
    """A record as version 1 had it."""
    name = f"{alert.id}_cs_{alert.status}"
    record = {
        "v": 1, "id": name, "alert_id": alert.id, "receiver": "cs", "status": alert.status,
        "state": state, "at": format_ms(START_MS), "created_at": format_ms(START_MS),
        "due_at": format_ms(START_MS), "origin": "pulse.alerts/0/0", "epoch": 3, **changes,
    }  # fmt: skip
    if state in ("pending", "retrying", "failed", "disabled"):
        record["alert"] = json.loads(alert.model_dump_json())
    return name, json.dumps(record).encode()


def position(offset: int) -> tuple[str, bytes]:
    return "position", json.dumps({"v": 1, "epoch": 3, "offset": offset, "at_once": 4}).encode()


def stage_with(*records: tuple[int, tuple[str, bytes]]) -> Stage:
    stage = Stage(CS)
    stage.partitions = 4
    for partition, record in records:
        stage.topic.records[partition].append(record)
    return stage


async def test_what_was_still_to_be_sent_is_sent_and_goes_on_where_it_was() -> None:
    due = {"next_at": format_ms(START_MS + 60_000), "attempts": 2, "step": 1, "reason": "http_500"}
    stage = stage_with(
        (0, version_1(sample_alert("acme"), "pending", next_at=format_ms(START_MS))),
        (3, version_1(sample_alert("bolt"), "retrying", **due)),
        (0, position(7)),
        (3, position(9)),
    )
    async with stage.running() as notifier:
        assert stage.position == 7
        assert stage.desk.got == [(0.0, "acme firing")]
        await stage.clock.advance(60)
        await stage.take(notifier, sample_alert("bolt", "resolved"))

    assert stage.desk.got == [(0.0, "acme firing"), (60.0, "bolt firing"), (60.0, "bolt resolved")]
    assert not any(value and b"Acme" in value for _, value in stage.topic.records[3])


async def test_who_was_told_hears_the_end_and_who_was_not_does_not() -> None:
    ended = sample_alert("cube", "resolved")
    stage = stage_with(
        (1, version_1(sample_alert("acme"), "succeeded", attempts=1)),
        (1, version_1(sample_alert("bolt"), "skipped", reason="historical")),
        (2, version_1(sample_alert("cube"), "succeeded", attempts=1)),
        (2, version_1(ended, "succeeded", attempts=1)),
        (2, version_1(sample_alert("dune"), "failed", attempts=3)),
    )
    async with stage.running() as notifier:
        for name in ("acme", "bolt", "cube", "dune"):
            await stage.take(notifier, sample_alert(name), sample_alert(name, "resolved"))

    assert [what for _, what in stage.desk.got] == ["acme resolved", "dune resolved"]


async def test_what_the_fleet_held_is_still_to_be_sent() -> None:
    held = {"reason": "fleet_falls", "next_at": format_ms(START_MS + 3_600_000)}
    stage = stage_with((0, version_1(sample_alert("acme"), "pending", **held)))
    async with stage.running():
        assert stage.desk.got == [(0.0, "acme firing")]


async def test_an_endpoint_that_was_gone_stays_so() -> None:
    stage = stage_with()
    stage.desk.answers = [GONE]
    endpoint = {
        "v": 1, "receiver": "cs", "state": "disabled", "at": format_ms(START_MS),
        "url_sha256": "69b7fbd27b6b2b9e", "http_status": 410,
    }  # fmt: skip
    from pulse.alerting.records.delivery import url_hash

    endpoint["url_sha256"] = url_hash(CS.url)
    stage.topic.records[2].append(("endpoint/cs", json.dumps(endpoint).encode()))
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("acme"))

    assert stage.desk.got == []
    assert stage.states() == {"cs firing": "disabled endpoint_disabled"}


@pytest.mark.parametrize("let", range(12))
async def test_a_crash_in_the_middle_of_it_loses_nothing(let: int) -> None:
    stage = stage_with(
        (0, version_1(sample_alert("acme"), "pending", next_at=format_ms(START_MS))),
        (1, version_1(sample_alert("bolt"), "succeeded", attempts=1)),
        (1, position(4)),
    )
    from pulse.notifier.state.log import PartitionClosed

    stage.topic.let = let
    try:
        async with stage.running():
            pass
    except PartitionClosed:
        pass
    stage.topic.let = None
    async with stage.running() as notifier:
        await stage.take(notifier, sample_alert("bolt", "resolved"))

    assert {what for _, what in stage.desk.got} == {"acme firing", "bolt resolved"}
    shown = Deliveries()
    for key, value in stage.topic.records[0]:
        shown.read(key, value)
    assert {each.state for each in shown.notifications.values()} == {"succeeded"}
