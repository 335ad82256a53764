"""Which notifications a range is, and how what is asked for is kept."""

from __future__ import annotations

import msgspec
import pytest

from pulse.alerting.people.silences import Muted, encode_replay
from pulse.alerting.records.delivery import Delivery, State
from pulse.alerting.records.envelope import wrap
from pulse.alerting.records.reader import Deliveries
from pulse.alerting.records.replays import Choice, Replay, Wanted, choose, delivery_of_replay

FAILED = Delivery(
    id="n_1",
    group="gr_1",
    receiver="cs",
    alerts=(("al_1", "firing"),),
    labels=(("alert", "al_1"),),
    state=State.FAILED,
    at_ms=20,
    created_ms=10,
    due_ms=5,
    attempts=3,
    reason="timeout",
    origins=("pulse.alerts/0/7",),
)
ALL = Wanted(from_ms=0, to_ms=100)


def known(*deliveries: Delivery) -> Deliveries:
    found = Deliveries()
    for each in deliveries:
        found.read(f"notification/{each.id}", wrap(1, msgspec.json.encode(each)))
    return found


def like(delivery: Delivery = FAILED, **changes: object) -> Delivery:
    return msgspec.structs.replace(delivery, **changes)


def names(choice: Choice) -> tuple[list[str], list[str], list[str]]:
    chosen, repeated, outdated = ([each.id for each in found] for found in choice)
    return chosen, repeated, outdated


@pytest.mark.parametrize(
    ("delivery", "wanted", "is_one"),
    [
        (FAILED, ALL, True),
        (like(state=State.DISABLED), ALL, True),
        (like(state=State.SUCCEEDED), ALL, False),
        (like(state=State.SUPERSEDED), ALL, False),
        (like(state=State.RETRYING), Wanted(from_ms=0, to_ms=9, states=frozenset(State)), False),
        (FAILED, Wanted(from_ms=10, to_ms=11), True),
        (FAILED, Wanted(from_ms=0, to_ms=10), False),
        (FAILED, Wanted(from_ms=11, to_ms=99), False),
        (FAILED, Wanted(from_ms=0, to_ms=99, receiver="ops"), False),
        (FAILED, Wanted(from_ms=0, to_ms=99, account="acme"), False),
    ],
)
def test_a_range_is_what_matches_it(delivery: Delivery, wanted: Wanted, is_one: bool) -> None:
    assert names(choose(known(delivery), wanted)) == (["n_1"] if is_one else [], [], [])


def test_the_oldest_comes_first() -> None:
    found = choose(known(like(id="n_3", created_ms=30), FAILED, like(id="n_2")), ALL)

    assert names(found)[0] == ["n_1", "n_2", "n_3"]


@pytest.mark.parametrize(
    ("state", "is_repeated"),
    [(State.SUCCEEDED, True), (State.PENDING, True), (State.RETRYING, True),
     (State.FAILED, False), (State.DISABLED, False)],
)  # fmt: skip
def test_what_was_sent_again_is_not_sent_once_more(state: State, is_repeated: bool) -> None:
    again = like(id="rp_1", replay_of="n_1", state=state, created_ms=50)
    found = names(choose(known(FAILED, again), ALL))

    assert found == (([], ["n_1"], []) if is_repeated else (["n_1"], [], []))


def test_whoever_knows_the_end_is_not_told_that_it_began() -> None:
    end = like(id="n_2", alerts=(("al_1", "resolved"),), state=State.SUCCEEDED, created_ms=40)
    other = like(end, id="n_3", receiver="ops")
    both = Wanted(from_ms=0, to_ms=99, states=frozenset({State.FAILED, State.SUCCEEDED}))

    assert names(choose(known(FAILED, end), ALL)) == ([], [], ["n_1"])
    assert names(choose(known(FAILED, other), ALL)) == (["n_1"], [], [])
    assert names(choose(known(FAILED, like(end, state=State.FAILED)), ALL))[0] == ["n_1", "n_2"]
    assert names(choose(known(FAILED, end), both))[0] == ["n_1", "n_2"], "in their order"


def test_a_group_of_which_one_goes_on_is_sent_again() -> None:
    group = like(alerts=(("al_1", "firing"), ("al_2", "firing")))
    end = like(id="n_2", alerts=(("al_1", "resolved"),), state=State.SUCCEEDED)

    assert names(choose(known(group, end), ALL))[0] == ["n_1"]


def test_a_replay_is_read_as_it_was_asked_for_until_it_is_on_record() -> None:
    muted = Muted()
    replay = Replay(id="rp_1", of=FAILED, author="kim", asked_ms=1_000, new_id=True)
    key, value = encode_replay(replay)
    muted.read(key, value)
    assert (key, muted.replays) == ("replay/rp_1", {"rp_1": replay})
    muted.read(key, None)
    assert muted.replays == {}


def test_a_replay_of_a_replay_repeats_the_first_one() -> None:
    once = delivery_of_replay(Replay(id="rp_1", of=FAILED, author="kim", asked_ms=0), 50, 1_000)
    twice = delivery_of_replay(Replay(id="rp_2", of=once, author="kim", asked_ms=0), 60, 1_000)

    assert (twice.replay_of, twice.sent_as, twice.origins) == ("n_1", "n_1", FAILED.origins)
    assert (twice.attempts, twice.reason, twice.next_ms) == (0, "", 60)
