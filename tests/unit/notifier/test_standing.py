"""How alerts stand, as the notifier leaves them on record, and how that is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pulse.alerting.people.silences import Muted, encode_silence, encode_snooze
from pulse.alerting.records.standing import by_alert, standings
from pulse.alerting.stages.budget import Budget
from pulse.alerting.stages.hours import Hours, Interval
from pulse.alerting.stages.matching import Matcher
from pulse.alerting.stages.muting import Silence, Snooze
from pulse.cli.alerts import record_of, shown
from pulse.notifier.receiver import Outcome, Verdict
from pulse.testing.alerts import sample_alert

from .test_dispatch import ERROR, GONE, START_MS, Stage
from .test_dispatch_of_groups import DAY_MS, MINUTE_MS, of_kim, stage

if TYPE_CHECKING:
    from pulse.model import Alert


IN_PART = Outcome(
    Verdict.DELIVERED, "recipients_refused", detail="1 of the recipients were refused"
)


def said(scene: Stage, alert: Alert) -> str:
    known = scene.known()
    told = by_alert(known.notifications.values())[alert.id]
    found = standings(known.alerts[alert.id], told, known)
    return "; ".join(f"{one.receiver}: {one.what}: {one.why}".strip(": ") for one in found)


@pytest.mark.parametrize(
    ("answers", "what"),
    [
        ([], "cs: sent"),
        ([ERROR], "cs: tried again: http_500"),
        ([ERROR] * 3, "cs: failed: http_500"),
        ([GONE], "cs: not sent: http_410"),
        ([IN_PART], "cs: sent: but some of the recipients were refused"),
    ],
)
async def test_what_became_of_what_was_attempted(answers: list[Outcome], what: str) -> None:
    scene = stage()
    scene.desk.answers = list(answers)
    async with scene.running() as notifier:
        await scene.take(notifier, sample_alert())
        await scene.clock.advance(4 if len(answers) < 3 else 400)
        assert said(scene, sample_alert()) == what


async def test_what_a_person_holds() -> None:
    silenced, snoozed, free = (sample_alert(name) for name in ("acme", "bolt", "cube"))
    muted = Muted()
    silence = Silence(
        id="si_1", match=Matcher(accounts=("acme",)), author="kim", reason="known",
        starts_ms=START_MS, ends_ms=START_MS + DAY_MS,
    )  # fmt: skip
    muted.read(*encode_silence(silence))
    until_ms = START_MS + MINUTE_MS
    muted.read(*encode_snooze(Snooze(alert_id=snoozed.id, author="kim", until_ms=until_ms)))
    scene = stage()
    async with scene.running() as notifier:
        notifier.mute(muted)
        await scene.take(notifier, silenced, snoozed, free)
        assert said(scene, silenced) == "cs: held: a person silenced it (si_1)"
        assert said(scene, snoozed) == "cs: held: a person snoozed it"
        assert said(scene, free) == "cs: sent"
        await scene.clock.advance(61)
        assert said(scene, snoozed) == "cs: sent"
        await scene.take(notifier, sample_alert("acme", "resolved"))
        assert "ended before its beginning was ever attempted" in said(scene, silenced)


async def test_what_the_rules_hold() -> None:
    closed = Hours(active=(Interval(name="work", times=((0, 1),)),))
    scene = stage(hours=closed)
    async with scene.running() as notifier:
        await scene.take(notifier, sample_alert())
        assert said(scene, sample_alert()) == "cs: held: the hours of its route (work)"
    scene = stage(wait_ms=MINUTE_MS)
    async with scene.running() as notifier:
        await scene.take(notifier, sample_alert())
        assert said(scene, sample_alert()).startswith("cs: waits: for others")
    scene = stage(budget=Budget(weekly=1))
    async with scene.running() as notifier:
        await scene.take(notifier, of_kim("acme", profile={"mrr": 900}), of_kim("bolt"))
        assert said(scene, of_kim("acme")) == "cs: sent"
        assert said(scene, of_kim("bolt")).startswith("cs: waits: its owner was told enough")


async def test_what_is_told_to_nobody() -> None:
    old = sample_alert(historical=True)
    scene = Stage()
    async with scene.running() as notifier:
        await scene.take(notifier, old)
    assert said(scene, old) == ": not sent: from a history: nobody is told".strip(": ")


async def test_an_alert_is_shown_with_its_way_and_its_notifications() -> None:
    alert = sample_alert()
    scene = stage()
    scene.desk.answers = [ERROR]
    async with scene.running() as notifier:
        await scene.take(notifier, alert)
        await scene.clock.advance(10)
        await scene.take(notifier, sample_alert(status="resolved"))
    known = scene.known()
    told = by_alert(known.notifications.values())[alert.id]
    lines = list(shown(known.alerts[alert.id], told, known))
    record = record_of(known.alerts[alert.id], told, known)

    assert lines == [
        f"{alert.id}: danger of acme, critical",
        "  resolved, at 2023-11-14 22:13:20, came 2023-11-14 22:13:30",
        "  from pulse.alerts/0/1",
        "told",
        "  cs: sent, 2023-11-14 22:13:30",
        "way",
        "  2023-11-14 22:13:20  deduplicate, cs: told (it is in a notification)",
        "notifications",
        f"  2023-11-14 22:13:20  {alert.id}_cs_firing  cs: firing succeeded at 2023-11-14 22:13:25"
        " (2 attempts, HTTP 200)",
        f"  2023-11-14 22:13:30  {alert.id}_cs_resolved  cs: resolved succeeded at"
        " 2023-11-14 22:13:30 (1 attempt, HTTP 200)",
    ]
    assert record["told"][0]["what"] == "sent"
    assert record["notifications"] == [f"{alert.id}_cs_firing", f"{alert.id}_cs_resolved"]
