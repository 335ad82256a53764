"""What receivers are told, and when: the pipeline as a whole, on a manual clock."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from pulse.alerting.book import Rules
from pulse.alerting.stages.budget import Budget
from pulse.alerting.stages.hours import Hours, Interval
from pulse.alerting.stages.matching import Matcher
from pulse.alerting.stages.muting import Inhibition
from pulse.alerting.stages.owners import Owners
from pulse.alerting.stages.routing import Route

from .acceptance import (
    DAY,
    HOUR,
    MINUTE,
    Story,
    addressees,
    between,
    fires,
    resolves,
)

WORK = Interval(name="work", weekdays=(0, 1, 2, 3, 4), times=((9 * 60, 17 * 60),))


def tell(*receivers: str, **settings: Any) -> Story:
    """A story in which everything goes to the receivers, all in one way."""
    names = receivers or ("cs",)
    more = {name: settings.pop(name) for name in ("budget", "owners") if name in settings}
    inhibitions = settings.pop("inhibitions", ())
    to = settings.pop("to", {})
    route = Route(receivers=names, **settings)
    return Story(
        Rules(root=route, addressees=addressees(*names, **to), inhibitions=inhibitions, **more)
    )


# -- as without a pipeline ------------------------------------------------------------------------


def test_without_rules_every_state_is_told_at_once_and_alone() -> None:
    story = tell()
    story.at(1).fires("acme")
    story.at(1).fires("beta")
    story.at(9).resolves("acme")
    story.receiver("cs").wants(between(1, 1), fires("acme")).wants(between(1, 1), fires("beta"))
    story.receiver("cs").wants(between(9, 9), resolves("acme"))
    story.plays(30 * DAY)

    assert [each.notice.id for each in story.receiver("cs").told] == [
        "al_acme-danger-1_cs_firing",
        "al_beta-danger-1_cs_firing",
        "al_acme-danger-1_cs_resolved",
    ]


def test_repeats_of_a_state_and_a_beginning_after_its_end_are_not_told() -> None:
    story = tell()
    story.at(1).fires("acme")
    story.at(2).resolves("acme")
    story.receiver("cs").wants(between(1, 1), fires("acme")).wants(between(2, 2), resolves("acme"))
    story.plays(2)
    for brief in list(story._briefs.values()):
        story.pipeline.take(brief, story.now_ms)
    story.pipeline.take(story._briefs["al_acme-danger-1"], story.now_ms)

    assert story.pipeline.flush(story.now_ms + 1) == []


def test_what_a_history_or_a_load_raised_is_not_told_nor_its_end() -> None:
    story = tell()
    story.at(1).fires("acme", quiet="historical")
    story.at(1).fires("beta", quiet="load")
    story.at(2).resolves("beta")
    story.plays(DAY)

    assert story.reasons("acme") == ["historical"]
    assert story.reasons("beta") == ["load", "firing_not_sent"]


def test_an_end_is_not_told_where_it_is_not_wanted() -> None:
    story = tell(to={"send_resolved": False})
    story.at(1).fires("acme")
    story.at(2).resolves("acme")
    story.receiver("cs").wants(between(1, 1), fires("acme"))
    story.plays(DAY)

    assert story.reasons("acme") == ["told", "resolved_not_wanted"]


# -- route ----------------------------------------------------------------------------------------


def test_alerts_go_where_the_tree_leads() -> None:
    big = Route(
        match=Matcher(segments=("enterprise",)), receivers=("pager",), goes_on=True, key="big"
    )
    rest = Route(match=Matcher(reasons=("danger", "silence")), receivers=("cs",), key="rest")
    root = Route(receivers=("mail",), routes=(big, rest))
    story = Story(Rules(root=root, addressees=addressees("pager", "cs", "mail")))
    story.at(1).fires("acme", segment="enterprise")
    story.at(2).fires("beta", segment="free")
    story.at(3).fires("beta", "payment_failed", segment="free")
    story.receiver("pager").wants(between(1, 1), fires("acme"))
    story.receiver("cs").wants(between(1, 1), fires("acme")).wants(between(2, 2), fires("beta"))
    story.receiver("mail").wants(between(3, 3), fires("beta", "payment_failed"))
    story.plays(DAY)


def test_a_receiver_gets_an_alert_once_also_where_two_routes_lead_there() -> None:
    one = Route(match=Matcher(reasons=("d*",)), receivers=("cs",), goes_on=True, key="one")
    other = Route(match=Matcher(mrr_from=50), receivers=("cs",), key="other")
    story = Story(Rules(root=Route(routes=(one, other)), addressees=addressees("cs")))
    story.at(1).fires("acme")
    story.receiver("cs").wants(between(1, 1), fires("acme"))
    story.plays(DAY)

    assert story.reasons("acme") == ["routed_before", "told"]


def test_the_end_goes_to_whom_the_beginning_went() -> None:
    root = Route(routes=(Route(match=Matcher(plans=("pro",)), receivers=("cs",), key="pro"),))
    story = Story(Rules(root=root, addressees=addressees("cs")))
    story.at(1).fires("acme", plan="pro")
    story.at(2).resolves("acme", plan="free")
    story.receiver("cs").wants(between(1, 1), fires("acme")).wants(between(2, 2), resolves("acme"))
    story.plays(DAY)


# -- group ----------------------------------------------------------------------------------------


def by_owner(**settings: Any) -> Story:
    timing = {"wait_ms": 30_000, "interval_ms": 300_000, **settings}
    return tell(group_by=("owner",), **timing)


def test_a_group_is_told_together_after_its_wait() -> None:
    story = by_owner()
    story.at(1).fires("acme", owner="kim")
    story.at(20).fires("beta", owner="kim")
    story.at(20).fires("gamma", owner="lee")
    story.receiver("cs").wants(between(31, 31), fires("acme"), fires("beta"))
    story.receiver("cs").wants(between(50, 50), fires("gamma"))
    story.plays(DAY)

    first, second = (each.notice for each in story.receiver("cs").told)
    assert first.labels == (("owner", "kim"),)
    assert first.id.startswith("gr_")
    assert first.id.endswith("_cs_1")
    assert second.group != first.group


def test_what_comes_to_a_group_that_was_told_waits_for_the_interval() -> None:
    story = by_owner()
    story.at(0).fires("acme", owner="kim")
    story.at(40).fires("beta", owner="kim")
    story.at(50).resolves("acme")
    story.at(1000).fires("gamma", owner="kim")
    story.receiver("cs").wants(between(30, 30), fires("acme"))
    story.receiver("cs").wants(between(330, 330), fires("beta"), resolves("acme"))
    story.receiver("cs").wants(between(1030, 1030), fires("gamma"))
    story.plays(DAY)

    assert [each.notice.also_firing for each in story.receiver("cs").told] == [0, 0, 1]


def test_a_firing_and_its_resolving_inside_the_wait_tell_nothing() -> None:
    story = by_owner()
    story.at(0).fires("acme", owner="kim")
    story.at(29).resolves("acme")
    story.plays(DAY)

    assert story.reasons("acme") == ["resolved_before_sent"]


def test_what_still_fires_is_told_again_after_the_repeat_interval() -> None:
    story = tell(repeat_ms=4 * HOUR * 1000)
    story.at(0).fires("acme")
    story.at(9 * HOUR).resolves("acme")
    story.receiver("cs").wants(between(0, 0), fires("acme"))
    story.receiver("cs").wants(between(4 * HOUR, 4 * HOUR), fires("acme"))
    story.receiver("cs").wants(between(8 * HOUR, 8 * HOUR), fires("acme"))
    story.receiver("cs").wants(between(9 * HOUR, 9 * HOUR), resolves("acme"))
    story.plays(3 * DAY)

    told = [each.notice for each in story.receiver("cs").told]
    assert len({each.id for each in told}) == 4
    assert [each.again for each in told] == [False, True, True, False]


def test_what_is_held_without_an_end_keeps_no_other_from_being_told_again() -> None:
    story = by_owner(repeat_ms=4 * HOUR * 1000)
    story.at(0).fires("acme", owner="kim").fires("beta", owner="kim")
    story.at(HOUR).acknowledges("acme")
    cs = story.receiver("cs").wants(between(30, 30), fires("acme"), fires("beta"))
    for hours in (4, 8, 12):
        cs.wants(between(hours * HOUR, hours * HOUR + 200), fires("beta"))
    story.plays(15 * HOUR)


def test_a_group_that_begins_anew_has_other_ids() -> None:
    story = by_owner()
    for begin in (0, 10_000):
        story.at(begin).fires("acme", owner="kim")
        story.at(begin + 5_000).resolves("acme")
        story.receiver("cs").wants(between(begin + 30, begin + 30), fires("acme"))
        story.receiver("cs").wants(between(begin + 5_030, begin + 5_030), resolves("acme"))
    story.plays(DAY)

    assert len({each.notice.id for each in story.receiver("cs").told}) == 4


def test_more_than_a_notification_holds_follows_in_the_next() -> None:
    story = by_owner()
    for number in range(60):
        story.at(1).fires(f"a{number:02}", owner="kim", mrr=1000 - number)
    names = [fires(f"a{number:02}") for number in range(60)]
    for start in (0, 25, 50):
        story.receiver("cs").wants(between(31, 31), *names[start : start + 25])
    story.plays(DAY)


# -- a receiver that is away ----------------------------------------------------------------------


def test_what_comes_while_a_receiver_is_away_is_told_by_its_last_state() -> None:
    story = by_owner()
    story.at(0).fires("acme", owner="kim")
    story.at(400).fires("beta", owner="kim")
    story.at(500).resolves("acme")
    story.at(600).fires("gamma", owner="kim")
    story.at(650).resolves("gamma")
    story.receiver("cs").is_down(between(0, 1000))
    story.receiver("cs").wants(between(1000, 1010), fires("beta"), resolves("acme"))
    story.plays(DAY)


def test_what_does_not_fit_waits_for_a_receiver_that_is_away() -> None:
    story = by_owner()
    for number in range(30):
        story.at(1).fires(f"a{number:02}", owner="kim", mrr=1000 - number)
    cs = story.receiver("cs").is_down(between(0, 100))
    cs.wants(between(101, 101), *(fires(f"a{number:02}") for number in range(25)))
    cs.wants(between(101, 101), *(fires(f"a{number:02}") for number in range(25, 30)))
    story.plays(DAY)

    assert len(cs.attempts) == 9
    assert len({name for _, name in cs.attempts}) == 2


def test_what_a_mute_lets_go_waits_for_the_interval_too() -> None:
    story = by_owner()
    story.at(0).silences("s1", 60, accounts=("b*",))
    story.at(0).fires("acme", owner="kim")
    story.at(0).fires("beta", owner="kim")
    story.receiver("cs").wants(between(30, 30), fires("acme"))
    story.receiver("cs").wants(between(330, 330), fires("beta"))
    story.plays(DAY)


def test_an_end_is_told_where_an_attempt_at_the_beginning_may_have_got_through() -> None:
    story = tell()
    story.at(0).fires("acme")
    story.at(5).resolves("acme")
    story.receiver("cs").is_down(between(0, 3))
    story.receiver("cs").wants(between(5, 5), resolves("acme"))
    story.plays(DAY)


# -- inhibit --------------------------------------------------------------------------------------


PAYMENT = Inhibition(Matcher(reasons=("usage_drop",)), Matcher(reasons=("payment_failed",)))
CHURNED = Inhibition(Matcher(lifecycles=("churned",)))


def test_a_failed_payment_mutes_a_drop_of_the_same_account() -> None:
    story = tell(inhibitions=(PAYMENT,))
    story.at(1).fires("acme", "payment_failed")
    story.at(2).fires("acme", "usage_drop")
    story.at(3).fires("beta", "usage_drop")
    story.at(9).resolves("acme", "payment_failed")
    cs = story.receiver("cs")
    cs.wants(between(1, 1), fires("acme", "payment_failed"))
    cs.wants(between(3, 3), fires("beta", "usage_drop"))
    cs.wants(between(9, 9), resolves("acme", "payment_failed"))
    cs.wants(between(9, 9), fires("acme", "usage_drop"))
    story.plays(DAY)

    assert story.reasons("acme", "usage_drop") == ["payment_failed", "told"]


@pytest.mark.parametrize("quiet", ["historical", "load", "configuration"])
def test_what_nobody_was_told_of_mutes_nothing(quiet: str) -> None:
    story = tell(inhibitions=(PAYMENT,))
    story.at(1).fires("acme", "payment_failed", quiet=quiet)
    story.at(2).fires("acme", "usage_drop")
    story.at(3).crashes()
    story.at(4).fires("beta", "payment_failed", quiet=quiet)
    story.at(5).crashes()
    story.at(6).fires("beta", "usage_drop")
    cs = story.receiver("cs")
    cs.wants(between(2, 2), fires("acme", "usage_drop"))
    cs.wants(between(6, 6), fires("beta", "usage_drop"))
    story.plays(DAY)


def test_what_ends_while_it_is_muted_is_never_told() -> None:
    story = tell(inhibitions=(PAYMENT,))
    story.at(1).fires("acme", "payment_failed")
    story.at(2).fires("acme", "usage_drop")
    story.at(3).resolves("acme", "usage_drop")
    story.at(9).resolves("acme", "payment_failed")
    cs = story.receiver("cs")
    cs.wants(between(1, 1), fires("acme", "payment_failed"))
    cs.wants(between(9, 9), resolves("acme", "payment_failed"))
    story.plays(DAY)


def test_an_account_that_left_is_muted_but_for_the_ends_of_what_was_told() -> None:
    story = tell(inhibitions=(CHURNED,))
    story.at(1).fires("acme")
    story.at(2).resolves("acme", lifecycle="churned")
    story.at(3).fires("acme", "card_expiring", lifecycle="churned")
    story.receiver("cs").wants(between(1, 1), fires("acme")).wants(between(2, 2), resolves("acme"))
    story.plays(30 * DAY)

    assert story.reasons("acme", "card_expiring") == ["churned"]


def test_while_the_fleet_falls_what_follows_use_is_held() -> None:
    story = tell()
    story.at(1).fleet_falls(HOUR)
    story.at(2).fires("acme")
    story.at(3).fires("acme", "payment_failed")
    story.at(4).fires("beta")
    story.at(5).resolves("beta")
    story.receiver("cs").wants(between(3, 3), fires("acme", "payment_failed"))
    story.receiver("cs").wants(between(HOUR, HOUR), fires("acme"))
    story.plays(DAY)


def test_what_was_not_attempted_when_the_fleet_falls_is_held_with_its_id() -> None:
    story = tell()
    story.at(0).fires("acme")
    story.at(600).fleet_recovers()
    story.receiver("cs").wants(between(600, 600), fires("acme"))
    story._happen()
    (notice,) = story.pipeline.flush(story.now_ms)
    story.pipeline.hold_fleet(story.now_ms + 3_600_000, story.now_ms)
    assert not story.pipeline.begins(notice.id, story.now_ms)
    story.events = [each for each in story.events if each[0] > story.now_ms]
    story.plays(DAY)

    assert [each.notice.id for each in story.receiver("cs").told] == [notice.id]


def test_what_was_to_be_told_again_when_the_fleet_falls_is_told_after_it() -> None:
    story = tell(repeat_ms=HOUR * 1000)
    story.at(0).fires("acme")
    cs = story.receiver("cs").wants(between(0, 0), fires("acme"))
    story.plays(10)
    story.now_ms += HOUR * 1000
    (again,) = story.pipeline.flush(story.now_ms)
    story.pipeline.hold_fleet(story.now_ms + 600_000, story.now_ms)
    cs.wants(between(HOUR + 600, HOUR + 601), fires("acme"))
    story.plays(1.5 * HOUR)

    assert cs.told[-1].notice.id == again.id


def test_what_the_fleet_withdrew_may_end_a_second_time() -> None:
    # An endpoint that is gone ends all that is open, before the next turn hears of the fleet.
    story = tell()
    story.take("firing", "acme", "danger", {})
    (notice,) = story.pipeline.flush(story.now_ms)
    story.pipeline.hold_fleet(story.now_ms + 600_000, story.now_ms)
    story.pipeline.ended(notice.id, "dropped", story.now_ms)

    assert [each.notice_id for each in story.pipeline.withdrawn()] == [notice.id]
    story.pipeline.hold_fleet(None, story.now_ms)
    assert [each.id for each in story.pipeline.flush(story.now_ms)] == [notice.id]


# -- silence --------------------------------------------------------------------------------------


def test_a_silence_holds_and_at_its_end_the_last_states_are_told() -> None:
    story = tell()
    story.at(1).fires("acme")
    story.at(2).silences("s1", HOUR, accounts=("a*", "b*"))
    story.at(3).fires("beta")
    story.at(4).fires("bolt")
    story.at(5).resolves("bolt")
    story.at(6).resolves("acme")
    cs = story.receiver("cs")
    cs.wants(between(1, 1), fires("acme"))
    cs.wants(between(HOUR, HOUR), fires("beta")).wants(between(HOUR, HOUR), resolves("acme"))
    story.plays(DAY)

    assert story.reasons("beta") == ["silenced:s1", "told"]


def test_a_silence_that_is_lifted_lets_go_at_once() -> None:
    story = tell()
    story.at(1).silences("s1", DAY, severities=("critical",))
    story.at(2).fires("acme")
    story.at(60).lifts("s1")
    story.receiver("cs").wants(between(60, 60), fires("acme"))
    story.plays(2 * DAY)


def test_one_alert_is_snoozed_and_its_end_is_told() -> None:
    story = tell(repeat_ms=HOUR * 1000)
    story.at(0).fires("acme")
    story.at(10).snoozes("acme", 5 * HOUR)
    story.at(6.5 * HOUR).acknowledges("acme")
    story.at(DAY).resolves("acme")
    cs = story.receiver("cs")
    cs.wants(between(0, 0), fires("acme"))
    cs.wants(between(5 * HOUR, 5 * HOUR), fires("acme"))
    cs.wants(between(6 * HOUR, 6 * HOUR), fires("acme"))
    cs.wants(between(DAY, DAY), resolves("acme"))
    story.plays(3 * DAY)


def test_what_is_snoozed_or_silenced_between_two_attempts_is_held() -> None:
    story = tell()
    story.at(0).fires("acme")
    story.at(0).fires("bolt")
    story.at(5).snoozes("acme", HOUR)
    story.at(15).silences("s1", 2 * HOUR, accounts=("bolt",))
    cs = story.receiver("cs").is_down(between(0, 60))
    cs.wants(between(HOUR, HOUR), fires("acme"))
    cs.wants(between(2 * HOUR, 2 * HOUR), fires("bolt"))
    story.plays(DAY)

    assert [at_s for at_s, _ in cs.attempts] == [0, 0, 10, HOUR, 2 * HOUR]
    assert story.reasons("acme") == ["told", "snoozed"]
    assert story.reasons("bolt") == ["told", "silenced:s1"]


def test_what_is_free_in_a_group_does_not_wait_for_what_is_muted_between_two_attempts() -> None:
    story = by_owner()
    story.at(0).fires("acme", owner="kim")
    story.at(1).fires("bolt", owner="kim")
    story.at(35).snoozes("acme", HOUR)
    cs = story.receiver("cs").is_down(between(0, 35))
    cs.wants(between(40, 40), fires("bolt"))
    cs.wants(between(HOUR, HOUR), fires("acme"))
    story.plays(DAY)


def test_what_ends_while_it_is_held_after_an_attempt_is_told_to_have_ended() -> None:
    story = tell()
    story.at(0).fires("acme")
    story.at(5).snoozes("acme", HOUR)
    story.at(60).resolves("acme")
    cs = story.receiver("cs").is_down(between(0, 5))  # it may have heard the beginning
    cs.wants(between(60, 60), resolves("acme"))
    story.plays(DAY)


# -- hours ----------------------------------------------------------------------------------------


def test_outside_working_hours_alerts_wait_for_the_receivers_morning() -> None:
    holiday = Interval(name="holidays", dates=(date(2024, 1, 2),))
    story = tell(hours=Hours((WORK,), (holiday,)), to={"timezone": "America/New_York"})
    story.at(23 * HOUR).fires("acme")  # 18:00 on Monday there, and Tuesday is a holiday
    wednesday = 2 * DAY + 14 * HOUR
    story.at(wednesday + 60).resolves("acme")
    cs = story.receiver("cs")
    cs.wants(between(wednesday, wednesday), fires("acme"))
    cs.wants(between(wednesday + 60, wednesday + 60), resolves("acme"))
    story.plays(9 * DAY)

    assert story.reasons("acme") == ["not work", "told"]


def test_what_is_tried_again_after_the_hours_waits_for_the_next_ones() -> None:
    story = tell(hours=Hours((WORK,)))
    evening, morning = 17 * HOUR, DAY + 9 * HOUR
    story.at(evening - 5).fires("acme")
    cs = story.receiver("cs").is_down(between(0, evening + HOUR))
    cs.wants(between(morning, morning), fires("acme"))
    story.plays(2 * DAY)

    assert [at_s for at_s, _ in cs.attempts] == [evening - 5, morning]


# -- budget and owners ----------------------------------------------------------------------------


def budgeted(**settings: Any) -> Story:
    budget = Budget(weekly=2, digest_minute=9 * 60)
    timing = {"wait_ms": MINUTE * 1000, "group_by": ("owner",), **settings}
    return tell(budget=budget, **timing)


def test_the_worst_are_told_and_the_rest_is_in_the_digest() -> None:
    story = budgeted()
    for name, mrr in (("acme", 10), ("beta", 500), ("gamma", 100), ("delta", 50)):
        story.at(1).fires(name, owner="kim", mrr=float(mrr))
    story.at(2).fires("other", owner="lee")
    story.at(5 * HOUR).resolves("delta")
    cs = story.receiver("cs")
    cs.wants(between(61, 61), fires("beta"), fires("gamma"))
    cs.wants(between(62, 62), fires("other"))
    cs.wants(between(9 * HOUR, 9 * HOUR), fires("acme"))
    story.plays(6 * DAY)

    digest = cs.told[-1].notice
    assert digest.is_digest
    assert digest.labels == (("owner", "kim"),)
    assert story.reasons("delta") == ["over_budget", "resolved_before_sent"]


def test_after_a_week_there_is_a_budget_again() -> None:
    story = budgeted()
    for number in range(2):
        story.at(1).fires(f"a{number}", owner="kim")
    story.at(7 * DAY + 1).fires("early", owner="kim")
    story.at(7 * DAY + 62).fires("late", owner="kim")
    cs = story.receiver("cs")
    cs.wants(between(61, 61), fires("a0"), fires("a1"))
    cs.wants(between(7 * DAY + 61, 7 * DAY + 61), fires("early"))
    cs.wants(between(7 * DAY + 122, 7 * DAY + 122), fires("late"))
    story.plays(14 * DAY)


def test_what_ends_before_it_was_told_costs_nothing() -> None:
    story = budgeted(wait_ms=0, group_by=("alert",))
    story.at(1).fires("a0", owner="kim")
    story.plays(0.5)
    story.now_ms += 1000
    story._happen()
    (notice,) = story.pipeline.flush(story.now_ms)
    story.take("resolved", "a0", "danger", {"owner": "kim"})
    story.at(10).fires("a1", owner="kim").fires("a2", owner="kim")
    story.at(20).fires("a3", owner="kim").crashes()
    cs = story.receiver("cs").wants(between(10, 10), fires("a1"))
    cs.wants(between(10, 10), fires("a2")).wants(between(9 * HOUR, 9 * HOUR), fires("a3"))
    story.plays(DAY)

    assert notice.id not in {each.notice.id for each in cs.told}


def test_what_a_disabled_receiver_is_not_told_costs_nothing() -> None:
    story = tell("cs", "crm", budget=Budget(weekly=1))
    story.take("firing", "a0", "danger", {"owner": "kim"})
    notices = {each.receiver: each for each in story.pipeline.flush(story.now_ms)}
    story.pipeline.ended(notices["crm"].id, "dropped", story.now_ms)
    story.take("firing", "a1", "danger", {"owner": "kim"})
    assert story.pipeline.flush(story.now_ms) == [], "cs is being told of the first"

    story.pipeline.ended(notices["cs"].id, "dropped", story.now_ms)
    story.take("firing", "a2", "danger", {"owner": "kim"})
    assert [each.labels for each in story.pipeline.flush(story.now_ms)] == [
        (("alert", "al_a2-danger-1"),), (("alert", "al_a2-danger-1"),)
    ]  # fmt: skip


def test_what_a_digest_told_ends_in_the_next_digest() -> None:
    story = budgeted()
    for number in range(3):
        story.at(1).fires(f"a{number}", owner="kim")
    story.at(12 * HOUR).resolves("a2")
    cs = story.receiver("cs")
    cs.wants(between(61, 61), fires("a0"), fires("a1"))
    cs.wants(between(9 * HOUR, 9 * HOUR), fires("a2"))
    cs.wants(between(DAY + 9 * HOUR, DAY + 9 * HOUR), resolves("a2"))
    story.plays(6 * DAY)


def held_in_a_digest() -> Story:
    """Of two alerts in a digest kim has taken one over, whose hour passes; a third one is over the
    budget an hour after that.
    """
    story = tell(budget=Budget(weekly=1, digest_minute=9 * 60))
    story.at(8 * HOUR).fires("acme", owner="kim").fires("beta", owner="kim")
    story.at(8.5 * HOUR).acknowledges("beta")
    story.at(10 * HOUR).fires("gamma", owner="kim")
    story.receiver("cs").wants(between(8 * HOUR, 8 * HOUR), fires("acme"))
    return story


def test_a_digest_comes_at_its_hour_whatever_is_muted_meanwhile() -> None:
    story = held_in_a_digest()
    story.at(10 * HOUR + 300).silences("other", 11 * HOUR, accounts=("other",))
    story.at(12 * HOUR).crashes()
    story.receiver("cs").wants(between(DAY + 9 * HOUR, DAY + 9 * HOUR), fires("gamma"))
    story.plays(6 * DAY)


def test_what_was_held_over_the_hour_of_its_digest_is_in_the_next() -> None:
    story = held_in_a_digest()
    story.at(11 * HOUR).snoozes("beta", 12 * HOUR)
    cs = story.receiver("cs")
    cs.wants(between(DAY + 9 * HOUR, DAY + 9 * HOUR), fires("beta"), fires("gamma"))
    story.plays(6 * DAY)


def test_a_digest_that_is_not_delivered_is_tried_again_without_what_came_since() -> None:
    story = tell(budget=Budget(weekly=1, digest_minute=9 * 60))
    story.at(8 * HOUR).fires("acme", owner="kim").fires("beta", owner="kim")
    story.at(8 * HOUR).fires("delta", owner="kim")
    story.at(9 * HOUR + 60).fires("gamma", owner="kim")
    story.at(9 * HOUR + 120).resolves("delta")
    cs = story.receiver("cs").wants(between(8 * HOUR, 8 * HOUR), fires("acme"))
    cs.is_down(between(9 * HOUR, 9 * HOUR + 300))
    cs.wants(between(9 * HOUR + 300, 9 * HOUR + 310), fires("beta"))
    cs.wants(between(DAY + 9 * HOUR, DAY + 9 * HOUR), fires("gamma"), resolves("delta"))
    story.plays(6 * DAY)


def test_a_wait_is_not_cut_short_where_another_one_of_the_group_is_held() -> None:
    story = tell(group_by=("owner",), wait_ms=5 * MINUTE * 1000, interval_ms=1)
    story.at(0).fires("acme", owner="kim").acknowledges("acme")
    story.at(400).fires("beta", owner="kim")
    story.at(401).silences("other", 500, accounts=("other",))
    story.at(402).resolves("beta")
    story.at(800).fires("gamma", owner="kim")
    story.at(801).acknowledges("nobody")
    story.receiver("cs").wants(between(1100, 1100), fires("gamma"))
    story.plays(DAY)


def test_an_alert_for_two_receivers_counts_once() -> None:
    story = tell("cs", "crm", budget=Budget(weekly=1))
    story.at(1).fires("acme", owner="kim")
    for name in ("cs", "crm"):
        story.receiver(name).wants(between(1, 1), fires("acme"))
    story.plays(DAY)


def test_accounts_without_an_owner_go_to_who_has_the_least() -> None:
    story = tell(owners=Owners("least_loaded", ("kim", "lee")), group_by=("owner",))
    story.at(1).fires("acme", owner="kim")
    story.at(2).fires("beta")
    story.at(3).fires("beta", "silence")
    story.at(4).fires("gamma")
    cs = story.receiver("cs")
    cs.wants(between(1, 1), fires("acme")).wants(between(2, 2), fires("beta"))
    cs.wants(between(3, 3), fires("beta", "silence")).wants(between(4, 4), fires("gamma"))
    story.plays(DAY)

    owners = [each.notice.labels[0][1] for each in cs.told]
    assert owners == ["kim", "lee", "lee", "kim"]


# -- after a crash --------------------------------------------------------------------------------


def test_after_a_crash_what_waits_is_told_when_it_would_have_been() -> None:
    story = by_owner(repeat_ms=HOUR * 1000)
    story.at(0).fires("acme", owner="kim")
    story.at(10).crashes()
    story.at(40).crashes()
    story.at(50).fires("beta", owner="kim")
    story.at(60).crashes()
    story.receiver("cs").wants(between(30, 30), fires("acme"))
    story.receiver("cs").wants(between(330, 330), fires("beta"))
    story.receiver("cs").wants(between(30 + HOUR, 30 + HOUR), fires("acme"))
    story.receiver("cs").wants(between(330 + HOUR, 330 + HOUR), fires("beta"))
    story.plays(1.5 * HOUR)


def test_what_is_held_when_its_routes_matcher_is_edited_keeps_the_routes_hours() -> None:
    def nights(**match: Any) -> Rules:
        awake = Route(
            match=Matcher(**match), receivers=("cs",), hours=Hours((WORK,)), key=str(match)
        )
        return Rules(root=Route(receivers=("cs",), routes=(awake,)), addressees=addressees("cs"))

    story = Story(nights(severities=("critical",)))
    story.at(HOUR).fires("acme")
    story.at(2 * HOUR).crashes(nights(severities=("critical", "warning")))
    story.at(3 * HOUR).fires("bolt", severity="warning")
    cs = story.receiver("cs")
    cs.wants(between(9 * HOUR, 9 * HOUR), fires("acme"))
    cs.wants(between(9 * HOUR, 9 * HOUR), fires("bolt"))
    story.plays(DAY)


def test_what_is_held_when_no_route_leads_it_there_any_more_is_told_by_the_root() -> None:
    asleep = Route(receivers=("cs",), hours=Hours((WORK,)), key="asleep")
    story = Story(
        Rules(root=Route(receivers=("cs",), routes=(asleep,)), addressees=addressees("cs"))
    )
    story.at(HOUR).fires("acme")
    story.at(2 * HOUR).crashes(Rules(root=Route(receivers=("cs",)), addressees=addressees("cs")))
    story.receiver("cs").wants(between(2 * HOUR, 2 * HOUR), fires("acme"))
    story.plays(DAY)


def test_what_is_under_way_in_a_crash_is_told_with_the_same_id() -> None:
    story = by_owner()
    story.at(0).fires("acme", owner="kim")
    story.at(100).crashes()
    story.receiver("cs").is_down(between(0, 95))
    story.receiver("cs").wants(between(100, 100), fires("acme"))
    story.plays(DAY)

    assert len({name for _, name in story.receiver("cs").attempts}) == 1


def test_a_repeat_that_only_its_groups_record_tells_of_is_not_told_again() -> None:
    story = tell(repeat_ms=4 * HOUR * 1000)
    story.at(0).fires("acme")
    story.receiver("cs").wants(between(0, 0), fires("acme"))
    story.plays(1)
    story.now_ms += 4 * HOUR * 1000
    story._send(story.pipeline.flush(story.now_ms))
    story._attempt()
    last = [key.partition("/")[0] for key, _ in story.log[-2:]]
    assert last == ["group", "alert"]
    del story.log[-1]
    story.crash()

    assert story.pipeline.next_ms() == story.now_ms + 4 * HOUR * 1000


def test_a_digest_that_was_due_while_nobody_ran_is_told_at_once() -> None:
    story = budgeted()
    for number in range(3):
        story.at(1).fires(f"a{number}", owner="kim")
    story.receiver("cs").wants(between(61, 61), fires("a0"), fires("a1"))
    story.plays(8 * HOUR)
    story.now_ms += 12 * HOUR * 1000
    story.crash()

    (notice,) = story.pipeline.flush(story.now_ms)
    assert notice.is_digest


def test_more_than_one_notification_holds_wait_for_it_and_do_not_replace_it() -> None:
    story = tell(group_by=(), wait_ms=1_000)
    story.receiver("cs").is_down(between(0, 30))
    for number in range(30):
        story.at(1).fires(f"a{number:02}", mrr=1000.0 - number)
    story.at(3).fires("later", mrr=1.0)
    first = [fires(f"a{number:02}") for number in range(25)]
    rest = [fires(f"a{number:02}") for number in range(25, 30)]
    story.receiver("cs").wants(between(30, 45), *first).wants(
        between(30, 45), *rest, fires("later")
    )
    story.plays(60)

    assert len({name for _, name in story.receiver("cs").attempts}) == 2


def test_what_waits_behind_many_is_muted_and_overtaken_as_well() -> None:
    story = tell(group_by=(), wait_ms=1_000)
    story.receiver("cs").is_down(between(0, 9))
    for number in range(60):
        story.at(1).fires(f"a{number:02}", mrr=1000.0 - number)
    story.at(4).silences("some", 20, accounts=("a3?",))
    story.at(5).fires("worst", mrr=5000.0)
    story.at(12.5).resolves("a59")
    names = [f"a{number:02}" for number in range(60)]
    free = [name for name in names if not name.startswith("a3")]
    story.receiver("cs").wants(between(16, 16), *map(fires, ["worst", *free[:24]]))
    story.receiver("cs").wants(between(16, 16), *map(fires, free[24:49]))
    story.receiver("cs").wants(between(20, 20), *map(fires, names[30:40]))
    story.plays(60)
