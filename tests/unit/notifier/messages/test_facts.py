"""What templates are given: plain, short, on one line."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.notifier.messages.facts import facts_of, plain
from pulse.notifier.receiver import Notification
from pulse.testing.alerts import sample_alert


def facts(*alerts: Any, **changes: Any) -> Any:
    return facts_of(Notification(id="n", alerts=alerts or (sample_alert(),), **changes), "UTC")


@given(st.text())
def test_no_text_has_a_line_break_or_what_cannot_be_seen(text: str) -> None:
    said = plain(text, 50)

    assert len(said) <= 50
    assert said == said.strip()
    assert said.isprintable()


def test_a_name_is_on_one_line_and_short() -> None:
    alert = sample_alert("acme")
    name = "A" * 300 + "\r\nBcc: x\u202e"
    alert = alert.model_copy(update={"profile": alert.profile.model_copy(update={"name": name})})
    said = facts(alert)

    assert len(said.alerts[0].account) == 120
    assert "\n" not in said.title


def test_times_are_those_of_the_receiver() -> None:
    given = Notification(id="n", alerts=(sample_alert(),))

    assert facts_of(given, "Asia/Tokyo").alerts[0].since == "2023-11-14 07:13 JST"


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({}, "3 alerts: A, B, C"),
        ({"group": (("owner", "kim"),)}, "3 alerts for owner kim: A, B, C"),
        ({"group": (("segment", ""),)}, "3 alerts for segment unknown: A, B, C"),
        ({"group": (("alert", "al_1"),)}, "3 alerts: A, B, C"),
        ({"is_digest": True}, "Digest of 3 alerts: A, B, C"),
    ],
)
def test_the_title_of_several(changes: dict[str, Any], title: str) -> None:
    assert facts(*map(sample_alert, "abc"), **changes).title == title


def test_an_alert_about_nobody_is_about_all() -> None:
    said = facts(sample_alert("*", reason="fleet_falls", profile={}))

    assert said.title == "[critical] All accounts: fleet falls"


def test_only_addresses_of_the_web_become_links() -> None:
    alert = sample_alert()
    links = {
        "close": "https://pulse.example/c",
        "alert": "https://pulse.example/a?x=<1>|2",
        "snooze": "javascript:alert(1)",
        "wiki": "http://wiki.example/",
    }
    said = facts(alert, links={alert.id: links})

    assert said.alerts[0].links == (
        ("Open", "https://pulse.example/a?x=%3C1%3E%7C2"),
        ("Close with an outcome", "https://pulse.example/c"),
        ("wiki", "http://wiki.example/"),
    )
