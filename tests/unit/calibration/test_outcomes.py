"""Outcomes are read whole, or refused with the line of the mistake."""

import pytest

from pulse.calibration.outcomes import Outcome, OutcomesError, read_outcomes
from pulse.model.time import parse_ts


def read(text: str) -> dict[str, Outcome]:
    return read_outcomes(text.splitlines(keepends=True), "churn.csv")


def test_who_left_and_who_stayed() -> None:
    outcomes = read(
        "account_id,started_at,churned_at\n"
        "acme,2025-01-07,\n"
        '"globex, inc", 2024-11-30T10:00:00+02:00,2025-06-14\n'
    )
    assert outcomes == {
        "acme": Outcome(parse_ts("2025-01-07T00:00:00Z"), None),
        "globex, inc": Outcome(parse_ts("2024-11-30T08:00:00Z"), parse_ts("2025-06-14T00:00:00Z")),
    }


def test_columns_may_stand_in_any_order_and_there_may_be_more() -> None:
    assert read("churned_at,why,account_id\n2025-01-01,price,acme\n")["acme"].churned_ms


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no column account_id"),
        ("account,churned_at\na,\n", "no column account_id: its first line must be account_id,"),
        ("account_id,churned_at\n", "no accounts"),
        ("account_id,churned_at\nacme\n", "line 2: fewer fields than columns"),
        ("account_id,churned_at\nacme, inc,2025-01-01\n", "line 2: more fields than columns"),
        ("account_id,churned_at\n,2025-01-01\n", "line 2: no account_id"),
        ("account_id,churned_at\na,\na,\n", 'line 3: account "a" stands there twice'),
        ("account_id,churned_at\na,14.06.2025\n", 'line 2: churned_at "14.06.2025" must be RFC'),
        (
            "account_id,started_at,churned_at\na,2025-02-01,2025-01-01\n",
            "line 2: churned_at is before started_at",
        ),
    ],
)
def test_mistakes(text: str, said: str) -> None:
    with pytest.raises(OutcomesError) as raised:
        read(text)
    assert said in str(raised.value)
    assert str(raised.value).startswith("churn.csv")
