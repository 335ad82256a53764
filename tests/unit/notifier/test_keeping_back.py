"""A receiver that takes little keeps its own alerts back, and nobody else's."""

from __future__ import annotations

from dataclasses import replace

from pulse.notifier.reading.arrival import Fullness
from pulse.testing.alerts import sample_alert
from pulse.testing.clock import settle

from .test_dispatch import ERROR, SETTINGS, START_MS, Desk, Stage

SLOW = replace(SETTINGS, name="slow", url="http://slow.example", concurrency=2)
FAST = replace(SETTINGS, name="fast", url="http://fast.example", concurrency=32)
HOUR_S = 3_600


def accounts(desk: Desk) -> list[str]:
    return [what.split()[0] for _, what in desk.got]


async def test_a_receiver_with_a_rate_stops_the_reading_for_nobody_else() -> None:
    stage = Stage(replace(SLOW, rate=1.0), FAST, backlog=10)
    names = [f"a{number}" for number in range(50)]
    async with stage.running() as notifier:
        await stage.take(notifier, *(sample_alert(each) for each in names))
        await settle()
        assert sorted(accounts(stage.desks["fast"])) == sorted(names)
        assert notifier.fullness() is Fullness.ROOM
        await stage.clock.advance(20)
        await stage.take(notifier, sample_alert("urgent"))
        assert stage.desks["fast"].got[-1] == (20.0, "urgent firing")
        assert len(stage.desks["slow"].got) == 21
        await stage.clock.advance(60)

    assert accounts(stage.desks["slow"]) == [*names, "urgent"], "none is lost, in their order"
    assert [at for at, _ in stage.desks["slow"].got] == [float(at) for at in range(51)]


async def test_a_slow_receiver_stops_the_reading_for_nobody_else() -> None:
    stage = Stage(SLOW, FAST, backlog=10)
    stage.desks["slow"].takes_s = 10
    names = [f"a{number}" for number in range(50)]
    async with stage.running() as notifier:
        await stage.take(notifier, *(sample_alert(each) for each in names))
        await settle()
        assert len(stage.desks["fast"].got) == 50
        assert notifier.fullness() is Fullness.ROOM
        await stage.clock.advance(300)

    assert sorted(accounts(stage.desks["slow"])) == sorted(names)


async def test_a_receiver_that_is_away_stops_the_reading_for_nobody_else() -> None:
    stage = Stage(replace(SLOW, schedule_s=(0, *[30] * 50)), FAST, backlog=10, undelivered=10)
    stage.desks["slow"].answers = [ERROR] * 30
    names = [f"a{number}" for number in range(50)]
    async with stage.running() as notifier:
        await stage.take(notifier, *(sample_alert(each) for each in names))
        await settle()
        assert len(stage.desks["fast"].got) == 50
        assert notifier.undelivered() == 50
        assert notifier.fullness() is Fullness.ROOM
        await stage.clock.advance(HOUR_S)

    assert set(accounts(stage.desks["slow"])) == set(names)
    assert set(stage.states().values()) == {"succeeded"}


async def test_what_is_kept_back_is_no_notification_yet() -> None:
    stage = Stage(replace(SLOW, rate=1.0), FAST, backlog=10)
    async with stage.running() as notifier:
        await stage.take(notifier, *(sample_alert(f"a{number}") for number in range(50)))
        mine = [each for each in stage.known().notifications.values() if each.receiver == "slow"]
        assert len(mine) == 10 + 1, "one was sent at once"
        await stage.take(notifier, sample_alert("a49", "resolved"))
        await settle()
        assert stage.desks["fast"].got[-1] == (0.0, "a49 resolved")
        await stage.clock.advance(100)

    assert len(stage.desks["slow"].got) == 49, "what ended meanwhile is told to nobody"
    assert "a49" not in accounts(stage.desks["slow"])


async def test_what_was_kept_back_is_due_since_it_came_also_after_a_restart() -> None:
    stage = Stage(replace(SLOW, rate=0.005), FAST, backlog=10)
    async with stage.running() as notifier:
        await stage.take(notifier, *(sample_alert(f"a{n}", at_ms=START_MS) for n in range(30)))
        await stage.clock.advance(2_000)
    stage.topic.compact()
    async with stage.running():
        await stage.clock.advance(2 * HOUR_S)

    slow = [each for each in stage.known().notifications.values() if each.receiver == "slow"]
    assert len(slow) == 30
    assert {each.due_ms for each in slow} == {START_MS}
    assert {each.is_late for each in slow if each.at_ms > START_MS + 1000 * HOUR_S} == {True}


async def test_receivers_that_all_have_enough_to_do_stop_the_reading() -> None:
    stage = Stage(SLOW, replace(FAST, concurrency=2), backlog=10)
    for desk in stage.desks.values():
        desk.takes_s = 1
    async with stage.running() as notifier:
        await stage.take(notifier, *(sample_alert(f"a{number}") for number in range(20)))
        assert notifier.fullness() is Fullness.BUSY
        await stage.clock.advance(10)
        assert notifier.fullness() is Fullness.ROOM


async def test_room_that_comes_without_an_attempt_is_used() -> None:
    stage = Stage(replace(SLOW, schedule_s=(30, 5)), FAST, backlog=2)
    async with stage.running() as notifier:
        await stage.take(notifier, *(sample_alert(f"a{number}") for number in range(4)))
        # Both that were to be sent ended before they were: nothing is to be said of them.
        await stage.take(notifier, sample_alert("a0", "resolved"), sample_alert("a1", "resolved"))
        await stage.clock.advance(30)

    assert accounts(stage.desks["slow"]) == ["a2", "a3"]
