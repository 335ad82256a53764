"""`pulse try-route`: what would become of an alert, as the pipeline then does it."""

from __future__ import annotations

from datetime import datetime
from textwrap import dedent
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from pulse.alerting.brief import Brief
from pulse.alerting.pipeline import Pipeline
from pulse.alerting.trying import try_route
from pulse.cli import app
from pulse.config import Config
from pulse.config.loading import read
from pulse.config.pipeline import pipeline_rules
from pulse.errors import PulseError
from pulse.testing.alerts import sample_alert

if TYPE_CHECKING:
    from pathlib import Path

FILE = dedent("""
    timezone: Europe/Berlin
    receivers:
      - {name: cs, kind: webhook, url: https://a.example, secret_env: A}
      - {name: night, kind: webhook, url: https://b.example, secret_env: A, timezone: Asia/Tokyo}
      - {name: pager, kind: pagerduty, routing_key_env: B, reasons: [payment_failed]}
    time_intervals:
      - {name: work, weekdays: [monday, tuesday, wednesday, thursday, friday],
         times: ["09:00-17:00"]}
      - {name: closed, dates: [2026-12-25]}
    owners: {rule: round_robin, team: [kim, lee]}
    route:
      receivers: [cs]
      routes:
        - match: {segments: [enterprise]}
          receivers: [cs, night, pager]
          group_by: [owner, reason]
          group_wait: 30s
          group_interval: 5m
          repeat_interval: 3d
          only_in: [work]
          not_in: [closed]
        - {match: {mrr_below: 10}, receivers: []}
    inhibit:
      - {by: {reasons: [payment_failed]}, mutes: {reasons: [danger]}}
      - {mutes: {lifecycles: [churned]}}
    budget: {weekly: 10, digest: {at: "08:00", weekdays: [monday]}}
""")

HELD = "holdout: {share: 0.5, salt: spring, since: 2026-01-01}\n"
"""Has beta, not acme."""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "pulse.yaml"
    file.write_text(FILE)
    return file


def tried(*arguments: object) -> list[str]:
    done = CliRunner().invoke(app, ["try-route", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output.splitlines()


def test_an_alert_at_the_weekend_is_held_until_monday_in_each_time_zone(config: Path) -> None:
    said = tried("--config", config, "--segment", "enterprise", "--at", "2026-11-28T07:00")

    assert said == [
        "danger of acme (critical, segment enterprise, owner kim (by rule, the first)), "
        "at Sat 2026-11-28 07:00 Europe/Berlin",
        "to cs: held until Mon 2026-11-30 09:00 Europe/Berlin (outside of work)",
        "    by the route all → segments=enterprise",
        "    together with what has the same owner kim, reason danger",
        "    at most every 5m",
        "    again every 3d while it fires",
        "to night: held until Mon 2026-11-30 09:00 Asia/Tokyo (outside of work)",
        "    by the route all → segments=enterprise",
        "    together with what has the same owner kim, reason danger",
        "    at most every 5m",
        "    again every 3d while it fires",
        "not to pager: its `reasons` do not want it",
        "inhibited: held while an alert of the same account fires with reasons=payment_failed",
        "fleet: held for up to 1h while more than 10 % of the accounts fall together",
        "budget: one of 10 in seven days for kim; over it, in the digest of "
        "Mon 2026-11-30 00:00 Europe/Berlin",
    ]


def test_a_holiday_holds_too_and_working_hours_do_not(config: Path) -> None:
    holiday = tried("--config", config, "--segment", "enterprise", "--at", "2026-12-25T10:00")
    open_now = tried("--config", config, "--segment", "enterprise", "--at", "2026-11-27T10:00")

    assert holiday[1] == "to cs: held until Mon 2026-12-28 09:00 Europe/Berlin (closed)"
    assert open_now[1] == "to cs: after 30s, which wait for others"


def test_who_gets_nothing_is_told_why(config: Path) -> None:
    said = tried("--config", config, "--mrr", 5, "--reason", "silence", "--owner", "max")

    assert said[0].startswith("silence of acme (warning, MRR 5, owner max), at ")
    assert said[1:] == ["to nobody: its route has no receivers"]


def test_an_alert_from_a_file_is_tried_as_it_is(config: Path, tmp_path: Path) -> None:
    file = tmp_path / "alert.json"
    file.write_bytes(sample_alert("beta", lifecycle="churned").to_json())
    loaded = tmp_path / "loaded.json"
    loaded.write_bytes(sample_alert("beta", caused_by="load").to_json())

    said = tried("--config", config, "--alert", file, "--at", "2026-11-28T06:00:00Z")
    load = tried("--config", config, "--alert", loaded)
    ended = tmp_path / "ended.json"
    ended.write_bytes(sample_alert("beta", "resolved", lifecycle="churned").to_json())
    assert tried("--config", config, "--alert", ended, "--at", "2026-11-28T06:00:00Z") == said

    assert said[0].startswith("danger of beta (critical, segment enterprise, MRR 1200, owner kim")
    assert "inhibited: never told, by what it says itself (lifecycles=churned)" in said
    assert load[1] == "to nobody: it is of a load: a digest tells of it"


def test_an_account_that_is_held_out_is_told_to_nobody(config: Path) -> None:
    config.write_text(FILE + HELD)

    assert tried("--config", config, "--account", "acme", "--mrr", 50)[1].startswith("to cs: ")
    assert tried("--config", config, "--account", "beta")[1] == (
        "to nobody: its account is held out (`holdout`): it is recorded only"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--at", "tomorrow"], '"tomorrow" is no time'),
        (["--alert", "/no/such/file"], "cannot read /no/such/file"),
        (["--alert", __file__], "is no alert"),
    ],
)
def test_a_mistake_is_said_clearly(config: Path, arguments: list[str], words: str) -> None:
    with pytest.raises(PulseError, match=words):
        tried("--config", config, *arguments)


RULES = pipeline_rules(read(Config, FILE + HELD))
START_MS = round(datetime(2026, 11, 20, tzinfo=ZoneInfo("UTC")).timestamp() * 1000)


@given(
    account=st.sampled_from(["acme", "beta"]),  # beta is held out
    segment=st.sampled_from(["", "enterprise"]),
    mrr=st.sampled_from([0.0, 100.0]),
    reason=st.sampled_from(["danger", "silence", "payment_failed"]),
    minute=st.integers(0, 40 * 24 * 60),
)
def test_the_pipeline_does_what_was_said(
    account: str, segment: str, mrr: float, reason: str, minute: int
) -> None:
    """Who is named gets it, at that time and not before."""
    now_ms = START_MS + 60_000 * minute
    brief = Brief(
        id="al_1",
        account_id=account,
        reason=reason,
        status="firing",
        severity="critical",
        at_ms=now_ms,
        segment=segment,
        mrr=mrr,
    )
    trial = try_route(RULES, brief, now_ms)
    expected = {}
    for way in trial.ways:
        held_ms = None if way.held is None else way.held.until_ms
        expected[way.to.name] = max(now_ms + way.route.wait_ms, held_ms or 0)

    pipeline = Pipeline(RULES)
    pipeline.take(brief, now_ms)
    assert {each.reason for each in trial.not_to} == {
        each.reason for each in pipeline.decisions() if each.stage == "route"
    }
    made: dict[str, int] = {}
    clock_ms: int | None = now_ms
    while clock_ms is not None and len(made) < len(expected):
        made.update({each.receiver: clock_ms for each in pipeline.flush(clock_ms)})
        clock_ms = pipeline.next_ms()

    assert made == expected
