"""Which accounts are held out, and that nobody hears of their alerts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pulse.alerting.book import Rules
from pulse.alerting.stages.budget import Budget
from pulse.alerting.stages.holdout import Holdout
from pulse.alerting.stages.muting import Inhibition, Matcher
from pulse.alerting.stages.owners import Owners
from pulse.alerting.stages.routing import Route

from .acceptance import DAY, Story, addressees, at, between, fires, resolves

NAMES = [f"account-{number}" for number in range(10_000)]
HALF = Holdout(0.5, "spring")  # has beta and globex, not acme


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_as_many_are_held_out_as_was_said(share: float) -> None:
    holdout = Holdout(share, "spring")

    assert sum(holdout.has(each, 0) for each in NAMES) == pytest.approx(share * len(NAMES), abs=200)


def test_a_larger_share_has_those_of_the_smaller_one_and_another_salt_has_others() -> None:
    few, more = Holdout(0.1, "spring"), Holdout(0.2, "spring")
    others = Holdout(0.1, "autumn")

    assert all(more.has(each, 0) for each in NAMES if few.has(each, 0))
    both = sum(few.has(each, 0) and others.has(each, 0) for each in NAMES)
    assert both == pytest.approx(100, abs=50)  # as chance has it


def test_what_is_about_no_account_is_never_held_out() -> None:
    assert not Holdout(0.9, "spring").has("*", 0)


def told(holdout: Holdout = HALF, **rules: object) -> Story:
    return Story(
        Rules(
            root=Route(receivers=("cs",)),
            addressees=addressees("cs"),
            holdout=holdout,
            **rules,  # type: ignore[arg-type]  # fields of Rules
        )
    )


def test_alerts_of_accounts_that_are_held_out_are_recorded_and_told_to_nobody() -> None:
    story = told()
    story.at(1).fires("acme")
    story.at(1).fires("beta")
    story.at(5).resolves("acme")
    story.at(5).resolves("beta")
    story.receiver("cs").wants(between(1, 1), fires("acme")).wants(between(5, 5), resolves("acme"))
    story.plays(DAY)

    assert story.reasons("beta") == ["holdout", "firing_not_sent"]
    assert any(key.startswith("alert/al_beta") for key, _ in story.log)


def test_alerts_that_began_before_accounts_are_held_out_are_told_with_their_ends() -> None:
    story = told(replace(HALF, since_ms=at(3)))
    story.at(1).fires("beta")
    story.at(4).fires("globex")
    story.at(5).resolves("beta")
    story.receiver("cs").wants(between(1, 1), fires("beta")).wants(between(5, 5), resolves("beta"))
    story.plays(DAY)

    assert "holdout" not in story.reasons("beta")
    assert story.reasons("globex") == ["holdout"]


def test_that_it_was_held_out_survives_a_crash() -> None:
    story = told()
    story.at(1).fires("beta")
    story.at(2).crashes()
    story.at(5).resolves("beta")
    story.plays(DAY)

    assert story.reasons("beta") == ["holdout", "firing_not_sent"]


def test_they_cost_no_owner_anything_and_are_nobodys_load() -> None:
    story = told(owners=Owners("least_loaded", ("kim", "lee")), budget=Budget(weekly=1))
    story.at(1).fires("beta", owner="kim")
    story.at(2).fires("acme", owner="kim")
    story.receiver("cs").wants(between(2, 2), fires("acme"))
    story.plays(3)

    assert story.pipeline._book.loads["kim"] == 1


def test_what_a_history_raised_is_said_to_be_that() -> None:
    story = told(inhibitions=(Inhibition(Matcher(reasons=("usage_drop",))),))
    story.at(1).fires("beta", quiet="historical")
    story.plays(DAY)

    assert story.reasons("beta") == ["historical"]


def test_an_alert_of_an_account_that_is_held_out_mutes_nobody_elses() -> None:
    payment = Matcher(reasons=("payment_failed",))
    story = told(inhibitions=(Inhibition(Matcher(reasons=("danger",)), payment, False),))
    story.at(1).fires("beta", "payment_failed")
    story.at(2).fires("acme")
    story.receiver("cs").wants(between(2, 2), fires("acme"))
    story.plays(DAY)
