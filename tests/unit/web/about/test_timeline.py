"""What happened to an account, the newest first."""

from __future__ import annotations

from pulse.alerting.people.account_notes import AccountNote
from pulse.alerting.people.outcomes import Outcome
from pulse.alerting.records.delivery import Delivery, State
from pulse.desk.books import AlertBook
from pulse.testing.alerts import sample_alert
from pulse.web.pages.about.timeline import MOST, timeline

from .days import day

DAY_MS = 86_400_000
START_MS = 1_767_225_600_000
"""2026-01-01."""


def test_alerts_deliveries_words_and_zones_are_in_one_order() -> None:
    book = AlertBook(most=10)
    said = sample_alert(
        "acme", "resolved", resolution="active_again", reason="silence",
        started_at_ms=START_MS + 2 * DAY_MS, at_ms=START_MS + 4 * DAY_MS,
    )  # fmt: skip
    book.take(b"acme", said.to_json())
    (alert,) = book
    outcome = Outcome(
        alert_id=alert.id, account_id="acme", reason="silence", outcome="false_alarm",
        author="kim", at_ms=START_MS + 5 * DAY_MS, started_ms=alert.started_ms, note="a holiday",
    )  # fmt: skip
    sent = Delivery(
        id="m", group="", receiver="slack", alerts=((alert.id, "firing"),), labels=(),
        state=State.FAILED, at_ms=START_MS + 3 * DAY_MS, created_ms=0, due_ms=0, attempts=4,
        reason="gone",
    )  # fmt: skip
    days = [day(0), day(1, 50.0, zone="approaching"), day(2, line=42.0, zone="approaching"),
            day(3, line=42.0, zone="approaching", lifecycle="dormant")]  # fmt: skip

    note = AccountNote(
        id="no_1", account_id="acme", author="lee", at_ms=START_MS + 6 * DAY_MS, text="they move"
    )

    found = timeline([alert], [outcome], [sent], days, [note])

    assert (found[0].note_id, found[0].author) == ("no_1", "lee")
    assert [(each.kind, each.words, each.more) for each in found] == [
        ("note", "lee noted", "they move"),
        ("said", "kim closed silence as false alarm", "a holiday"),
        ("ended", "Silence: ended", "it is used again"),
        ("not_sent", "Silence could not be sent: slack", "gone, 4 attempts"),
        ("zone", "From current to dormant", "where it is in its life"),
        ("alert", "Silence: alert", alert.summary),
        ("line", "The danger line went from 40 to 42", ""),
        ("zone", "From healthy to approaching", "score 50.0, line 40"),
    ]
    assert [each.day for each in found if each.kind == "zone"] == ["2026-01-04", "2026-01-02"]


def test_it_is_bounded() -> None:
    days = [day(n, zone="healthy" if n % 2 else "danger") for n in range(MOST + 50)]

    found = timeline([], [], [], days)

    assert len(found) == MOST
    assert found[0].day == days[-1].day.isoformat()
