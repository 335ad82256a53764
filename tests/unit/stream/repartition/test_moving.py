"""Accounts and tombstones into the partitions that are theirs by another number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulse.config import Config
from pulse.config.policy import policy
from pulse.engagement.days import NO_INSTANT
from pulse.engine import Engine, PartitionState
from pulse.engine.control import forget
from pulse.engine.tombstones import Tombstone, tombstone_key
from pulse.placement import partition_of
from pulse.stream.repartition.merging import merged
from pulse.stream.repartition.moving import move
from pulse.stream.state.pages import Context
from pulse.testing.histories import Log, usage
from pulse.testing.partitions import Partitions
from pulse.testing.playing import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

POLICY = policy(Config())
START_MS = 1_704_067_200_000
MINUTE_MS, DAY_MS = 60_000, 86_400_000
NAMES = [f"account-{n}" for n in range(20)]


def moved(olds: Sequence[PartitionState], number: int) -> list[PartitionState]:
    """The states of so many partitions, each behind the record with which its log begins."""
    news = [PartitionState(n, page_accounts=4) for n in range(number)]
    move(Engine(POLICY), olds, merged([Context.of(old) for old in olds]), news)
    for state in news:
        state.position = 1
    return news


def lived(number: int = 4) -> Partitions:
    partitions = Partitions(POLICY, number)
    partitions.tick(START_MS)
    for name in NAMES:
        partitions.add(name, usage(f"e-{name}", name, START_MS, user_id="ada"))
    partitions.tick(START_MS + DAY_MS)
    return partitions


def used_again(state: PartitionState, name: str, at_ms: int, **fields: str) -> Outcome:
    """What becomes of an event that is the first of a new log."""
    number = state.partition
    engine = Engine(POLICY, lambda _: number)
    log, outcome = Log(), Outcome()
    log.control("mark")
    log.add(usage("later", name, at_ms, **fields))
    outcome.take(engine.apply(state, log.records))
    return outcome


def test_each_account_is_where_its_events_come_with_the_bytes_that_it_had() -> None:
    olds = lived().states
    for number in (1, 3, 6):
        news = moved(olds, number)
        for state in news:
            assert all(partition_of(name, number) == state.partition for name in state.ids())
            assert all(len(page.accounts) <= 4 for page in state.pages)
            assert [page.number for page in state.pages] == list(range(len(state.pages)))
            assert state.next_page == len(state.pages)
        assert {name: each.packed(name) for each in news for name in each.ids()} == {
            name: each.packed(name) for each in olds for name in each.ids()
        }


def test_what_was_handed_on_in_the_old_log_says_nothing_of_the_new_one() -> None:
    partitions = lived()
    partitions.states[0].forwarded[(1, 2, 3)] = 4
    assert all(not state.forwarded for state in moved(partitions.states, 6))


def test_who_was_erased_is_so_wherever_their_events_come() -> None:
    partitions = lived()
    for name in NAMES:  # in a log that is longer than the new one will be
        partitions.add(name, usage(f"f-{name}", name, START_MS + DAY_MS, user_id="bob"))
    partitions.control("account-3", "forget", forget("account-3", None, 0).value)
    partitions.control("account-5", "forget", forget("account-5", "ada", 0).value)
    news = moved(partitions.states, 6)

    assert sorted(name for state in news for name in state.ids()) == sorted(
        name for name in NAMES if name != "account-3"
    )
    home = news[partition_of("account-3", 6)]
    assert used_again(home, "account-3", START_MS + DAY_MS).counts["forgotten"] == 1
    home = news[partition_of("account-5", 6)]
    ada = used_again(home, "account-5", START_MS + DAY_MS, user_id="ada")
    assert ada.counts["forgotten"] == 1


def test_who_was_renamed_is_followed_and_may_come_back() -> None:
    partitions = lived()
    partitions.rename("account-3", "account-4")
    news = moved(partitions.states, 6)
    home = news[partition_of("account-3", 6)]
    (handed_on,) = used_again(home, "account-3", START_MS + DAY_MS).misplaced
    assert handed_on.account_id == "account-4"

    # It came back in its partition, and its tombstone is elsewhere still.
    again = [PartitionState(n) for n in range(6)]
    for state in again:
        Context.of(news[0]).put(state)
    key = tombstone_key("account-3", None)
    stale = again[1 if home.partition == 0 else 0]
    stale.bury(key, Tombstone(0, 9, "account-4"), stale.page_for_new(0))
    back = again[partition_of("account-3", 6)]
    used_again(back, "account-3", START_MS + DAY_MS)
    assert back.knows("account-3")
    assert all(key not in state.forgotten for state in moved(again, 3))


def test_of_several_tombstones_that_of_an_erasure_holds_else_the_latest() -> None:
    key, other = tombstone_key("a", None), tombstone_key("b", None)
    olds = [PartitionState(n) for n in range(3)]
    for state, (of_a, of_b) in zip(
        olds,
        [
            (Tombstone(5, 100, "x"), Tombstone(9, 300, "z")),
            (Tombstone(6, 90, ""), Tombstone(8, 200, "y")),
            (Tombstone(7, 120, "y"), Tombstone(7, 100, "x")),
        ],
        strict=True,
    ):
        state.bury(key, of_a, state.page_for_new(0))
        state.bury(other, of_b, state.page_for_new(0))
    for state in moved(olds, 2):
        assert state.forgotten == {key: Tombstone(0, 90, ""), other: Tombstone(0, 300, "z")}


def test_what_was_seen_before_the_first_tick_is_known_from_when_that_was() -> None:
    ids = {}
    partitions = Partitions(POLICY, 2)
    for name in NAMES:
        ids[name] = usage(f"e-{name}", name, START_MS)
        partitions.add(name, ids[name])
    first, second = partitions.logs
    first.tick(START_MS)
    partitions.apply()
    second.tick(START_MS + DAY_MS // 2)
    first.tick(START_MS + DAY_MS // 2)
    partitions.apply()
    (state,) = moved(partitions.states, 1)
    assert state.first_tick_ms == START_MS

    log = Log()
    log.control("mark")
    log.tick(START_MS + DAY_MS + MINUTE_MS)
    for name in NAMES:
        log.add(ids[name])
    outcome = Outcome()
    outcome.take(Engine(POLICY).apply(state, log.records))
    # A day after the first tick of each it is known no more.
    late = [name for name in NAMES if partition_of(name, 2)]
    assert 0 < outcome.counts["duplicates"] == len(late) < len(NAMES)


def test_where_a_clock_has_not_begun_it_begins_now() -> None:
    partitions = Partitions(POLICY, 2)
    for name in NAMES:
        partitions.add(name, usage(f"e-{name}", name, START_MS))
    partitions.logs[0].tick(START_MS)
    partitions.apply()
    (state,) = moved(partitions.states, 1)
    assert (state.first_tick_ms, state.clock_ms) == (START_MS, START_MS)
    for name in NAMES:
        account = state.account(name)
        assert account.seen.oldest_ms(START_MS) == START_MS


def test_what_was_told_of_crossings_is_not_told_again_and_the_rest_is() -> None:
    partitions = lived(2)
    for state, told_ms in zip(partitions.states, (500, 900), strict=True):
        for name in state.ids():
            account = state.find(name)
            assert account is not None
            account.moved_ms = 700 if NAMES.index(name) % 2 else 1_000
            account.moved = ("healthy", "danger")
        state.told_ms = told_ms
    for state in moved(partitions.states, 3):
        assert state.told_ms == 500
        for name in state.ids():
            was_told = partition_of(name, 2) == 1 and NAMES.index(name) % 2
            moved_ms = 700 if NAMES.index(name) % 2 else 1_000
            assert state.account(name).moved_ms == (NO_INSTANT if was_told else moved_ms)
    # What was read is as it was.
    assert all(state.account(name).moved_ms for state in partitions.states for name in state.ids())
