"""The made-up history: random by its seed alone, and as people and systems make one."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import pytest

from pulse.calibration.outcomes import read_outcomes
from pulse.errors import PulseError
from pulse.model.time import parse_ts
from pulse.model.usage import AccountProfile, ProfileRecord, UsageEvent, read_record
from pulse.simulation.history import History
from pulse.simulation.setting import Setting

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.long

YEAR = Setting(accounts=60, days=365, seed=7, churn=0.5)
SHORT = Setting(accounts=20, days=40, seed=3)


def other(**changes: float) -> Setting:
    return replace(SHORT, **changes)


def lines(setting: Setting) -> list[bytes]:
    return [line for day in History(setting).days() for line in day]


def of_each(setting: Setting) -> dict[str, list[bytes]]:
    """The lines of each account."""
    found = defaultdict(list)
    for line in lines(setting):
        found[msgspec.json.decode(line)["account_id"]].append(line)
    return found


class Told(NamedTuple):
    """A line, and when it was by the account's own clock."""

    line: dict[str, Any]
    local: datetime


@cache
def year() -> tuple[list[Told], History]:
    """A year of accounts, with its history."""
    history = History(YEAR)
    zones = {each.account_id: ZoneInfo(each.place.timezone) for each in history.accounts}
    told = []
    for day in history.days():
        for line in map(msgspec.json.decode, day):
            at = datetime.fromisoformat(line["ts"])
            told.append(Told(line, at.astimezone(zones[line["account_id"]])))
    return told, history


def work() -> Iterator[Told]:
    """What people did in the product, without the steps of an onboarding."""
    told, _ = year()
    return (each for each in told if "feature" in each.line.get("properties", ()))


def by_people() -> Iterator[Told]:
    return (each for each in work() if "user_id" in each.line)


def test_the_same_seed_gives_the_same_bytes_and_another_others() -> None:
    first = lines(SHORT)

    assert first == lines(SHORT)
    assert len(first) > 1_000
    assert first != lines(other(seed=4))


def test_an_account_is_the_same_whoever_else_is_there() -> None:
    few, many = of_each(SHORT), of_each(other(accounts=30))

    assert len(many) > len(few)
    assert {name: many[name] for name in few} == few


def test_lines_are_in_order_of_time_and_every_id_is_there_once() -> None:
    told, _ = year()
    times = [each.line["ts"] for each in told]

    assert times == sorted(times)
    assert len({each.line["id"] for each in told}) == len(told)


def test_every_line_is_valid() -> None:
    read = [read_record(line) for line in lines(other(accounts=40, days=120))]

    profiles = [each.profile for each in read if isinstance(each, ProfileRecord)]
    assert len(profiles) >= 30
    for profile in profiles:
        assert set(profile.changes()) <= set(AccountProfile.model_fields)
    assert sum(isinstance(each, UsageEvent) for each in read) > 10_000


def test_weekends_and_nights_are_quiet() -> None:
    days = Counter(each.local.weekday() for each in by_people())
    weekday, weekend = sum(days[n] for n in range(5)) / 5, (days[5] + days[6]) / 2
    assert 0 < weekend < 0.15 * weekday

    hours = Counter(each.local.hour for each in by_people())
    assert min(hours) >= 6
    assert max(hours) < 22
    assert sum(hours[hour] for hour in range(8, 18)) > 0.8 * hours.total()


def test_holidays_are_quiet_where_they_are() -> None:
    _, history = year()
    country = {each.account_id: each.place.country for each in history.accounts}
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for each in by_people():
        counts[country[each.line["account_id"]]][f"{each.local:%m-%d}"] += 1

    # July 4 was a Friday, as was July 11.
    assert counts["US"]["07-04"] < 0.3 * counts["US"]["07-11"]
    assert counts["GB"]["07-04"] > 0.5 * counts["GB"]["07-11"]
    # Easter Monday.
    assert counts["GB"]["04-21"] < 0.4 * counts["GB"]["04-28"]
    everywhere = sum(counts.values(), Counter())
    assert everywhere["12-25"] < 0.2 * everywhere["12-11"]


def test_some_features_have_a_season() -> None:
    days: dict[str, Counter[int]] = defaultdict(Counter)
    for each in by_people():
        days[each.line["properties"]["feature"]][each.local.day] += 1

    def ends(feature: str) -> float:
        """What is used on the first and on the 28th, beside the middle of the month."""
        on = days[feature]
        return (on[1] + on[2] + on[28] + on[29]) / (on[13] + on[14] + on[15] + on[16])

    assert ends("invoices") > 2
    assert 0.6 < ends("tasks") < 1.4


def test_more_accounts_come_as_time_goes_on() -> None:
    history = History(Setting(accounts=400, days=365, churn=0))
    started = [each.started - history.setting.first for each in history.accounts]

    assert 0.4 < sum(each < 0 for each in started) / 400 < 0.6
    assert sum(each >= 180 for each in started) > sum(0 <= each < 180 for each in started)


def test_no_more_people_come_than_there_are_seats() -> None:
    told, _ = year()
    seats: dict[str, int] = {}
    users: dict[tuple[str, str], set[str]] = defaultdict(set)
    for each in told:
        account_id = each.line["account_id"]
        seats[account_id] = each.line.get("profile", {}).get("seats", seats.get(account_id))
        if each.line.get("source") == "app":
            came = users[account_id, f"{each.local:%F}"]
            came.add(each.line["user_id"])
            assert len(came) <= seats[account_id], account_id
    assert len(users) > 5_000


def test_plans_have_features_of_their_own() -> None:
    _, history = year()
    plans = {each.account_id: each.plan.name for each in history.accounts}
    used = defaultdict(set)
    for each in work():
        used[plans[each.line["account_id"]]].add(each.line["properties"]["feature"])

    assert {"boards", "tasks", "invoices"} <= used["starter"] < used["team"] < used["business"]


def test_nobody_is_there_after_leaving() -> None:
    told, history = year()
    last: dict[str, dict[str, Any]] = {}
    for each in told:
        last[each.line["account_id"]] = each.line
    outcomes = read_outcomes(history.outcomes(), "churn.csv")

    assert set(outcomes) == {each.account_id for each in history.accounts} >= set(last)
    left = {name: stays[0].churned_ms for name, stays in outcomes.items() if stays[0].churned_ms}
    assert len(left) > 10
    for name, line in last.items():
        if name in left:
            assert line["event"] == "subscription_cancelled"
            assert parse_ts(line["ts"]) == left[name]
        else:
            assert line.get("event") != "subscription_cancelled"


def test_nobody_is_there_before_it_starts() -> None:
    told, history = year()
    outcomes = read_outcomes(history.outcomes(), "churn.csv")
    for each in told:
        started_ms = outcomes[each.line["account_id"]][0].started_ms
        assert started_ms is not None
        # The day of the start is the account's own.
        assert each.local.replace(tzinfo=None) >= datetime.fromtimestamp(
            started_ms / 1000, ZoneInfo("UTC")
        ).replace(tzinfo=None)


def test_profiles_come_first_and_can_be_left_out() -> None:
    for account in of_each(SHORT).values():
        assert b'"type":"profile"' in account[0]
    assert not [line for line in lines(other(profiles=False)) if b'"type"' in line]


def test_contracts_renew_each_year() -> None:
    told, _ = year()
    renewals = defaultdict(list)
    for each in told:
        if "renewal_at" in each.line.get("profile", {}):
            renewals[each.line["account_id"]].append(each)
    for told_of_one in renewals.values():
        for each in told_of_one:
            ahead = datetime.fromisoformat(each.line["profile"]["renewal_at"]) - each.local
            assert 0 < ahead.days <= 365
    assert any(len(each) > 1 for each in renewals.values())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"churn": 1}, "1 is no share of accounts"),
        ({"accounts": 0}, "needs an account"),
        ({"first": 0}, "begins after 1979"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, int], said: str) -> None:
    with pytest.raises(PulseError, match=said):
        other(**changes)
