"""By the wall clock: a history is loaded, pulse goes live, an account falls silent."""

from __future__ import annotations

import asyncio
import json
import time
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest

from pulse.model.time import format_ms
from pulse.playback.emit import PlaySettings, play
from pulse.playback.lines import Lines
from pulse.testing.system import System
from pulse.testing.webhooks import EXAMPLE_SECRET, WebhookReceiver

if TYPE_CHECKING:
    from pathlib import Path

    from pulse.testing.kafka import KafkaServer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

DAY_MS = 86_400_000
PARTITIONS = 2
DUE_MS = {"acme": 40_000, "bolt": 45_000, "cube": 50_000}
"""Who falls silent so long after a history begins to be loaded: when all runs, however slowly it
starts. A machine on which much else runs may stand still for a while, but not three times.
"""


def history(now_ms: int) -> list[dict[str, Any]]:
    """Some were busy and fall silent soon; `gone` fell silent a week ago; `busy` goes on."""
    last = {account: now_ms - 21 * DAY_MS + due_ms for account, due_ms in DUE_MS.items()}
    last |= {"gone": now_ms - 28 * DAY_MS, "busy": now_ms}
    events = [
        {
            "id": f"{account}-{day}",
            "account_id": account,
            "event": "report.run",
            "ts": format_ms(last_ms - day * DAY_MS),
        }
        for account, last_ms in last.items()
        for day in range(40)
    ]
    profile = {
        "id": "p",
        "type": "profile",
        "account_id": "acme",
        "ts": format_ms(now_ms - 50 * DAY_MS),
        "profile": {"name": "Acme", "mrr": 1200, "owner": "ada"},
    }
    return sorted([*events, profile], key=lambda event: str(event["ts"]))


def load(system: System, now_ms: int) -> None:
    """What is known so far, as `pulse emit --history` loads it."""
    path = system.folder / "history.ndjson"
    path.write_bytes(b"\n".join(json.dumps(event).encode() for event in history(now_ms)))
    play(system.config, Lines([path]), PlaySettings(history=True))


async def test_an_alert_arrives_within_two_seconds_of_the_instant_it_was_due(
    kafka: KafkaServer, tmp_path: Path, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULSE_TEST_SECRET", EXAMPLE_SECRET)
    async with WebhookReceiver([EXAMPLE_SECRET]) as receiver:
        settings = {
            "clock": "wall",
            "receivers": [
                {
                    "name": "cs",
                    "kind": "webhook",
                    "url": receiver.url,
                    "secret_env": "PULSE_TEST_SECRET",
                    "allow_private": True,
                }
            ],
        }
        system = System(
            kafka.bootstrap, tmp_path, prefix=unique, partitions=PARTITIONS, settings=settings
        )
        await asyncio.to_thread(system.create_topics)
        now_ms = int(time.time() * 1000)
        await asyncio.to_thread(load, system, now_ms)
        worker = system.process("work", session_timeout_s=6)
        notifier = system.process("notify")
        await asyncio.gather(asyncio.to_thread(worker.start), asyncio.to_thread(notifier.start))
        await receiver.wait_for(lambda: len(receiver.delivered) >= len(DUE_MS) + 1)
        await asyncio.sleep(1)
        await asyncio.to_thread(system.stop)

    # What fell silent in the past is recorded and not sent.
    told = {each.body["data"]["account_id"]: each for each in receiver.delivered}
    assert len(receiver.delivered) == len(told)
    assert told.pop("*").body["data"]["reason"] == "digest"
    assert told.keys() == DUE_MS.keys()
    late_s = []
    for account, request in told.items():
        alert = request.body["data"]
        assert request.problem is None
        assert (alert["reason"], alert["status"]) == ("silence", "firing")
        assert alert["at"] == format_ms(now_ms + DUE_MS[account])
        late_s.append(request.at_s - (now_ms + DUE_MS[account]) / 1000)
    assert min(late_s) >= 0
    assert median(late_s) < 2.0, late_s
    assert max(late_s) < 20.0, late_s
    assert told["acme"].body["data"]["summary"] == (
        "Acme fell silent: nothing meaningful for 21 days, after 40 active days."
    )
    past = [a for a in system.alerts() if a["account_id"] == "gone" and a["status"] == "firing"]
    assert past
    assert all(alert["historical"] for alert in past)
