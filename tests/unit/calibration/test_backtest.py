"""Which alerts are the same, and what each owner gets."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from pulse.calibration.alerts import quality_of
from pulse.calibration.backtest import Fired, Load, compare, fired, load_by_owner
from pulse.calibration.lines import Terms
from pulse.calibration.outcomes import Stay
from pulse.engagement.days import DAY_MS

alerts = st.lists(
    st.builds(
        Fired,
        st.sampled_from("ab"),
        st.sampled_from(["danger", "silence"]),
        st.integers(0, 40).map(lambda day: day * DAY_MS),
        st.just("smb"),
        st.sampled_from(["ann", "bob"]),
    ),
    max_size=12,
    unique_by=lambda each: each[:3],
)


def alert(status: str, **profile: str) -> bytes:
    fields = {"account_id": "acme", "reason": "danger", "status": status, "profile": profile}
    return json.dumps(fields | {"at": "1970-01-02T00:00:00Z", "id": "al_x"}).encode()


def test_what_began_is_counted_with_its_owner() -> None:
    given = [alert("firing", owner="ann", segment="smb"), alert("resolved"), alert("firing")]
    assert fired(given) == [
        Fired("acme", "danger", DAY_MS, "smb", "ann"),
        Fired("acme", "danger", DAY_MS, "no segment", "nobody"),
    ]


@given(alerts, alerts, st.integers(0, 10))
def test_every_alert_is_gained_lost_or_the_same(
    new: list[Fired], old: list[Fired], days: int
) -> None:
    found = compare(new, old, days * DAY_MS)
    assert sorted(found.gained + found.same) == sorted(new)
    assert len(found.lost) + len(found.same) == len(old)
    assert set(found.lost) <= set(old)
    counts = found.by_segment_and_reason().values()
    assert [sum(column) for column in zip(*counts, strict=True)] in (
        [],
        [len(found.gained), len(found.lost), len(found.same)],
    )


@given(alerts)
def test_nothing_changes_against_itself(given: list[Fired]) -> None:
    found = compare(given, given, 0)
    assert (found.gained, found.lost) == ([], [])
    assert len(found.same) == len(given)


def test_a_later_one_of_the_same_account_is_another_alert() -> None:
    first = Fired("acme", "danger", 0, "smb", "ann")
    later, other = first._replace(at_ms=30 * DAY_MS), first._replace(reason="silence")
    found = compare([later, other], [first], 7 * DAY_MS)
    assert found.gained == [other, later]
    assert found.lost == [first]


def test_the_load_of_an_owner() -> None:
    days = [0, 1, 2, 20]
    given = [Fired("a", "danger", day * DAY_MS, "smb", "ann") for day in days]
    found = load_by_owner(given, 0, 28 * DAY_MS)
    assert found == {"ann": Load(4, 1.0, 3)}


def test_alerts_are_held_against_who_left() -> None:
    outcomes = {"a": (Stay(None, 50 * DAY_MS),), "b": (Stay(None, None),), "c": (Stay(None, None),)}
    given = [("a", 20 * DAY_MS), ("b", 10 * DAY_MS), ("unknown", 0), ("c", 90 * DAY_MS)]
    found = quality_of(given, outcomes, 0, 99 * DAY_MS, Terms(14, 60))
    # What became of `c` within 60 days nobody knows yet, and of `unknown` nothing is known.
    assert (found.precision, found.recall, found.lead_days) == (0.5, 1.0, 30)


def test_alerts_belong_to_the_stay_in_which_they_are() -> None:
    back = (Stay(10 * DAY_MS, 40 * DAY_MS), Stay(60 * DAY_MS, 90 * DAY_MS))
    given = [("a", day * DAY_MS) for day in (5, 20, 45, 70)]
    found = quality_of(given, {"a": back}, 0, 99 * DAY_MS, Terms(1, 30))
    # Before the first stay nothing counts; after one that is over, an alert is not judged.
    assert (found.precision, found.recall, found.lead_days) == (1.0, 1.0, 20)
    assert found.alerts_a_week == 3 * 7 / 100
    until = quality_of(given, {"a": back}, 0, 99 * DAY_MS, Terms(1, 30), 60 * DAY_MS)
    assert (until.recall, until.alerts_a_week) == (1.0, 2 * 7 / 60)
