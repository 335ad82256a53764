"""The stages one by one; together they are in test_acceptance.py."""

from __future__ import annotations

from typing import Any

from pulse.alerting.brief import Brief, brief_of
from pulse.alerting.stages.budget import WEEK_MS, Budget
from pulse.alerting.stages.grouping import GroupRecord, group_id, notice_id
from pulse.alerting.stages.matching import Matcher
from pulse.alerting.stages.muting import Inhibition, Inhibitors, Mutes, Silence, Snooze
from pulse.alerting.stages.owners import Owners
from pulse.testing.alerts import sample_alert

DAY_MS = 86_400_000
NOW_MS = 100 * DAY_MS


def brief(alert_id: str = "al_1", **facts: Any) -> Brief:
    said = {"account_id": "acme", "reason": "danger", "severity": "critical", "status": "firing"}
    return Brief(**{"id": alert_id, "at_ms": 0, "risk": 0.5, **said, **facts})


# -- brief ----------------------------------------------------------------------------------------


def test_a_brief_has_what_the_stages_need() -> None:
    profile = {"segment": "enterprise", "plan": "pro", "owner": "kim", "mrr": 1200}
    found = brief_of(sample_alert(profile=profile))

    assert (found.segment, found.plan, found.owner, found.mrr) == ("enterprise", "pro", "kim", 1200)
    assert found.risk == 1 - 0.3125
    assert found.is_firing
    assert (found.quiet, found.stands_for, found.is_of_nobody) == ("", (), False)


def test_a_brief_says_why_nobody_is_told() -> None:
    assert brief_of(sample_alert(historical=True)).quiet == "historical"
    assert brief_of(sample_alert(caused_by="load")).quiet == "load"


def test_without_a_score_the_severity_is_the_risk() -> None:
    risks = [
        brief_of(sample_alert(score=None, severity=severity)).risk
        for severity in ("critical", "warning", "info")
    ]

    assert risks == [0.9, 0.6, 0.3]


def test_an_alert_for_all_goes_where_those_go_that_it_stands_for() -> None:
    falls = brief_of(sample_alert("*", reason="fleet_falls", profile={}))
    digest = brief_of(
        sample_alert("*", reason="digest", profile={}, evidence={"by_reason": {"detractor": 2}})
    )

    assert Matcher(reasons=("silence",)).matches(falls)
    assert Matcher(reasons=("detractor",)).matches(digest)
    assert not Matcher(reasons=("detractor",)).matches(falls)


# -- match ----------------------------------------------------------------------------------------


def test_all_that_is_said_must_fit() -> None:
    matcher = Matcher(segments=("a", "b*"), owners=("kim",), mrr_from=10, mrr_below=20)

    assert matcher.matches(brief(segment="big", owner="kim", mrr=10.0))
    assert not matcher.matches(brief(segment="big", owner="lee", mrr=10.0))
    assert not matcher.matches(brief(segment="c", owner="kim", mrr=10.0))
    assert not matcher.matches(brief(segment="big", owner="kim", mrr=20.0))


def test_a_matcher_is_said_in_one_way_whatever_the_order_of_its_patterns() -> None:
    assert str(Matcher(reasons=("b", "a"), mrr_from=5)) == "reasons=a|b,mrr_from=5"
    assert str(Matcher()) == ""


# -- mute -----------------------------------------------------------------------------------------


def test_no_alert_mutes_itself() -> None:
    everything = Inhibition(Matcher(reasons=("*",)), Matcher(reasons=("*",)))
    inhibitors = Inhibitors((everything,))
    inhibitors.begins(brief("al_1"))

    assert inhibitors.reason(brief("al_1")) is None
    assert inhibitors.reason(brief("al_2")) == "*"
    assert inhibitors.reason(brief("al_3", account_id="other")) is None


def test_two_that_mute_must_both_end() -> None:
    rule = Inhibition(Matcher(reasons=("usage_drop",)), Matcher(reasons=("payment*",)))
    inhibitors = Inhibitors((rule,))
    for name in ("al_1", "al_2", "al_2"):
        inhibitors.begins(brief(name, reason="payment_failed"))
    drop = brief("al_3", reason="usage_drop")

    assert inhibitors.ends("al_1")
    assert inhibitors.reason(drop) == "payment*"
    assert inhibitors.ends("al_2")
    assert inhibitors.reason(drop) is None
    assert not inhibitors.ends("al_2")


def test_what_only_begins_mutes_nothing() -> None:
    inhibitors = Inhibitors((Inhibition(Matcher(reasons=("danger",)), Matcher(reasons=("*",))),))
    inhibitors.begins(brief("al_1", reason="digest"))
    inhibitors.begins(brief("al_2", reason="receiver_disabled"))

    assert inhibitors.reason(brief("al_3")) is None


def test_what_mutes_and_for_how_long() -> None:
    silence = Silence(
        id="s1", match=Matcher(accounts=("acme",)), author="kim", reason="known",
        starts_ms=10, ends_ms=20,
    )  # fmt: skip
    snooze = Snooze(alert_id="al_1", author="kim", until_ms=15)
    mutes = Mutes(Inhibitors(()), (silence,), {"al_1": snooze}, fleet_until_ms=5)
    ended = brief(status="resolved")

    assert [mutes.of(brief(), now_ms) for now_ms in (4, 10, 15, 20)] == [
        ("inhibit", "fleet_falls", 5),
        ("silence", "snoozed", 15),
        ("silence", "silenced:s1", 20),
        None,
    ]
    assert [mutes.of(ended, now_ms) for now_ms in (4, 10)] == [None, ("silence", "silenced:s1", 20)]


# -- budget and owners ----------------------------------------------------------------------------


def test_the_worst_is_what_pays_most_is_most_at_risk_and_renews_first() -> None:
    briefs = [
        brief("al_rich", mrr=1000.0),
        brief("al_risky", mrr=500.0, risk=0.9),
        brief("al_soon", mrr=500.0, renewal_ms=NOW_MS + 10 * DAY_MS),
        brief("al_past", mrr=600.0, renewal_ms=NOW_MS - 90 * DAY_MS),
        brief("al_unpaid", risk=0.4),
    ]
    told, over = Budget(weekly=3).sift(briefs, {}, NOW_MS)

    assert [each.id for each in told] == ["al_soon", "al_rich", "al_risky"]
    assert [each.id for each in over] == ["al_past", "al_unpaid"]


def test_what_was_told_within_a_week_counts_and_is_free_itself() -> None:
    spent = {"al_old": NOW_MS - WEEK_MS, "al_1": NOW_MS - WEEK_MS + 1}
    told, over = Budget(weekly=2).sift([brief(f"al_{n}") for n in (1, 2, 3)], spent, NOW_MS)

    assert [each.id for each in told] == ["al_1", "al_2"]
    assert [each.id for each in over] == ["al_3"]


def test_an_owner_stays_unless_the_profile_says_another_or_they_left_the_team() -> None:
    owners = Owners("least_loaded", ("kim", "lee"))
    loads = {"kim": 5, "lee": 1}

    assert owners.owner_of(brief(owner="max"), "kim", 0, loads) == "max"
    assert owners.owner_of(brief(), "kim", 0, loads) == "kim"
    assert owners.owner_of(brief(), "gone", 0, loads) == "lee"
    assert owners.owner_of(brief(account_id="*"), "", 0, loads) == ""
    assert Owners().owner_of(brief(), "", 0, loads) == ""


# -- ids ------------------------------------------------------------------------------------------


def test_the_ids_of_notifications() -> None:
    alone = GroupRecord(id="gr_x", route="all", receiver="cs", labels=(("alert", "al_1"),))
    owned = GroupRecord(id="gr_y", route="all", receiver="cs", labels=(("owner", "kim"),))

    assert notice_id(alone, 1, (("al_1", "firing"),)) == "al_1_cs_firing"
    assert notice_id(alone, 2, (("al_1", "firing"),)) == "al_1_cs_firing_2"
    assert notice_id(alone, 3, (("al_1", "resolved"),)) == "al_1_cs_resolved"
    assert notice_id(owned, 7, (("al_1", "resolved"),)) == "gr_y_cs_7"


def test_a_groups_id_is_of_what_it_is_known_by_and_of_who_began_it() -> None:
    by = (("owner", "kim"),)

    assert group_id("all", "cs", by, "al_1") == group_id("all", "cs", by, "al_1")
    others = {
        group_id("all", "cs", by, "al_1"),
        group_id("all", "cs", by, "al_2"),
        group_id("all", "crm", by, "al_1"),
        group_id("all/x", "cs", by, "al_1"),
        group_id("all", "cs", (("owner", "lee"),), "al_1"),
    }
    assert len(others) == 5
    assert all(len(each) == 29 and "." not in each for each in others)
