"""An alert has the scores of the days before it, as they were at the starts of those days."""

from __future__ import annotations

from itertools import dropwhile
from typing import TYPE_CHECKING

from pulse.config import Config
from pulse.config.policy import policy
from pulse.model.time import parse_ts
from pulse.testing.histories import usage
from pulse.testing.playing import Play

if TYPE_CHECKING:
    from pulse.engagement.account import Account
    from pulse.engine.seeing import View
    from pulse.model import Alert

DAY_MS = 86_400_000
START_MS = parse_ts("2024-01-01T00:00:00Z")
LINE = {"enter": 40, "exit": 50, "approach": 55}


class Noted:
    """The scores at day starts, as whoever observes an engine is told."""

    def __init__(self) -> None:
        self._scores: dict[tuple[str, int], float | None] = {}

    def observe(self, account: Account, at_ms: int, view: View, judged: float | None) -> None:
        self._scores[account.account_id, at_ms // DAY_MS] = view.score().value

    def before(self, alert: Alert) -> tuple[int | None, ...]:
        """In whole points, of the 28 days before an alert's, without those before the first."""
        today = alert.at // DAY_MS
        scores = [self._scores.get((alert.account_id, day)) for day in range(today - 28, today)]
        points = [None if score is None else int(score + 0.5) for score in scores]
        return tuple(dropwhile(lambda point: point is None, points))


def use(play: Play, day: int, users: str = "abc") -> None:
    at_ms = START_MS + day * DAY_MS + 36_000_000
    play.tick(at_ms)
    for user in users:
        play.add(usage(f"{day}{user}", "acme", at_ms, user_id=user))


def fading() -> tuple[Play, Noted]:
    """An account that is used for 60 days, then less and less, and comes back after 150 days."""
    noted = Noted()
    play = Play(policy(Config.model_validate({"line": LINE})), observe=noted.observe)
    for day in range(200):
        if day < 60 or (day < 90 and day % 3 == 0) or day >= 150:
            use(play, day)
        play.tick(START_MS + (day + 1) * DAY_MS + 2_000)
    play.settle()
    return play, noted


def test_the_scores_are_those_of_the_day_starts_before_the_alert() -> None:
    play, noted = fading()
    alerts = play.outcome.alerts

    assert {"danger", "silence"} <= {each.reason for each in alerts}
    assert {each.status for each in alerts} == {"firing", "resolved"}
    assert {len(each.scores) for each in alerts} == {28}
    for each in alerts:
        assert each.scores == noted.before(each), each.reason


def test_a_young_account_has_as_many_as_it_has_days_with_a_score() -> None:
    play = Play(policy(Config.model_validate({"line": LINE})))
    for day in range(3):
        use(play, day)
    failed = START_MS + 3 * DAY_MS + 1
    play.tick(failed)
    play.add(usage("p", "acme", failed, event="payment_failed"))
    play.tick(failed + 120_000)
    play.settle()

    [alert] = play.outcome.alerts
    assert alert.reason == "payment_failed"
    assert len(alert.scores) == 2


def test_an_account_that_had_no_score_has_none() -> None:
    play = Play(policy(Config.model_validate({"line": LINE})))
    failed = START_MS + 1
    play.tick(failed)
    play.add(usage("q", "initech", failed, event="payment_failed"))
    play.tick(failed + 120_000)
    play.settle()

    [alert] = play.outcome.alerts
    assert alert.scores == ()
    assert "scores" not in alert.model_fields_set


def test_where_a_day_begins_with_another_line_its_own_score_is_not_looked_for() -> None:
    """That line is laid before the day's score is known."""
    line = {"from": "fleet", "min_history_days": 7, "min_active_days": 1, "dwell": "0s"}
    card = [{"measure": "active_days", "window": "28d", "weight": 1, "floor": 0, "target": 28}]
    rules = policy(Config.model_validate({"scorecard": card, "line": line}))
    noted = Noted()
    play = Play(rules, observe=noted.observe)
    for day in range(170):
        at_ms = START_MS + day * DAY_MS
        play.tick(at_ms + 36_000_000)
        for number in range(24):
            # From the 130th day on those at the end are used daily, and the line rises.
            if (day + number * 5) % 28 <= number or (day > 130 and number < 6):
                name = f"a{number:02}"
                play.add(usage(f"{day}-{name}", name, at_ms + 36_000_000))
    moved = [each for each in play.outcome.alerts if each.caused_by == "configuration"]

    assert any(each.at > START_MS + 129 * DAY_MS for each in moved)
    for each in play.outcome.alerts:
        assert each.scores == noted.before(each)
