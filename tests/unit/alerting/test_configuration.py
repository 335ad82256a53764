"""The alert about the whole fleet is an alert like any other to those who read it."""

from __future__ import annotations

import pytest

from pulse.alerting.everybody.configuration import moved_alert
from pulse.engagement.line import Line
from pulse.model.notification import MAX_BODY_BYTES, webhook_body

LINE = Line(40, 50, 55, 0, 0, 5)
OWN = "0123456789ab"


@pytest.mark.parametrize(
    ("moved", "version", "summary"),
    [
        (
            {"healthy → danger": 1},
            OWN,
            "an account is in another zone because the rules changed (0123456789ab): "
            "1 healthy → danger.",
        ),
        (
            {"approaching → danger": 1_200, "danger → healthy": 3},
            "fleet-2024-10-24",
            "1,203 accounts are in another zone because the line of the fleet moved "
            "(fleet-2024-10-24): 1,200 approaching → danger, 3 danger → healthy.",
        ),
    ],
)
def test_it_says_how_many_went_where_and_why(
    moved: dict[str, int], version: str, summary: str
) -> None:
    record = moved_alert(moved, version, 1_729_798_381_000, LINE, OWN)
    alert = record.model()

    assert alert.to_json() == record.to_json()
    assert alert.summary == summary
    assert (alert.account_id, alert.reason, alert.status) == ("*", "configuration", "firing")
    assert alert.evidence["changes"] == moved
    assert len(webhook_body(alert)) < MAX_BODY_BYTES


def test_the_same_crossings_make_the_same_alert() -> None:
    first, second = (moved_alert({"a → b": 1}, OWN, 7, LINE, OWN) for _ in range(2))

    assert first.to_json() == second.to_json()
