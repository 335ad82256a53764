"""What another line would have said, against the engine's own trigger by hand."""

from __future__ import annotations

from pulse.engagement.days import DAY_MS
from pulse.engagement.line import Line
from pulse.history.trial import MOST_NAMED, Lines, Scored, Verdict, tried

HELD = Lines(Line(40, 50, 55, 0, 0, 0))
OTHER = Lines(Line(60, 70, 75, 0, 0, 0))


def days(account_id: str, *scores: float | None, left_at: int | None = None) -> list[Scored]:
    return [
        Scored(account_id, 100 + n, score, score is not None, left_at is not None and n >= left_at)
        for n, score in enumerate(scores)
    ]


def test_hysteresis_holds_and_who_was_there_before_is_no_alert() -> None:
    rows = days("a", 30, 45, 52, 45, 39)  # out at 52, in again at 39
    trial = tried(rows, HELD, OTHER)
    assert (trial.days, trial.accounts) == (5, 1)
    assert trial.now == Verdict(in_danger=1, alerts=1, left=0, warned=0)
    assert trial.then == Verdict(in_danger=1, alerts=0, left=0, warned=0)


def test_the_dwell_holds() -> None:
    slow = Lines(Line(40, 50, 55, 2 * DAY_MS, 0, 0))
    one_day, three_days = days("a", 60, 39, 60, 60), days("b", 60, 39, 39, 39)
    trial = tried([*one_day, *three_days], slow, HELD)
    assert (trial.now.alerts, trial.then.alerts) == (1, 2)


def test_who_changes_is_named_the_worst_first() -> None:
    rows = [row for n in range(30) for row in days(f"a{n:02}", 90, 59 - n / 10)]
    rows += days("low", 90, 10) + days("high", 90, 80)
    trial = tried(rows, HELD, OTHER)
    assert (trial.now.in_danger, trial.then.in_danger) == (1, 31)
    assert [name for name, _ in trial.newly] == [f"a{n:02}" for n in range(29, 9, -1)]
    assert len(trial.newly) == MOST_NAMED
    assert trial.no_longer == []
    assert tried(rows, OTHER, HELD).no_longer[0] == ("a29", 56.1)


def test_of_those_who_left_it_says_who_was_told_of() -> None:
    rows = days("told", 80, 30, 30, 0, left_at=3) + days("quiet", 80, 55, 0, 0, left_at=2)
    rows += days("long gone", 0, 0, left_at=0) + days("young", None, None)
    trial = tried(rows, HELD, OTHER)
    assert trial.now == Verdict(in_danger=0, alerts=1, left=2, warned=1)
    assert trial.then == Verdict(in_danger=0, alerts=2, left=2, warned=2)


def test_nothing_is_nothing() -> None:
    assert tried([], HELD, OTHER).days == 0


def test_each_day_is_judged_by_the_line_of_its_segment() -> None:
    lines = Lines(HELD.all, {"smb": Line(20, 30, 35, 0, 0, 0)})
    rows = [each._replace(segment="smb") for each in days("a", 60, 39, 25, 19)]
    rows += days("b", 60, 39, 39, 39)
    rows += [*days("moved", 60, 39), Scored("moved", 102, 31, True, False, "smb")]
    trial = tried(rows, HELD, lines)
    assert trial.now == Verdict(in_danger=3, alerts=3, left=0, warned=0)
    assert trial.then == Verdict(in_danger=2, alerts=3, left=0, warned=0)
    assert trial.no_longer == [("moved", 31)]
