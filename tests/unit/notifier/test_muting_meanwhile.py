"""What people say while a notifier takes the lead over, and of what is made and not sent yet."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from pulse.alerting.people.silences import Muted, encode_replay, encode_silence, encode_snooze
from pulse.alerting.records.delivery import State
from pulse.alerting.records.replays import Replay
from pulse.alerting.stages.matching import Matcher
from pulse.alerting.stages.muting import Silence, Snooze
from pulse.testing.alerts import sample_alert
from pulse.testing.clock import settle

from .test_dispatch import ERROR, SETTINGS, START_MS, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pulse.notifier.dispatch import Notifier
    from pulse.notifier.state.log import Record

SILENCE = Silence(
    id="si_1",
    match=Matcher(accounts=("acme",)),
    author="kim",
    reason="known",
    starts_ms=START_MS,
    ends_ms=START_MS + 86_400_000,
)


async def lead_while(
    stage: Stage, notifier: Notifier, muted: Muted, said: Callable[[], object]
) -> None:
    """Take the lead over; people say something while Kafka acknowledges what was taken over.

    As the silences topic is followed: one object, which changes in place.
    """
    append = stage.topic.append

    async def appended(partition: int, records: Sequence[Record]) -> None:
        stage.topic.append = append  # type: ignore[method-assign]  # once
        said()
        notifier.mute(muted)
        await append(partition, records)

    stage.topic.append = appended  # type: ignore[method-assign]  # a Kafka that is slow
    await notifier.lead()
    await settle()


async def test_a_silence_that_comes_meanwhile_holds() -> None:
    stage, muted = Stage(), Muted()
    async with stage.running() as notifier:
        notifier.mute(muted)
        await notifier.resign()
        await lead_while(stage, notifier, muted, lambda: muted.read(*encode_silence(SILENCE)))
        await stage.take(notifier, sample_alert("acme"), sample_alert("bolt"))

    assert [what for _, what in stage.desk.got] == ["bolt firing"]


async def test_a_silence_that_is_lifted_meanwhile_holds_no_more() -> None:
    stage, muted = Stage(), Muted()
    muted.read(*encode_silence(SILENCE))
    async with stage.running() as notifier:
        notifier.mute(muted)
        await stage.take(notifier, sample_alert("acme"))
        await notifier.resign()
        await lead_while(stage, notifier, muted, lambda: muted.read("silence/si_1", None))

    assert stage.desk.got == [(0.0, "acme firing")]


async def test_what_is_asked_for_again_meanwhile_is_sent() -> None:
    stage, muted = Stage(), Muted()
    async with stage.running() as notifier:
        notifier.mute(muted)
        await stage.take(notifier, sample_alert("acme"))
        (told,) = stage.known().notifications.values()
        replay = Replay(id="rp_1", of=told, author="kim", asked_ms=START_MS)
        await notifier.resign()
        await lead_while(stage, notifier, muted, lambda: muted.read(*encode_replay(replay)))

    assert stage.desk.got == [(0.0, "acme firing")] * 2


async def test_a_silence_holds_what_waits_for_a_receivers_rate() -> None:
    stage, muted = Stage(replace(SETTINGS, rate=0.1)), Muted()
    async with stage.running() as notifier:
        await stage.take(notifier, *(sample_alert(name) for name in ("acme", "bolt", "acme-2")))
        muted.read(
            *encode_silence(msgspec.structs.replace(SILENCE, match=Matcher(accounts=("acme*",))))
        )
        notifier.mute(muted)
        await stage.clock.advance(60)
        assert [what for _, what in stage.desk.got] == ["acme firing", "bolt firing"]
        muted.read("silence/si_1", None)
        notifier.mute(muted)
        await stage.clock.advance(60)

    assert [what for _, what in stage.desk.got][2:] == ["acme-2 firing"]


async def test_a_snooze_holds_what_is_tried_again_and_says_so() -> None:
    stage, muted = Stage(replace(SETTINGS, schedule_s=(0, 60, 60), jitter=0)), Muted()
    stage.desk.answers = [ERROR]
    alert = sample_alert("acme")
    async with stage.running() as notifier:
        await stage.take(notifier, alert)
        until_ms = START_MS + 3_600_000
        muted.read(*encode_snooze(Snooze(alert_id=alert.id, author="kim", until_ms=until_ms)))
        notifier.mute(muted)
        await stage.clock.advance(3_590)
        (held,) = stage.known().notifications.values()
        assert (held.state, held.reason) == (State.SUPERSEDED, "held")
        assert stage.desk.got == [(0.0, "acme firing")]
        await stage.clock.advance(20)

    assert stage.desk.got == [(0.0, "acme firing"), (3600.0, "acme firing")]
