"""Two tickers are harmless, one that is ahead is refused, and without any nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from pulse.playback.emit import PlaySettings, play
from pulse.playback.lines import Lines
from pulse.testing.histories import usage
from pulse.testing.paced import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, START_MS
from pulse.testing.truth import Truth

from .scenes import PARTITIONS, WORKER, Small, assigned, metric, now_ms, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pulse.testing.kafka import KafkaServer

pytestmark = pytest.mark.timeout(300)

SILENCE = {"signals": {"silence": {"days": 1, "min_active_days": 2}}}


def test_two_tickers_and_one_an_hour_ahead(kafka: KafkaServer, tmp_path: Path, unique: str) -> None:
    small = Small(kafka.bootstrap, tmp_path, unique, clock="wall", **SILENCE)
    started_ms = now_ms()
    load(small, started_ms)
    workers = [
        small.system.process("work", **WORKER, tick_interval_s=0.2).start() for _ in range(2)
    ]
    wait_for(lambda: sum(map(assigned, workers)) == PARTITIONS)
    second = Every(0.13, lambda number: small.tick(now_ms() - 400))
    ahead = Every(1.0, lambda number: small.tick(now_ms() + HOUR_MS))
    used = Every(0.05, lambda number: use(small, number))
    # `quiet` falls silent while the worker that ticked is dead.
    wait_for(lambda: now_ms() > started_ms + 12 * SECOND_MS)
    ticking = max(workers, key=lambda each: assigned(each))
    ticking.signal(signal.SIGSTOP)
    wait_for(lambda: small.system.uncommitted_at(now_ms()) > 0)
    ticking.kill()
    wait_for(lambda: now_ms() > started_ms + 20 * SECOND_MS)
    survivor = next(each for each in workers if each.running)
    wait_for(lambda: metric(survivor, "pulse_ticks_refused_total") > 0)
    for each in (used, ahead, second):
        each.end()
    small.flush()
    wait_for(lambda: any(a["account_id"] == "quiet" for a in small.system.alerts()))
    survivor.stop()
    # One that does not tick applies what the last ticks left: then the log stands still.
    small.system.process("work", **WORKER, tick_interval_s=3600).start()
    small.system.wait_until_applied()
    truth = Truth.of(small.system)
    truth.assert_holds(small.system)
    assert truth.counts["ticks_refused"] == ahead.count * PARTITIONS
    silent = [alert for alert in truth.alerts if alert["account_id"] == "quiet"]
    assert [(alert["reason"], alert["historical"]) for alert in silent] == [("silence", False)]
    events = truth.events_counted()
    assert sum(events[f"busy-{n}"] for n in range(9)) == used.count + 9 * 3
    small.close()


def use(small: Small, number: int) -> None:
    name = f"busy-{number % 9}"
    small.event(usage(f"now-{number}", name, now_ms()), name)


def load(small: Small, now: int) -> None:
    """What is known so far: `quiet` was busy and falls silent in 15 s, the others go on."""
    last_ms = now - DAY_MS + 15 * SECOND_MS
    times = {"quiet": [last_ms - day * DAY_MS for day in range(3)]}
    times |= {f"busy-{n}": [now - MINUTE_MS - day * DAY_MS for day in range(3)] for n in range(9)}
    lines = [
        (at_ms, usage(f"{name}-{at_ms}", name, at_ms))
        for name, all_ms in times.items()
        for at_ms in all_ms
    ]
    path = small.system.folder / "history.ndjson"
    path.write_bytes(b"\n".join(line for _, line in sorted(lines)))
    play(small.system.config, Lines([path]), PlaySettings(history=True))


@pytest.mark.parametrize("killed", [False, True])
def test_no_ticker_for_five_minutes(
    kafka: KafkaServer, tmp_path: Path, unique: str, killed: bool
) -> None:
    small = Small(kafka.bootstrap, tmp_path, unique, **SILENCE)
    worker = small.system.process("work", **WORKER).start()

    def go_on(from_s: int, to_s: int, ticking: bool) -> None:
        for second in range(from_s, to_s):
            at_ms = START_MS + second * SECOND_MS
            if ticking:
                small.tick(at_ms)
            small.event(usage(f"e{second}", "acme", at_ms, user_id=f"u{second % 7}"))
            if second % 60 == 0:
                small.flush()
                time.sleep(0.2)
        small.flush()

    go_on(0, 180, ticking=True)
    go_on(180, 480, ticking=False)
    small.system.wait_until_applied()
    before = json.loads(small.system.accounts()[0])
    if killed:
        worker.signal(signal.SIGSTOP)
        go_on(480, 482, ticking=False)
        at_ms = now_ms()
        worker.kill()
        assert small.system.uncommitted_at(at_ms) > 0
        worker.start()
    go_on(482, 660, ticking=True)
    small.tick(START_MS + 3 * DAY_MS)
    small.flush()
    small.system.wait_until_applied()
    truth = Truth.of(small.system)
    truth.assert_holds(small.system)
    # The clock stood; what was used meanwhile was counted.
    assert before["as_of"] == "2024-03-01T00:02:59Z"
    assert before["measures"]["events"]["84d"] == 480
    assert truth.events_counted() == {"acme": 660 if killed else 658}
    assert truth.dead_letters == set()
    small.close()


@pytest.mark.timeout(480)
def test_no_ticker_by_the_wall_clock(kafka: KafkaServer, tmp_path: Path, unique: str) -> None:
    """For 20 s; for the whole five minutes where there is time for every seed (`make soak`)."""
    seconds = 300 if os.environ.get("PULSE_SEEDS") == "all" else 20
    small = Small(kafka.bootstrap, tmp_path, unique, clock="wall", **SILENCE)
    started_ms = now_ms()
    load(small, started_ms)
    still = small.system.process("work", **WORKER, tick_interval_s=3600).start()
    wait_for(lambda: assigned(still) == PARTITIONS)
    used = Every(0.05, lambda number: use(small, number))
    time.sleep(max(started_ms / 1000 + seconds - time.time(), 0))
    # `quiet` has been silent for long enough, but nobody has said what time it is.
    wait_for(lambda: metric(still, "pulse_events_total") > 0)
    wait_for(lambda: told(small) != [])
    assert told(small) == ["digest"]  # which the end of the history made, whatever time it is
    still.stop()
    ticking = small.system.process("work", **WORKER, tick_interval_s=0.2).start()
    wait_for(lambda: any(a["account_id"] == "quiet" for a in small.system.alerts()))
    used.end()
    small.flush()
    ticking.stop()
    small.system.process("work", **WORKER, tick_interval_s=3600).start()
    small.system.wait_until_applied()
    truth = Truth.of(small.system)
    truth.assert_holds(small.system)
    events = truth.events_counted()
    assert sum(events[f"busy-{n}"] for n in range(9)) == used.count + 9 * 3
    assert [a["reason"] for a in truth.alerts if a["account_id"] == "quiet"] == ["silence"]
    small.close()


def told(small: Small) -> list[str]:
    """The reasons of the alerts that are not of the past."""
    return [alert["reason"] for alert in small.system.alerts() if not alert["historical"]]


class Every(threading.Thread):
    """Does something every so many seconds, until `end`; `count` is how often it was done."""

    def __init__(self, seconds: float, what: Callable[[int], Any]) -> None:
        super().__init__(daemon=True)
        self.count = 0
        self._seconds = seconds
        self._what = what
        self._ended = threading.Event()
        self.start()

    def run(self) -> None:
        while not self._ended.wait(self._seconds):
            self._what(self.count)
            self.count += 1

    def end(self) -> None:
        """Return when it is done for the last time."""
        self._ended.set()
        self.join()
