"""Alerts: the same id for the same alert, and a sentence that is understood on its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pulse.alerting.alert import Circumstances, alert_id, build
from pulse.engagement.account import OpenAlert, Row
from pulse.engagement.days import DAY_MS
from pulse.engagement.line import Line
from pulse.engagement.measures import MICRO, NEVER_USED, Measures
from pulse.model import Alert
from pulse.model.time import parse_ts
from pulse.testing.playing import checked

if TYPE_CHECKING:
    from pulse.model.alert import Resolution

AT_MS = parse_ts("2024-10-24T00:00:00Z")
OPENED = OpenAlert(AT_MS, AT_MS - DAY_MS)
NOW = Measures((3 * MICRO,) * 3, (0, 0, 0), (2, 2, 2), (1, 1, 1), (3, 3, 3), 5 * DAY_MS)
THEN = Row(
    1,
    62.5,
    Measures((12 * MICRO,) * 3, (0, 0, 0), (10, 10, 10), (1, 1, 1), (12, 12, 12), NEVER_USED),
)
WHAT = Circumstances(
    account_id="acme",
    at_ms=AT_MS,
    zone="danger",
    previous_zone="healthy",
    lifecycle="current",
    score=31.4159,
    contributions={"active_days": 20.111, "events": 11.3049},
    line=Line(40, 50, 55, DAY_MS, 0, 5),
    now=NOW,
    then=THEN,
    then_at_ms=AT_MS - 28 * DAY_MS,
    last_ms=AT_MS - 5 * DAY_MS,
    active_days=40,
    profile={"name": "Acme Ltd", "mrr": 100.0},
    historical=False,
)


def alert(
    reason: str = "danger", resolution: Resolution | None = None, what: Circumstances = WHAT
) -> Alert:
    return checked(build(reason, OPENED, resolution, what, "call them", "0" * 12))


def test_the_id_is_a_function_of_account_reason_and_beginning() -> None:
    same = alert_id("acme", "danger", 7)

    assert same == alert_id("acme", "danger", 7) == "al_5g4pwzqsham2g6rmoxhj2g7foy"
    others = [
        alert_id("acme", "danger", 8),
        alert_id("acme", "silence", 7),
        alert_id("acm", "edanger", 7),
        alert_id("b", "danger", 7),
    ]
    assert len({same, *others}) == 5


def test_firing_and_resolved_have_one_id() -> None:
    later = replace(WHAT, at_ms=AT_MS + 9 * DAY_MS)

    assert alert().id == alert("danger", "recovered", later).id


def test_what_an_alert_says() -> None:
    got = alert()

    assert (got.status, got.resolution, got.severity) == ("firing", None, "critical")
    assert (got.started_at, got.since, got.at) == (AT_MS, AT_MS - DAY_MS, AT_MS)
    assert (got.score, got.contributions) == (31.42, {"active_days": 20.11, "events": 11.3})
    assert got.measures.now.active_users.days_28 == 2
    assert got.measures.then is not None
    assert got.measures.then.events.days_28 == 12
    assert got.measures.then_at == AT_MS - 28 * DAY_MS
    assert got.profile.name == "Acme Ltd"
    assert got.evidence == {"score": 31.42, "score_then": 62.5}
    assert got.play == "call them"


def test_it_reads_back_as_it_was_written() -> None:
    assert Alert.model_validate_json(alert().to_json()) == alert()


@pytest.mark.parametrize(
    ("reason", "resolution", "sentence"),
    [
        (
            "danger",
            None,
            "Acme Ltd fell below the danger line: score 31.4, line 40. "
            "In 28 days: active users 10 → 2, active days 12 → 3.",
        ),
        (
            "danger",
            "recovered",
            "Acme Ltd is back above the danger line: score 31.4, left at 50.",
        ),
        (
            "approaching",
            None,
            "Acme Ltd is about to cross the danger line: score 31.4, line 40. "
            "In 28 days: active users 10 → 2, active days 12 → 3.",
        ),
        (
            "approaching",
            "crossed",
            "Acme Ltd no longer approaches the danger line, it crossed it: score 31.4.",
        ),
        (
            "approaching",
            "recovered",
            "Acme Ltd has moved away from the danger line: score 31.4.",
        ),
        (
            "silence",
            None,
            "Acme Ltd fell silent: nothing meaningful for a day, after 40 active days.",
        ),
        ("silence", "active_again", "Acme Ltd is active again after its silence."),
        ("silence", "no_longer", "Acme Ltd: silence no longer holds, after less than a day."),
        (
            "silence",
            "rule_removed",
            "Acme Ltd: silence is no longer looked for, after less than a day.",
        ),
        ("silence", "churned", "Acme Ltd has left: nothing meaningful for 5 days."),
        ("danger", "churned", "Acme Ltd has left: nothing meaningful for 5 days."),
    ],
)
def test_sentences(reason: str, resolution: Resolution | None, sentence: str) -> None:
    assert alert(reason, resolution).summary == sentence


def test_nothing_is_said_of_a_past_that_is_not_known() -> None:
    nameless = replace(WHAT, then=None, then_at_ms=None, profile={}, score=None)
    got = alert(what=nameless)

    assert got.summary == "acme fell below the danger line: no score, line 40."
    assert (got.measures.then, got.measures.then_at) == (None, None)


def test_what_has_no_play_gets_one() -> None:
    assert checked(build("danger", OPENED, None, WHAT, None, "0" * 12)).play
