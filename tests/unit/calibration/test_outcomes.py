"""Outcomes are read whole, or refused with the line of the mistake."""

import pytest

from pulse.calibration.outcomes import Outcomes, OutcomesError, Stay, censored, read_outcomes
from pulse.model.time import parse_ts


def read(text: str) -> Outcomes:
    return read_outcomes(text.splitlines(keepends=True), "churn.csv")


def test_who_left_and_who_stayed() -> None:
    outcomes = read(
        "account_id,started_at,churned_at\n"
        "acme,2025-01-07,\n"
        '"globex, inc", 2024-11-30T10:00:00+02:00,2025-06-14\n'
    )
    assert outcomes == {
        "acme": (Stay(parse_ts("2025-01-07T00:00:00Z"), None),),
        "globex, inc": (Stay(parse_ts("2024-11-30T08:00:00Z"), parse_ts("2025-06-14T00:00:00Z")),),
    }


def test_columns_may_stand_in_any_order_and_there_may_be_more() -> None:
    assert read("churned_at,why,account_id\n2025-01-01,price,acme\n")["acme"][0].churned_ms


def test_who_came_back_has_a_line_for_each_stay_in_any_order() -> None:
    outcomes = read(
        "account_id,started_at,churned_at\n"
        "acme,2025-03-01,\n"
        "globex,,\n"
        "acme,,2024-01-01\n"
        "acme,2024-06-01,2025-03-01\n"
    )
    first, second, third = outcomes["acme"]
    assert (first.started_ms, third.churned_ms) == (None, None)
    assert second == Stay(parse_ts("2024-06-01T00:00:00Z"), parse_ts("2025-03-01T00:00:00Z"))
    # What was known in summer 2024.
    assert censored(outcomes, parse_ts("2024-07-01T00:00:00Z"))["acme"] == (
        first,
        Stay(second.started_ms, None),
    )


def test_who_came_later_was_not_known() -> None:
    assert censored({"acme": (Stay(8, None),), "globex": (Stay(None, 8),)}, 8) == {
        "globex": (Stay(None, None),)
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no column account_id"),
        ("account,churned_at\na,\n", "no column account_id: its first line must be account_id,"),
        ("account_id,churned_at\n", "no accounts"),
        ("account_id,churned_at\nacme\n", "line 2: fewer fields than columns"),
        ("account_id,churned_at\nacme, inc,2025-01-01\n", "line 2: more fields than columns"),
        (
            "account_id,churned_at\n,2025-01-01\n",
            "line 2: no account_id: name the account",
        ),
        (
            "account_id,churned_at\na,\na,\n",
            'line 3: account "a" stands on line 2 too, and neither says started_at: only the first',
        ),
        (
            "account_id,started_at,churned_at\nb,,\na,2025-05-01,\na,2024-01-01,\n",
            'line 4: account "a" stands on line 3 too, and the stay before 2025-05-01 has no end: ',
        ),
        (
            "account_id,started_at,churned_at\na,,2025-05-02\na,2025-05-01,\n",
            'line 3: account "a" stands on line 2 too, and the two stays overlap: end one before',
        ),
        ("account_id,churned_at\na,14.06.2025\n", 'line 2: churned_at "14.06.2025" must be RFC'),
        (
            "account_id,started_at,churned_at\na,2025-02-01,2025-01-01\n",
            "line 2: churned_at is before started_at: are the two exchanged?",
        ),
    ],
)
def test_mistakes(text: str, said: str) -> None:
    with pytest.raises(OutcomesError) as raised:
        read(text)
    assert said in str(raised.value)
    assert str(raised.value).startswith("churn.csv")
