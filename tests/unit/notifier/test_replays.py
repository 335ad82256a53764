"""What people want to be sent again: once, in order, and without a word to the pipeline."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import msgspec
import pytest

from pulse.alerting.people.silences import Muted, encode_replay
from pulse.alerting.records.delivery import Delivery, State
from pulse.alerting.records.replays import Replay
from pulse.notifier.receiver import ReceiverSettings
from pulse.testing.alerts import sample_alert
from pulse.testing.clock import settle

from .test_dispatch import ERROR, GONE, OK, START_MS
from .test_dispatch_of_groups import Listener, stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pulse.model import Alert
    from pulse.notifier.dispatch import Notifier

    from .test_dispatch import Stage


def made(**changes: object) -> Stage:
    """A stage whose receiver is tried twice."""
    found = stage()
    found.settings = (
        ReceiverSettings(
            **{"name": "cs", "url": "http://x", "schedule_s": (0, 5), "jitter": 0, **changes}  # type: ignore[arg-type]
        ),
    )
    return found


def asked(*notifications: Delivery, new_id: bool = False) -> Muted:
    muted = Muted()
    for number, of in enumerate(notifications):
        replay = Replay(id=f"rp_{number}", of=of, author="kim", asked_ms=START_MS, new_id=new_id)
        muted.read(*encode_replay(replay))
    return muted


async def ask(notifier: Notifier, muted: Muted) -> None:
    notifier.mute(muted)
    await settle()


async def failed(stage: Stage, notifier: Notifier, *alerts: Alert) -> list[Delivery]:
    """The notifications of these, each of which has failed."""
    before = set(stage.known().notifications)
    desk = stage.desk
    for each in alerts:
        desk.answers += [ERROR, ERROR]
        await stage.take(notifier, each)
        await stage.clock.advance(6)
    new = [each for name, each in stage.known().notifications.items() if name not in before]
    assert [each.state for each in new] == [State.FAILED] * len(alerts)
    return new


async def told(stage: Stage, notifier: Notifier, number: int) -> list[Delivery]:
    """So many notifications that were delivered."""
    await stage.take(notifier, *(sample_alert(f"a{n}") for n in range(number)))
    await stage.clock.advance(60)
    return list(stage.known().notifications.values())


def of_pipeline(stage: Stage) -> dict[str, bytes]:
    kinds = ("alert/", "group/", "budget/", "owners", "position")
    return {key: said for key, said in stage.topic.latest().items() if key.startswith(kinds)}


def ids(stage: Stage) -> list[str]:
    desk = stage.desk
    assert isinstance(desk, Listener)
    return [told.notification.id for told in desk.told]


async def test_it_is_sent_again_with_its_id_and_the_pipeline_is_not_told() -> None:
    scene = made()
    async with scene.running() as notifier:
        (of,) = await failed(scene, notifier, sample_alert())
        before = of_pipeline(scene)
        await ask(notifier, asked(of))
        await scene.clock.advance(60)

    known = scene.known().notifications
    assert ids(scene) == [of.id] * 3
    assert known[of.id] == of, "what became of it then stands as it was"
    again = known["rp_0"]
    assert (again.state, again.attempts, again.replay_of) == (State.SUCCEEDED, 1, of.id)
    assert of_pipeline(scene) == before


async def test_it_may_have_a_new_id() -> None:
    scene = made()
    async with scene.running() as notifier:
        (of,) = await failed(scene, notifier, sample_alert())
        await ask(notifier, asked(of, new_id=True))

    assert ids(scene) == [of.id, of.id, "rp_0"]


async def test_what_is_read_twice_is_sent_once_also_after_a_restart() -> None:
    scene = made()
    answered: list[str] = []

    async def answer(keys: Sequence[str]) -> None:
        answered.extend(keys)

    async with scene.running() as notifier:
        notifier._answer = answer
        (of,) = await failed(scene, notifier, sample_alert())
        for _ in range(3):
            await ask(notifier, asked(of))
        assert answered == ["replay/rp_0"], "it need not be asked again, which is said once"
    scene.topic.compact()
    for _ in range(2):
        async with scene.running() as notifier:
            notifier._answer = answer
            await ask(notifier, asked(of))
            await scene.clock.advance(10)

    assert ids(scene).count(of.id) == 3
    assert answered == ["replay/rp_0"] * 3, "who leads next does not know that it was said"


async def test_what_is_asked_while_nobody_leads_is_sent_by_who_leads_next() -> None:
    scene = made()
    async with scene.running() as notifier:
        (of,) = await failed(scene, notifier, sample_alert())
        await notifier.resign()
        await ask(notifier, asked(of))
        assert len(ids(scene)) == 2
        await notifier.lead()
        await settle()
        assert len(ids(scene)) == 3


@pytest.mark.parametrize("let", range(6))
async def test_a_crash_anywhere_loses_none_and_begins_none_twice(let: int) -> None:
    scene = made()
    async with scene.running() as notifier:
        found = await failed(scene, notifier, sample_alert("a"), sample_alert("b"))
        before = of_pipeline(scene)
        sent = len(ids(scene))
        scene.topic.let = let
        await ask(notifier, asked(*found))
        await scene.clock.advance(10)
    scene.topic.let = None
    for _ in range(2):
        async with scene.running() as notifier:
            await ask(notifier, asked(*found))
            await scene.clock.advance(10)

    known = scene.known().notifications
    again = ids(scene)[sent:]
    assert set(again) == {each.id for each in found}
    assert len(again) <= 4, "at most what was under way comes again"
    assert {known[f"rp_{n}"].state for n in range(2)} == {State.SUCCEEDED}
    after = of_pipeline(scene)
    assert {key: said.split(b'"said"')[1:] for key, said in after.items()} == {
        key: said.split(b'"said"')[1:] for key, said in before.items()
    }


async def test_an_alert_is_told_again_in_the_order_in_which_it_was() -> None:
    scene = made()
    async with scene.running() as notifier:
        began, ended = sample_alert(), sample_alert(status="resolved")
        found = await failed(scene, notifier, began, ended)
        scene.desk.answers = [ERROR, OK, OK]
        await ask(notifier, asked(*found))
        assert ids(scene)[4:] == [found[0].id]
        await scene.clock.advance(6)

    assert ids(scene)[4:] == [found[0].id, found[0].id, found[1].id]


async def test_what_ended_meanwhile_is_not_told_after_its_end() -> None:
    scene = made()
    async with scene.running() as notifier:
        (of,) = await failed(scene, notifier, sample_alert())
        scene.desk.answers = [ERROR]
        await ask(notifier, asked(of))
        await scene.take(notifier, sample_alert(status="resolved"))
        await scene.clock.advance(10)

    again = scene.known().notifications["rp_0"]
    assert (again.state, again.reason) == (State.SUPERSEDED, "resolved_before_delivered")
    assert [each.partition("_cs_")[2] for each in ids(scene)] == ["firing"] * 3 + ["resolved"]


async def test_what_was_over_when_it_was_asked_for_is_told_all_the_same() -> None:
    scene = made()
    async with scene.running() as notifier:
        found = await failed(scene, notifier, sample_alert(), sample_alert(status="resolved"))
        await scene.clock.advance(1)
        await ask(notifier, asked(found[0]))

    assert ids(scene)[4:] == [found[0].id]


async def test_a_disabled_endpoint_and_an_unknown_receiver_say_so() -> None:
    scene = made()
    async with scene.running() as notifier:
        scene.desk.answers = [GONE]
        await scene.take(notifier, sample_alert())
        (of,) = scene.known().notifications.values()
        await ask(notifier, asked(of, msgspec.structs.replace(of, receiver="nobody")))

    known = scene.known().notifications
    assert [(known[f"rp_{n}"].state, known[f"rp_{n}"].reason) for n in range(2)] == [
        (State.DISABLED, "endpoint_disabled"),
        (State.FAILED, "no_such_receiver"),
    ]
    assert len(ids(scene)) == 1


async def test_the_alerts_of_a_disabled_endpoint_are_still_there() -> None:
    scene = made()
    async with scene.running() as notifier:
        scene.desk.answers = [GONE]
        await scene.take(notifier, sample_alert("a"))
        await scene.take(notifier, sample_alert("b"))
        found = list(scene.known().notifications.values())
    assert {each.state for each in found} == {State.DISABLED}
    await scene.topic.broadcast(("endpoint/cs", None))
    async with scene.running() as notifier:
        await ask(notifier, asked(*found))

    assert set(ids(scene)[1:]) == {each.id for each in found}


async def test_an_alert_that_is_nowhere_any_more_is_given_up_at_once() -> None:
    scene = made()
    async with scene.running() as notifier:
        (of,) = await failed(scene, notifier, sample_alert())
        gone = msgspec.structs.replace(of, alerts=(("al_gone", "firing"),))
        await ask(notifier, asked(gone))

    again = scene.known().notifications["rp_0"]
    assert (again.state, again.reason, again.attempts) == (State.FAILED, "alert_lost", 1)


async def test_a_new_alert_is_not_behind_all_that_is_sent_again() -> None:
    scene = made(concurrency=4)
    async with scene.running() as notifier:
        found = await told(scene, notifier, 40)
        sent = len(ids(scene))
        scene.desk.takes_s = 1.0
        await ask(notifier, asked(*found))
        await scene.take(notifier, sample_alert("new"))
        await scene.clock.advance(30)

    again = ids(scene)[sent:]
    assert len(again) == len(set(again)) == 41
    old = {each.id for each in found}
    assert next(place for place, name in enumerate(again) if name not in old) <= 8


async def test_who_takes_one_request_a_second_gets_them_one_by_one() -> None:
    scene = made(rate=1.0)
    async with scene.running() as notifier:
        found = await told(scene, notifier, 5)
        await ask(notifier, asked(*found))
        states = [each.state for each in scene.known().notifications.values() if each.replay_of]
        assert states.count(State.PENDING) <= 1
        await scene.clock.advance(10)

    gaps = [b - a for a, b in itertools.pairwise(at for at, _ in scene.desk.got[-5:])]
    assert min(gaps) >= 1


async def test_it_says_that_it_is_late() -> None:
    scene = made()
    async with scene.running() as notifier:
        (of,) = await failed(scene, notifier, sample_alert(at_ms=START_MS))
        await scene.clock.advance(2 * 3600)
        await ask(notifier, asked(of))

    desk = scene.desk
    assert isinstance(desk, Listener)
    assert [told.notification.is_late for told in desk.told] == [False, False, True]
