"""Stories of use: a drop, a champion, a feature, silence; and who must not be taken for one."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from pulse.testing.histories import profile

from .story import DEFAULT_PLAYS, HOUR_MS, Story, at

DAY_MS = 24 * HOUR_MS


# -- a drop against the own past ----------------------------------------------------------------


def test_a_week_far_below_the_usual_ones_is_told_at_the_start_of_a_day() -> None:
    story = Story()
    story.live(0, 91, times=4)  # sixty events a week
    story.live(91, 101, times=2)

    (alert,) = story.alerts()
    assert (alert.reason, alert.severity) == ("usage_drop", "warning")
    assert (alert.at, alert.since) == (at(96), at(89))  # after five days of half the use
    assert alert.summary == "acme: was used 50 % less than usual: 30 in 7 days, 60 in a usual week."
    assert alert.evidence == {
        "events_7d": 30, "usual_7d": 60, "spread_7d": 7.75, "weeks_before": [60] * 8,
    }  # fmt: skip
    assert alert.play == DEFAULT_PLAYS.usage_drop


def test_a_drop_ends_when_a_week_is_nearly_as_usual() -> None:
    story = Story()
    story.live(0, 91, times=4)
    story.live(91, 105, times=2)
    story.live(105, 119, times=4)
    (_, ended) = story.told("usage_drop")
    assert ended == ("usage_drop", "recovered", at(108))  # two days of old and three of new: 48
    assert story.alerts("usage_drop")[1].summary == (
        "acme: usage drop has ended well, after 12 days."
    )


def test_a_drop_that_stays_becomes_what_is_usual() -> None:
    story = Story()
    story.live(0, 91, times=8)
    story.live(91, 180, times=4)
    fired, ended = story.told("usage_drop")
    assert fired == ("usage_drop", "firing", at(96))
    # Most of the eight weeks before are as low then, which is not that it has ended well.
    assert ended[:2] == ("usage_drop", "settled")
    assert at(91 + 28) <= ended[2] <= at(91 + 49)


def test_a_drop_to_nothing_is_settled_when_nothing_is_usual() -> None:
    story = Story()
    story.live(0, 91, times=2)
    story.live(91, 160, worked=lambda _: False)
    fired, ended = story.told("usage_drop")
    assert fired == ("usage_drop", "firing", at(94))
    assert ended[:2] == ("usage_drop", "settled")
    assert at(91 + 28) < ended[2] <= at(91 + 49)


def test_the_noise_of_small_accounts_is_no_news() -> None:
    """A hundred accounts with 25 events in a usual week, who come by chance."""
    chance, story = random.Random(7), Story()
    for day in range(112):
        if day % 7 < 5:
            story.tick(at(day) + HOUR_MS)
            for number in range(100):
                for _ in range(sum(chance.random() < 0.05 for _ in range(100))):
                    story.play.add(story.line("used", at(day) + HOUR_MS, f"account-{number}"))
        story.tick(at(day + 1) + 2_000)
    # By half alone it would be a dozen.
    assert story.alerts("usage_drop") == []


def test_an_account_with_little_use_drops_unnoticed() -> None:
    story = Story()
    story.live(0, 91, users=["ada", "bob", "cyd"], worked=lambda day: day % 7 < 5)  # 15 a week
    story.live(91, 110, users=["ada"])
    assert story.alerts("usage_drop") == []


def test_nine_weeks_must_be_known() -> None:
    story = Story()
    story.live(0, 55, times=3)
    story.live(55, 62, users=["ada"])
    assert story.alerts("usage_drop") == []
    story.live(62, 63, users=["ada"])
    assert story.told("usage_drop") == [("usage_drop", "firing", at(63))]


def test_just_not_half_is_no_drop() -> None:
    story = Story()
    story.live(0, 91, users=["a", "b", "c", "d", "e"])
    story.live(91, 119, users=["a", "b", "c"])
    assert story.alerts("usage_drop") == []


# -- the champion -------------------------------------------------------------------------------


def with_champion(until: int, after: int, champions: int = 4, others: int = 1) -> Story:
    """Ada works until a day, others go on."""
    story = Story()
    for day in range(after):
        if day % 7 < 5:
            if day < until:
                story.use(at(day) + 9 * HOUR_MS, "ada", times=champions)
            story.use(at(day) + 10 * HOUR_MS, "bob", times=others)
        story.tick(at(day + 1) + 2_000)
    return story


def test_a_champion_who_is_not_seen_any_more_is_told() -> None:
    story = with_champion(61, 80)  # the 60th day is a Friday
    (alert,) = story.alerts("champion_gone")
    assert (alert.reason, alert.severity) == ("champion_gone", "warning")
    # Fourteen whole days without her.
    assert (alert.at, alert.since) == (at(61 + 14), at(61))
    assert alert.evidence["user_id"] == "ada"
    assert alert.evidence["not_seen_days"] == 14
    assert alert.evidence["other_users_7d"] == 1
    share = alert.evidence["share"]
    assert isinstance(share, float)
    assert 0.7 < share < 0.8
    assert alert.summary == (
        f"acme: ada, who did {100 * share:.0f} % of the work, has not been seen for 14 days."
    )
    assert alert.play == DEFAULT_PLAYS.champion_gone


def test_a_champion_who_comes_back_is_active_again() -> None:
    story = with_champion(61, 80)
    story.use(at(81) + HOUR_MS, "ada")
    story.live(81, 84, users=["bob"])
    assert story.told("champion_gone")[1:] == [("champion_gone", "active_again", at(82))]


def test_who_takes_over_settles_it() -> None:
    story = with_champion(61, 80)
    story.live(80, 160, users=["bob"], times=8)
    (_, ended) = story.told("champion_gone")
    # Bob has become the one who does most, which is not that Ada is back.
    assert ended[:2] == ("champion_gone", "settled")


def test_a_champion_away_for_a_day_less_is_no_news() -> None:
    story = with_champion(61, 74)
    story.use(at(74) + 23 * HOUR_MS, "ada")
    story.live(74, 88, users=["bob"])
    assert story.alerts("champion_gone") == []


def test_exactly_half_is_no_champion() -> None:
    story = with_champion(61, 61, champions=3, others=3)
    story.live(61, 64, users=["cyd"], worked=lambda _: True)
    for day in range(64, 90):
        story.tick(at(day) + 2_000)
    assert story.alerts("champion_gone") == []


def test_a_champion_who_leaves_with_all_the_others_is_silence() -> None:
    story = with_champion(61, 61)
    for day in range(61, 90):
        story.tick(at(day) + 2_000)
    assert story.alerts("champion_gone") == []
    assert len(story.alerts("silence")) == 1


def test_little_use_has_no_champion() -> None:
    story = with_champion(61, 100, champions=1, others=0)
    story.live(61, 100, users=["bob"], worked=lambda day: day % 7 == 0)
    assert story.alerts("champion_gone") == []


# -- a feature ----------------------------------------------------------------------------------


def with_feature(until: int, after: int, maps: int = 2, lists: int = 3) -> Story:
    """The map is used until a day, the list goes on."""
    story = Story()
    for day in range(after):
        if day % 7 < 5:
            if day < until:
                story.use(at(day) + 9 * HOUR_MS, feature="map", times=maps)
            story.use(at(day) + 10 * HOUR_MS, feature="list", times=lists)
        story.tick(at(day + 1) + 2_000)
    return story


def test_a_feature_that_is_not_used_any_more_is_told() -> None:
    story = with_feature(61, 95)
    (alert,) = story.alerts()
    assert (alert.reason, alert.severity) == ("feature_abandoned", "warning")
    assert (alert.at, alert.since) == (at(61 + 28), at(61))
    share = alert.evidence["share"]
    assert isinstance(share, float)
    assert 0.2 < share < 0.4
    assert alert.evidence == {"features": ["map"], "share": share, "not_used_days": 28}
    assert alert.summary == (
        f"acme: no longer uses map, once {100 * share:.0f} % of the use: not for 28 days."
    )
    assert alert.play == DEFAULT_PLAYS.feature_abandoned


def test_a_feature_that_is_used_again_is_active_again() -> None:
    story = with_feature(61, 95)
    story.use(at(96) + HOUR_MS, feature="map")
    story.live(96, 100)
    assert story.told("feature_abandoned")[1:] == [("feature_abandoned", "active_again", at(97))]


def test_a_feature_that_is_not_missed_settles() -> None:
    story = with_feature(61, 170)
    (_, ended) = story.told("feature_abandoned")
    assert ended[:2] == ("feature_abandoned", "settled")


def test_a_feature_used_on_the_27th_day_is_no_news() -> None:
    story = with_feature(61, 88)
    story.use(at(88) + 23 * HOUR_MS, feature="map")
    story.live(89, 100)
    assert story.alerts("feature_abandoned") == []


def test_a_feature_that_hardly_mattered_is_no_news() -> None:
    assert with_feature(61, 120, maps=1, lists=9).alerts("feature_abandoned") == []


def test_features_of_an_account_that_stops_altogether_are_silence() -> None:
    story = with_feature(61, 61)
    for day in range(61, 100):
        story.tick(at(day) + 2_000)
    assert story.alerts("feature_abandoned") == []
    assert len(story.alerts("silence")) == 1


# -- silence ------------------------------------------------------------------------------------


def test_silence_is_told_at_the_very_instant_and_ends_with_use() -> None:
    story = Story()
    story.live(0, 5, users=["ada"])
    last_ms = at(4) + 10 * HOUR_MS
    story.tick(last_ms + 21 * DAY_MS - 1)
    assert story.alerts() == []
    story.tick(last_ms + 21 * DAY_MS)

    (alert,) = story.alerts()
    assert (alert.reason, alert.severity) == ("silence", "warning")
    assert (alert.at, alert.since) == (last_ms + 21 * DAY_MS, last_ms)
    assert alert.summary == (
        "acme fell silent: nothing meaningful for 21 days, after 5 active days."
    )
    assert alert.evidence == {"last_active_at": "2024-01-05T10:00:00Z", "active_days": 5}
    assert alert.play == DEFAULT_PLAYS.silence

    story.use(at(40))
    story.tick(at(41))
    ended = story.alerts()[-1]
    assert (ended.reason, ended.resolution) == ("silence", "active_again")
    assert ended.summary == "acme is active again after its silence."


def test_use_one_ms_before_is_no_silence() -> None:
    story = Story()
    story.live(0, 5, users=["ada"])
    story.use(at(25) + 10 * HOUR_MS - 1)
    story.tick(at(25) + 11 * HOUR_MS)
    assert story.alerts() == []


def test_the_silence_of_who_was_hardly_there_is_no_news() -> None:
    story = Story()
    story.live(0, 4, users=["ada"])
    story.tick(at(100))
    assert story.alerts() == []


# -- calendars ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "timezone",
    ["UTC", "Europe/Berlin", "America/New_York", "Asia/Beirut", "Australia/Lord_Howe",
     "Pacific/Kiritimati", "Pacific/Pago_Pago"],
)  # fmt: skip
@pytest.mark.parametrize("hour", [0, 9, 23])
def test_steady_weeks_over_a_year_raise_nothing(timezone: str, hour: int) -> None:
    """Also where clocks change, and at the hours of the day at which they do."""
    story = Story()
    story.tick(at(-1))
    story.play.add(profile("p", "acme", at(-1), timezone=timezone, seats=4, mrr=100))
    zone, tick_ms = ZoneInfo(timezone), at(0)
    for day in range(366):
        moment = datetime(2024, 1, 1, hour, 30, tzinfo=zone) + timedelta(days=day)
        at_ms = round(moment.timestamp() * 1000)
        while tick_ms < at_ms:
            story.tick(tick_ms)
            tick_ms += 8 * HOUR_MS
        if day % 7 < 5:
            for user, feature, times in (("ada", "list", 4), ("bob", "map", 2), ("cyd", "list", 1)):
                story.use(at_ms, user, feature, times=times)
    story.tick(at(368))

    assert story.alerts() == []
    assert story.play.status("acme")["zone"] == "healthy"


def test_a_silence_that_holidays_explain_does_not_say_that_the_account_is_back() -> None:
    days = ["2024-02-05", "2024-02-06", "2024-02-07"]
    story = Story({"holidays": [{"days": days, "countries": ["DE"]}]})
    story.live(0, 30)
    last_ms = at(29) + 10 * HOUR_MS
    story.tick(last_ms + 21 * DAY_MS)
    story.know(last_ms + 22 * DAY_MS, country="DE")
    for hour in range(22 * 24, 25 * 24):
        story.tick(last_ms + hour * HOUR_MS)

    fired, ended, again = story.alerts("silence")
    assert (ended.id, ended.resolution) == (fired.id, "no_longer")
    assert ended.summary == "acme: silence no longer holds, after a day."
    assert again.at == last_ms + 24 * DAY_MS
