"""The bytes in docs/life-of-an-event.md are those that the modules make."""

from __future__ import annotations

import re
from pathlib import Path

from pulse.collector.dialects import native
from pulse.config import Config
from pulse.config.policy import policy
from pulse.engine.control import tick
from pulse.model import notification_id, parse_ts, webhook_body
from pulse.packs import packed
from pulse.testing.histories import profile
from pulse.testing.playing import Play

PAGE = (Path(__file__).parents[2] / "docs" / "life-of-an-event.md").read_text(encoding="utf-8")
SAID = (
    b'{"id": "in_812", "account_id": "acme", "event": "payment_failed", '
    b'"ts": "2026-11-27T09:14:03Z"}'
)
TOLD_MS = parse_ts("2026-11-27T09:15:02Z")


def lines() -> list[str]:
    """The lines of the page that are JSON."""
    return [line for line in PAGE.splitlines() if line.startswith("{")]


def shown(made: bytes) -> list[str]:
    """The lines of the page that show these bytes, of which `…` leaves some out."""
    text = made.decode()

    def is_it(line: str) -> bool:
        return re.fullmatch(".*".join(map(re.escape, line.split("…"))), text) is not None

    return [line for line in lines() if is_it(line)]


def test_each_step_makes_what_is_shown() -> None:
    meant = native.events_in(SAID, "application/json", "billing")
    (pack,) = packed(meant.lines, Config().kafka.partitions)
    play = Play(policy(Config()))
    play.tick(parse_ts("2026-11-27T09:00:00Z"))
    play.add(profile("p-1", "acme", parse_ts("2026-11-27T08:00:00Z"), name="Acme"))
    play.add(pack.value)
    play.tick(TOLD_MS - 1_000)
    assert play.outcome.alerts == []  # one second past the minute
    play.tick(TOLD_MS)
    (alert,) = play.outcome.alerts
    body = webhook_body(alert, {})

    made = [SAID, pack.value, tick(TOLD_MS, runs=True).value, alert.to_json(), body]
    assert [len(shown(each)) for each in made] == [1] * len(made)
    assert f"partition {pack.partition} of {Config().kafka.partitions}, key acme" in PAGE
    told = notification_id(alert.id, "crm", "firing")
    assert f"notification/{told}" in PAGE
    assert f"webhook-id: {told}" in PAGE
    assert f"webhook-timestamp: {TOLD_MS // 1000}" in PAGE


def test_what_is_left_out_may_be_anything_and_the_rest_nothing_else() -> None:
    assert shown(SAID) == [SAID.decode()]
    assert shown(SAID.replace(b"acme", b"globex")) == []
