"""A history is loaded, or a load comes into a live system: one digest, once, whoever is killed."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from pulse.config.policy import policy
from pulse.model.notification import WebhookBody
from pulse.model.time import format_ms
from pulse.playback.clock import latest_tick_ms
from pulse.playback.emit import Played, PlayProgress, PlaySettings, play
from pulse.playback.lines import Lines
from pulse.playback.replay import Replay
from pulse.playback.script import Script
from pulse.testing.histories import profile, usage
from pulse.testing.system import System
from pulse.testing.webhooks import EXAMPLE_SECRET, WebhookReceiver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pulse.testing.kafka import KafkaServer

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

PARTITIONS = 3
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000


def where_it_is_noon() -> str:
    """A time zone in which the day neither began nor ends while a test runs."""
    return f"Etc/GMT{datetime.now(UTC).hour - 12:+d}"


SETTINGS = {
    "clock": "wall",
    "timezone": where_it_is_noon(),
    "scorecard": [{"measure": "active_days", "window": "28d", "weight": 1, "target": 28}],
    "line": {"enter": 40, "exit": 50, "approach": 60, "dwell": "0s", "min_history_days": 7,
             "min_active_days": 1, "forecast_days": 0},
}  # fmt: skip
WORKER = {"session_timeout_s": 6, "flush_interval_s": 0.3, "reread_s": 0.001}


class Live:
    """A worker, a notifier and a receiver on topics of their own."""

    def __init__(self, kafka: KafkaServer, folder: Path, unique: str) -> None:
        self._kafka, self._folder, self._unique = kafka, folder, unique
        self.receiver = WebhookReceiver([EXAMPLE_SECRET])

    async def __aenter__(self) -> Live:
        await self.receiver.__aenter__()
        receiver = {
            "name": "cs", "kind": "webhook", "url": self.receiver.url, "allow_private": True,
            "secret_env": "PULSE_TEST_SECRET",
            "reasons": ["danger", "payment_failed", "subscription_cancelled"],
        }  # fmt: skip
        settings = {**SETTINGS, "receivers": [receiver]}
        self.system = System(
            self._kafka.bootstrap, self._folder, prefix=self._unique, partitions=PARTITIONS,
            settings=settings,
        )  # fmt: skip
        await asyncio.to_thread(self.system.create_topics)
        self.worker = self.system.process("work", **WORKER)
        self.notifier = self.system.process("notify")
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.system.stop)
        await self.receiver.__aexit__(None, None, None)

    async def play(
        self, lines: list[bytes], until_events: int | None = None, **settings: Any
    ) -> Played:
        """Play lines, until so many are sent."""
        file, stop = self.system.folder / "events.ndjson", threading.Event()
        file.write_bytes(b"\n".join(lines))

        def look(progress: PlayProgress) -> None:
            if until_events is not None and progress.events >= until_events:
                stop.set()

        return await asyncio.to_thread(
            play, self.system.config, Lines([file]), PlaySettings(**settings),
            on_progress=look, stop=stop,
        )  # fmt: skip

    async def start(self) -> None:
        await asyncio.to_thread(self.worker.start)
        await asyncio.to_thread(self.notifier.start)

    async def until(self, done: Callable[[], bool], within_s: float = 120.0) -> None:
        await self.receiver.wait_for(done, within_s=within_s)

    def told(self, reason: str | None = None) -> list[dict[str, Any]]:
        """What was delivered, as the schema of webhooks has it."""
        bodies = [request.body for request in self.receiver.delivered]
        for body in bodies:
            WebhookBody.model_validate_json(json.dumps(body))
        return [b["data"] for b in bodies if reason is None or b["data"]["reason"] == reason]


def said(alerts: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    return {(a["account_id"], a["reason"], a["status"]) for a in alerts}


@pytest.fixture
def live(
    kafka: KafkaServer, tmp_path: Path, unique: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Live]:
    monkeypatch.setenv("PULSE_TEST_SECRET", EXAMPLE_SECRET)
    return Live(kafka, tmp_path, unique)


def past(now_ms: int) -> list[bytes]:
    """Account n was used on each of the last 60 days but the last n."""
    lines = []
    for number in range(20):
        name = f"a{number:02}"
        lines.append((now_ms - 61 * DAY_MS, profile("p", name, now_ms - 61 * DAY_MS, mrr=number)))
        for back in range(number, 60):
            at_ms = now_ms - back * DAY_MS - HOUR_MS - number
            lines.append((at_ms, usage(f"{back}", name, at_ms)))
    return [raw for _, raw in sorted(lines)]


async def test_a_history_that_is_loaded_ends_with_one_digest(live: Live) -> None:
    async with live:
        lines = past(time.time_ns() // 1_000_000)
        # So slowly that a worker starts meanwhile where much else runs.
        playing = asyncio.create_task(live.play(lines, history=True, rate=len(lines) / 45))
        while await asyncio.to_thread(live.system.written) < 50:
            assert not playing.done()
            await asyncio.sleep(0.2)
        # It ticks that it is now, while the past is played.
        await asyncio.to_thread(live.worker.start)
        assert not playing.done()
        await asyncio.to_thread(live.notifier.start)
        await playing
        await live.until(lambda: bool(live.told("digest")))
        await asyncio.to_thread(live.worker.kill)
        await asyncio.to_thread(live.worker.start)
        await asyncio.to_thread(live.system.wait_until_applied)
        await asyncio.sleep(3)
        statuses = list(map(json.loads, await asyncio.to_thread(live.system.accounts)))
        alerts = await asyncio.to_thread(live.system.alerts)

    (digest,) = live.told()
    in_danger = sorted(s["account_id"] for s in statuses if s["zone"] == "danger")
    evidence = digest["evidence"]
    assert evidence["by_reason"]["danger"] == len(in_danger) >= 2
    assert evidence["accounts"] == 20
    named = [each["account_id"] for each in evidence["worst"] if "danger" in each["reasons"]]
    assert named == in_danger[::-1], "who pays most is the first"
    of_accounts = [alert for alert in alerts if alert["account_id"] != "*"]
    assert {alert["historical"] for alert in of_accounts} == {True}
    replay = Replay(policy(live.system.config))
    replay.run(Script(Lines([live.system.folder / "events.ndjson"])))
    # Today's are of another clock.
    yesterday = format_ms(time.time_ns() // 1_000_000 - DAY_MS)
    wanted = {when(a) for a in map(json.loads, replay.alerts()) if a["at"] < yesterday}
    assert {when(a) for a in of_accounts if a["at"] < yesterday} == wanted
    assert len(wanted) > 10


def when(alert: dict[str, Any]) -> tuple[str, ...]:
    return alert["account_id"], alert["reason"], alert["status"], alert["at"]


def late(now_ms: int, name: str, days: range) -> list[bytes]:
    """What is known of an account only now."""
    return [
        usage(f"late {back}", name, now_ms - back * DAY_MS - HOUR_MS) for back in reversed(days)
    ]


async def test_a_load_into_a_live_system_tells_what_stands_at_its_end_in_one_digest(
    live: Live,
) -> None:
    async with live:
        now_ms = time.time_ns() // 1_000_000
        await live.play(past(now_ms), history=True)
        await live.start()
        await live.until(lambda: bool(live.told("digest")))
        while (latest_tick_ms(live.system.config.kafka) or 0) < now_ms:  # noqa: ASYNC110 - a topic
            await asyncio.sleep(0.5)
        failed = usage("fails", "a01", time.time_ns() // 1_000_000, event="payment_failed")
        await live.play([failed])
        await live.until(lambda: bool(live.told("payment_failed")))
        live.receiver.requests.clear()

        # Two accounts that in the middle of it look as if they were in danger, one that comes out
        # of it as the past has it, one that stays in it, and a payment that came after all; while
        # another account, that it does not touch, is cancelled.
        rising = [late(now_ms, name, range(1, 60)) for name in ("x1", "x2", "a19")]
        lines = [line for day in zip(*rising, strict=True) for line in day]
        lines += late(now_ms, "stays", range(30, 60))
        paid_ms = time.time_ns() // 1_000_000
        lines.insert(0, usage("paid", "a01", paid_ms, event="payment_recovered"))
        lines.insert(0, usage("old", "x1", now_ms - 91 * DAY_MS))
        # It is interrupted, and meanwhile the worker is killed.
        begun = await live.play(lines, load=True, rate=100, until_events=120)
        await asyncio.to_thread(live.worker.kill)
        await asyncio.to_thread(live.worker.start)
        await live.play([usage("bye", "a00", now_ms, event="subscription_cancelled")])
        await live.until(lambda: bool(live.told("subscription_cancelled")))
        assert said(live.told()) == {("a00", "subscription_cancelled", "firing")}
        rest = await live.play(lines, load=True, resume=True)
        await live.until(lambda: bool(live.told("digest")) and bool(live.told("payment_failed")))
        await asyncio.sleep(3)
        alerts = await asyncio.to_thread(live.system.alerts)

    (digest,) = live.told("digest")
    assert digest["evidence"]["after"] == "load"
    assert [each["account_id"] for each in digest["evidence"]["worst"]] == ["stays"]
    assert (begun.stopped, begun.load, rest.too_old) == (True, rest.load, 1)
    assert said(live.told()) == {
        ("*", "digest", "firing"),
        ("a00", "subscription_cancelled", "firing"),
        ("a01", "payment_failed", "resolved"),
    }
    (paid,) = live.told("payment_failed")
    assert paid["at"] >= digest["at"], "at the end of the load"
    recorded = {(a["account_id"], a["reason"], a.get("caused_by")) for a in alerts}
    assert ("stays", "danger", "load") in recorded
    # Of this one receivers were never told, since it began in the history.
    assert ("a19", "danger", None) in recorded
