"""When so many accounts fall at once that it is one thing."""

import pytest

from pulse.alerting.everybody.fleet import Episode, Fact, Fleet, FleetRule, fleet_alert

MINUTE = 60_000
RULE = FleetRule(share=0.1, min_accounts=20)
NOW = 9_000_000_000


def fell(n: int, at_ms: int, reason: str = "danger", *, firing: bool = True) -> Fact:
    return Fact(f"al_{n}_{reason}", f"a{n}", reason, firing, at_ms, "small" if n % 2 else None)


def fleet(accounts: int = 100, rule: FleetRule = RULE) -> Fleet:
    made = Fleet(rule)
    for partition in range(4):
        made.count(partition, accounts // 4)
    return made


def falling(count: int, *, accounts: int = 100, every_ms: int = 0) -> Fleet:
    made = fleet(accounts)
    for n in range(count):
        made.take(fell(n, NOW + n * every_ms))
    return made


@pytest.mark.parametrize(
    ("fallen", "accounts", "is_one_thing"),
    [(20, 100, False), (21, 100, True), (21, 400, False), (40, 400, False), (41, 400, True)],
)
def test_more_than_the_number_and_more_than_the_share(
    fallen: int, accounts: int, is_one_thing: bool
) -> None:
    assert (falling(fallen, accounts=accounts).look(NOW) is not None) is is_one_thing


def test_where_nobody_says_of_how_many_it_is_no_share_of_anything() -> None:
    made = Fleet(RULE)
    for n in range(50):
        made.take(fell(n, NOW))
    assert made.look(NOW) is None


def test_within_the_window_only() -> None:
    assert falling(21, every_ms=3 * MINUTE).look(NOW) is None
    assert falling(21, every_ms=2 * MINUTE).look(NOW) is not None


def test_one_partition_read_long_before_another_makes_no_difference() -> None:
    facts = [fell(n, NOW + n * 2 * MINUTE) for n in range(21)]
    made = fleet()
    for fact in [fell(50, NOW + 600 * MINUTE), *facts[::2], *facts[1::2]]:
        made.take(fact)
    episode = made.look(NOW)
    assert episode is not None
    assert (episode.since_ms, episode.started_ms) == (NOW, NOW + 40 * MINUTE)


def test_an_account_with_two_reasons_and_repeats_counts_once() -> None:
    made = fleet()
    for n in range(20):
        made.take(fell(n, NOW))
        made.take(fell(n, NOW, "silence"))
        made.take(fell(n, NOW))
    assert made.look(NOW) is None
    made.take(fell(20, NOW))
    episode = made.look(NOW)
    assert episode is not None
    assert episode.by_reason == {"danger": 21, "silence": 20}
    assert episode.by_segment == {"no segment": 11, "small": 10}


def test_other_reasons_do_not_follow_use_and_what_ended_does_not_fall() -> None:
    made = fleet()
    for n in range(30):
        made.take(fell(n, NOW, "payment_failed"))
        made.take(fell(n, NOW))
    for n in range(10):
        made.take(fell(n, NOW + 1, firing=False))
    assert made.look(NOW) is None


def test_it_has_recovered_when_half_of_what_is_too_many_still_falls() -> None:
    made = falling(30)
    assert made.look(NOW)
    for n in range(19):
        made.take(fell(n, NOW + MINUTE, firing=False))
    assert made.look(NOW + MINUTE) is None
    made.take(fell(19, NOW + MINUTE, firing=False))
    ended = made.look(NOW + MINUTE)
    assert ended is not None
    assert (ended.ended, ended.still, ended.ended_ms) == ("recovered", 10, NOW + MINUTE)
    assert made.look(NOW + MINUTE) is None


def test_after_the_holding_the_same_falls_begin_nothing_and_new_ones_do() -> None:
    made = falling(30)
    assert made.look(NOW)
    assert made.look(NOW + RULE.hold_ms - 1) is None
    ended = made.look(NOW + RULE.hold_ms)
    assert ended is not None
    assert (ended.ended, ended.still) == ("passed", 30)
    for n in range(40, 61):
        assert made.look(NOW + RULE.hold_ms) is None
        made.take(fell(n, NOW + MINUTE))
    assert made.look(NOW + RULE.hold_ms) is not None


def test_who_starts_anew_takes_over_what_was_recorded() -> None:
    first = falling(30)
    episode = first.look(NOW)
    again = falling(30)
    again.adopt(episode)
    assert again.look(NOW + 1) is None
    assert again.episode == episode
    ended = first.look(NOW + RULE.hold_ms)
    last = falling(30)
    last.adopt(ended)
    assert last.look(NOW + RULE.hold_ms) is None, "those were told already"


def test_of_two_that_noticed_it_the_earlier_one_is_it() -> None:
    made = falling(30)
    mine = made.look(NOW)
    assert mine is not None
    earlier = falling(25).look(NOW - 1)
    assert earlier is not None
    theirs = Episode(**{**_fields(earlier), "started_ms": NOW - 5})
    made.adopt(theirs)
    assert made.episode == theirs
    made.adopt(mine)
    assert made.episode == theirs


def test_the_alert_says_how_many_which_share_since_when_and_until_when() -> None:
    made = falling(30)
    episode = made.look(NOW)
    assert episode is not None
    alert = fleet_alert(episode, "Look.", "0" * 12)
    assert alert.summary == (
        "The fleet falls together: 30 of 100 accounts (30 %) since 1970-04-15T04:00:00Z: "
        "30 danger. Their own alerts are held until 1970-04-15T05:00:00Z."
    )
    assert alert.evidence["share"] == 0.3
    assert (alert.account_id, alert.reason, alert.status) == ("*", "fleet_falls", "firing")
    ended = made.look(NOW + RULE.hold_ms)
    assert ended is not None
    resolved = fleet_alert(ended, "Look.", "0" * 12)
    assert (resolved.id, resolved.status, resolved.resolution) == (alert.id, "resolved", "passed")


def _fields(episode: Episode) -> dict[str, object]:
    return {name: getattr(episode, name) for name in episode.__struct_fields__}
