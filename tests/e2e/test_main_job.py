"""The main job with the commands a person types: topics, emit, work, notify, accounts, account."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from pulse.config.policy import policy
from pulse.model.notification import notification_id
from pulse.model.time import parse_ts
from pulse.playback.lines import read_lines
from pulse.playback.replay import Replay
from pulse.playback.script import Script
from pulse.testing.deliveries import assert_accounted
from pulse.testing.system import System
from pulse.testing.webhooks import EXAMPLE_SECRET, WebhookReceiver, failing

if TYPE_CHECKING:
    from pulse.config import Config
    from pulse.testing.kafka import KafkaServer
    from pulse.testing.valkey import ValkeyServer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

EXAMPLE = Path(__file__).parents[2] / "examples/contributions"
HISTORY = EXAMPLE / "contributions.ndjson.gz"
UNTIL = "2015-06-01T00:00:00Z"


def pulse(*arguments: str | Path) -> str:
    """What a `pulse` command prints; it must succeed."""
    command = [sys.executable, "-c", "from pulse.cli import main; main()", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_every_alert_reaches_a_receiver_that_fails_half_of_its_requests(
    kafka: KafkaServer,
    valkey: ValkeyServer,
    tmp_path: Path,
    unique: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PULSE_WEBHOOK_SECRET", EXAMPLE_SECRET)
    async with WebhookReceiver([EXAMPLE_SECRET], behaviour=failing(0.5, seed=7)) as receiver:
        settings = example(receiver.url) | {"redis": {"url": valkey.url, "prefix": f"{unique}:"}}
        system = System(kafka.bootstrap, tmp_path, prefix=unique, settings=settings)
        config = tmp_path / "pulse.yaml"
        expected = replayed(system.config)
        assert len(expected) > 200

        await asyncio.to_thread(pulse, "topics", "--config", config)
        notifier = system.process("notify")
        worker = system.process("work", session_timeout_s=6)
        emit = ("emit", HISTORY, "--history", "--until", UNTIL, "--rate", "100/s")
        await asyncio.gather(asyncio.to_thread(worker.start), asyncio.to_thread(notifier.start))
        # Else what comes at first waits, and alerts that begin and end in it are not told.
        for process in (worker, notifier):
            await asyncio.to_thread(process.wait_until_ready)
        # Slowly enough that an alert of weeks lasts half a second.
        await asyncio.to_thread(pulse, *emit, "--config", config)
        await asyncio.to_thread(system.wait_until_applied)
        wanted = set(expected)
        states = await settled(system, wanted)
        table = await asyncio.to_thread(pulse, "accounts", "--config", config, "--json")
        shown = [json.loads(line) for line in table.splitlines()]
        one = shown[0]["account_id"]
        words = await asyncio.to_thread(pulse, "account", one, "--config", config)
        await asyncio.to_thread(system.stop)

    assert_accounted(states, wanted, receiver.delivered_ids)
    delivered = {key for key, state in states.items() if state == "succeeded"}
    assert receiver.delivered_ids == delivered
    assert len(delivered) > len(wanted) / 2
    assert all(request.problem is None for request in receiver.requests)
    failed = [request for request in receiver.requests if not request.accepted]
    assert len(failed) > len(receiver.requests) / 3
    # Who comes twice has the same id; who is accepted does not come again.
    assert not receiver.repeated_ids
    assert one in words
    states_of = {
        a["account_id"]: a for a in map(json.loads, await asyncio.to_thread(system.accounts))
    }
    for account in shown:
        status = states_of[account["account_id"]]
        assert {name: account[name] for name in status} == status


def example(url: str) -> dict[str, Any]:
    settings: dict[str, Any] = YAML(typ="safe").load(EXAMPLE / "pulse.yaml")
    settings["receivers"][0] |= {"url": url, "retry": {"schedule_s": [0, *[0.1] * 40]}}
    return settings


def replayed(config: Config) -> list[str]:
    """The ids of all notifications that a replay of the same input asks for."""
    replay = Replay(policy(config))
    replay.run(Script(read_lines([HISTORY]), until_ms=parse_ts(UNTIL)))
    alerts = [json.loads(line) for line in replay.alerts()]
    return [notification_id(a["id"], "customer-success", a["status"]) for a in alerts]


async def settled(system: System, wanted: set[str], within_s: float = 150) -> dict[str, str]:
    """What became of each notification, once nothing is left to be sent."""
    async with asyncio.timeout(within_s):
        while True:
            states = await asyncio.to_thread(system.deliveries)
            if set(states) >= wanted and not {"pending", "retrying"} & set(states.values()):
                return states
            await asyncio.sleep(0.5)
