"""The notifier with routes, silences, hours and budgets, on a clock turned by hand."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from pulse.alerting.book import Rules
from pulse.alerting.people.links import Links
from pulse.alerting.people.silences import Muted, encode_silence, encode_snooze
from pulse.alerting.stages.budget import Budget
from pulse.alerting.stages.hours import Hours, Interval
from pulse.alerting.stages.matching import Matcher
from pulse.alerting.stages.muting import Silence, Snooze
from pulse.alerting.stages.owners import Owners
from pulse.alerting.stages.routing import Addressee, Route
from pulse.notifier.state.letters import Letters, Wanted
from pulse.notifier.state.log import PartitionClosed
from pulse.testing.alerts import sample_alert

from .test_dispatch import ERROR, GONE, SETTINGS, START_MS, Desk, Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pulse.model import Alert
    from pulse.notifier.receiver import Attempt, Notification, Outcome

MINUTE_MS, DAY_MS = 60_000, 86_400_000


@dataclass
class Told:
    at_s: float
    notification: Notification

    @property
    def accounts(self) -> list[str]:
        return [f"{each.account_id} {each.status}" for each in self.notification.alerts]


@dataclass
class Listener(Desk):
    """A desk that keeps whole notifications."""

    told: list[Told] = field(default_factory=list)

    async def send(self, notification: Notification, attempt: Attempt) -> Outcome:
        self.told.append(Told((attempt.at_ms - START_MS) / 1000, notification))
        return await super().send(notification, attempt)


def stage(budget: Budget | None = None, owners: Owners | None = None, **route: Any) -> Stage:
    made = Stage()
    made.desks = {"cs": Listener(made.clock)}
    made.rules = Rules(
        root=Route(receivers=("cs",), **route),
        addressees={"cs": Addressee("cs")},
        budget=budget or Budget(),
        owners=owners or Owners(),
    )
    return made


def told(stage: Stage) -> list[Told]:
    desk = stage.desk
    assert isinstance(desk, Listener)
    return desk.told


def of_kim(name: str, status: Any = "firing", **changes: Any) -> Alert:
    profile = {"name": name, "owner": "kim", "mrr": 100, **changes.pop("profile", {})}
    return sample_alert(name, status, profile=profile, **changes)


async def test_messages_lead_to_the_page_the_same_over_all_attempts() -> None:
    play = stage()
    play.links = Links("https://pulse.example.com", b"k" * 32, DAY_MS)
    play.desk.answers = [ERROR]
    async with play.running() as notifier:
        await play.take(notifier, sample_alert("acme"))
        await play.clock.advance(5)
        await play.take(notifier, sample_alert("acme", "resolved"), sample_alert("*"))
    first, again, end, of_nobody = (each.notification for each in told(play))
    (links,) = first.links.values()
    assert sorted(links) == ["acknowledge", "alert", "close", "snooze"]
    ticket = links["alert"].rpartition("/")[2]
    assert play.links.open(ticket, START_MS)[:2] == (first.alert.id, "acme")
    assert again.links == first.links
    assert sorted(end.links[end.alert.id]) == ["alert", "close"]
    assert of_nobody.links == {of_nobody.alert.id: {}}


async def test_a_request_for_each_alert_counts_as_so_many() -> None:
    play = stage(group_by=("owner",), wait_ms=1_000)
    play.settings = (replace(SETTINGS, rate=2.0, per_alert=True),)
    async with play.running() as notifier:
        await play.take(notifier, *(of_kim(f"a{number}") for number in range(6)))
        await play.clock.advance(1)
        await play.take(notifier, sample_alert("b"))
        await play.clock.advance(10)

    assert [(each.at_s, len(each.accounts)) for each in told(play)] == [(1.0, 6), (4.0, 1)]


async def test_alerts_of_an_owner_are_told_together() -> None:
    play = stage(group_by=("owner",), wait_ms=30_000, interval_ms=5 * MINUTE_MS)
    async with play.running() as notifier:
        await play.take(notifier, of_kim("acme"), of_kim("bolt", profile={"mrr": 900}))
        await play.clock.advance(10)
        await play.take(notifier, of_kim("cube"))
        await play.clock.advance(19)
        assert not told(play)
        await play.clock.advance(60)
        await play.take(notifier, of_kim("acme", "resolved"), of_kim("dune"))
        await play.clock.advance(600)

    first, second = told(play)
    assert (first.at_s, first.accounts[0]) == (30.0, "bolt firing")
    assert sorted(first.accounts) == ["acme firing", "bolt firing", "cube firing"]
    assert first.notification.group == (("owner", "kim"),)
    assert (second.at_s, second.accounts) == (330.0, ["dune firing", "acme resolved"])
    assert second.notification.also_firing == 2


async def test_a_silence_holds_and_its_end_lets_go() -> None:
    play = stage()
    silence = Silence(
        id="si_1", match=Matcher(accounts=("acme",)), author="kim", reason="known",
        starts_ms=START_MS, ends_ms=START_MS + DAY_MS,
    )  # fmt: skip
    muted = Muted()
    muted.read(*encode_silence(silence))
    async with play.running() as notifier:
        notifier.mute(muted)
        await play.take(notifier, sample_alert("acme"), sample_alert("bolt"))
        assert [each.accounts for each in told(play)] == [["bolt firing"]]
        assert play.path("acme") == ["silence silenced:si_1"]
        await play.clock.advance(3_600)
        muted.read("silence/si_1", None)
        notifier.mute(muted)
        await play.clock.advance(1)

    assert [(each.at_s, each.accounts) for each in told(play)][1:] == [(3600.0, ["acme firing"])]
    assert play.path("acme") == ["silence silenced:si_1", "deduplicate told"]
    read = play.metrics.registry.get_sample_value
    labels = {"stage": "silence", "receiver": "cs", "reason": "silenced"}
    assert read("pulse_notification_decisions_total", labels) == 1


async def test_what_is_muted_is_known_before_anything_is_sent() -> None:
    play = stage()
    muted = Muted()
    muted.read(*encode_snooze(Snooze(alert_id=sample_alert("acme").id, author="kim")))
    play.desk.answers = [ERROR]
    async with play.running() as notifier:
        notifier.mute(muted)
        await play.take(notifier, sample_alert("acme"))
        await notifier.resign()
        await notifier.lead()
        await play.clock.advance(10)

    assert told(play) == []
    assert play.path("acme") == ["silence acknowledged"]


async def test_outside_of_the_hours_it_waits_and_survives_a_restart() -> None:
    work = Interval(name="work", times=((9 * 60, 17 * 60),))
    play = stage(hours=Hours(active=(work,)))  # it starts at 22:13 UTC
    async with play.running() as notifier:
        await play.take(notifier, sample_alert("acme"), sample_alert("bolt"))
        await play.take(notifier, sample_alert("bolt", "resolved"))
        await play.clock.advance(60)
    play.topic.compact()
    async with play.running():
        await play.clock.advance(14 * 3_600)

    (only,) = told(play)
    assert only.accounts == ["acme firing"]
    assert only.at_s == pytest.approx(10 * 3_600 + 46 * 60 + 40, abs=1)


async def test_what_is_over_the_budget_is_in_the_digest() -> None:
    play = stage(Budget(weekly=2, digest_minute=9 * 60), wait_ms=1_000)
    async with play.running() as notifier:
        names = [f"a{number}" for number in range(5)]
        mrr = {name: 100 * number for number, name in enumerate(names)}
        await play.take(notifier, *(of_kim(n, profile={"mrr": mrr[n]}) for n in names))
        await play.clock.advance(10)
        assert sum(len(each.accounts) for each in told(play)) == 2
        await play.clock.advance(DAY_MS / 1000)

    digest = told(play)[-1]
    assert digest.notification.is_digest
    assert digest.notification.group == (("owner", "kim"),)
    assert len(digest.accounts) == 3
    assert play.path(sorted(digest.accounts)[0].split()[0])[0] == "budget over_budget"


async def test_who_was_chosen_as_owner_is_named() -> None:
    play = stage(owners=Owners("round_robin", ("kim", "lee")), group_by=("owner",))
    async with play.running() as notifier:
        await play.take(notifier, sample_alert("acme"), sample_alert("bolt"))

    owners = [each.notification.alerts[0].profile.owner for each in told(play)]
    assert owners == ["kim", "lee"]


async def test_an_endpoint_that_is_gone_gets_nothing_of_a_group_and_all_is_accounted_for() -> None:
    play = stage(group_by=(), wait_ms=1_000)
    play.desk.answers = [GONE]
    async with play.running() as notifier:
        await play.take(notifier, *(sample_alert(f"a{n}") for n in range(60)))
        await play.clock.advance(60)

    (only,) = told(play)
    assert len(only.accounts) == 25
    states = [each.state for each in play.known().notifications.values()]
    assert states == ["disabled"] * 3


async def test_more_than_fit_follow_at_once_worst_first() -> None:
    play = stage(group_by=(), wait_ms=1_000)
    async with play.running() as notifier:
        names = {f"a{n}": n for n in range(120)}
        await play.take(notifier, *(of_kim(n, profile={"mrr": m}) for n, m in names.items()))
        await play.clock.advance(2)

    sizes = [len(each.accounts) for each in told(play)]
    assert sizes == [25, 25, 25, 25, 20]
    order = [names[name.split()[0]] for each in told(play) for name in each.accounts]
    assert order == sorted(order, reverse=True)


async def test_alerts_that_are_in_memory_no_longer_are_read_again_to_be_sent() -> None:
    play = stage(group_by=(), wait_ms=60_000)
    async with play.running() as notifier:
        notifier._letters = Letters(notifier._letters._shelf, kept_bytes=5_000)
        assert play.position is None
        outbox = notifier._outbox
        assert outbox is not None
        outbox._besides._letters = notifier._letters
        await play.take(notifier, *(sample_alert(f"a{n}") for n in range(30)))
        assert notifier._letters.kept(Wanted(sample_alert("a0").id, "firing", "")) is None
        await play.clock.advance(61)

    assert sorted(name for each in told(play) for name in each.accounts) == sorted(
        f"a{n} firing" for n in range(30)
    )


@pytest.mark.parametrize("let", [*range(40), *range(40, 150, 7)])
async def test_a_crash_after_any_record_loses_nothing(let: int) -> None:
    play = stage(group_by=("owner",), wait_ms=1_000, interval_ms=10_000)
    play.desk.answers = [ERROR]
    began = [of_kim(f"a{number}") for number in range(30)]
    ended = [of_kim(f"a{number}", "resolved") for number in range(10)]
    states = [*began, *ended]

    async def read(notifier: Any) -> None:
        from_ = play.position or 0
        for first in range(from_, len(states), 10):
            play.offset = first
            await play.take(notifier, *states[first : first + 10])
            await play.clock.advance(3)
        await play.clock.advance(600)

    play.topic.let = let
    try:
        async with play.running() as notifier:
            await read(notifier)
    except PartitionClosed:
        pass
    play.topic.let = None
    async with play.running() as notifier:
        await read(notifier)

    heard: dict[str, list[str]] = {}
    for each in told(play):
        for alert in each.notification.alerts:
            heard.setdefault(alert.account_id, []).append(alert.status)
    for alert in began:
        last = "resolved" if alert.account_id in {e.account_id for e in ended} else "firing"
        said = heard.get(alert.account_id, [])
        # Who ended before anything was sent is not told of at all.
        assert said[-1:] in ([last], []), (let, alert.account_id, said)
        assert said or last == "resolved", (let, alert.account_id)
        assert said == sorted(said)
    assert not [e for e in play.known().notifications.values() if e.is_open]


@pytest.mark.parametrize("let", range(20))
async def test_an_id_that_is_used_again_tells_what_it_has_now_also_after_a_crash(let: int) -> None:
    """What was not attempted gives way to another one with its id, and more in it."""
    play = stage(group_by=("owner",), wait_ms=1_000)
    play.settings = (replace(SETTINGS, schedule_s=(10, 5)),)
    states = [of_kim("a"), of_kim("b")]

    async def read(notifier: Any) -> None:
        for number in range(play.position or 0, 2):
            play.offset = number
            await play.take(notifier, states[number])
            await play.clock.advance(3)
        await play.clock.advance(60)

    play.topic.let = let
    with contextlib.suppress(PartitionClosed):
        async with play.running() as notifier:
            await read(notifier)
    play.topic.let = None
    async with play.running() as notifier:
        await read(notifier)

    assert {name for each in told(play) for name in each.accounts} == {"a firing", "b firing"}
    known = play.known()
    assert {each.state for each in known.notifications.values()} <= {"succeeded", "superseded"}


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("is_known", [False, True])
async def test_a_group_that_one_wrote_late_who_was_thought_dead_tells_nothing(
    number: int, is_known: bool
) -> None:
    dead, play = stage(group_by=("owner",)), stage(group_by=("owner",))
    async with dead.running() as notifier:
        await dead.take(notifier, of_kim("bolt"))
    said = [each for each in dead.topic.records[0] if each[0].startswith("group/")]
    begun = [of_kim("acme"), of_kim("bolt")] if is_known else [of_kim("acme")]
    for _ in range(2):
        async with play.running() as notifier:
            await play.take(notifier, *begun)
    # Its first alert is another one, so its group has an id that nobody knows.
    play.topic.records[0].append(said[number])
    for _ in range(2):
        async with play.running() as notifier:
            await play.take(notifier, *(of_kim(each.account_id, "resolved") for each in begun))

    names = [each.account_id for each in begun]
    assert [each for one in told(play) for each in one.accounts] == [
        *(f"{name} firing" for name in names),
        *(f"{name} resolved" for name in names),
    ]
    assert play.known().groups == {}


async def test_a_late_attempt_says_so_and_what_hours_held_does_not() -> None:
    work = Interval(name="work", times=((8 * 60, 17 * 60),))
    play = stage(hours=Hours(active=(work,)))  # it starts at 22:13 UTC
    play.settings = (replace(SETTINGS, schedule_s=(0, 5, 7200)),)
    play.desk.answers = [ERROR, ERROR]
    async with play.running() as notifier:
        await play.take(notifier, of_kim("acme"))
        await play.clock.advance(DAY_MS // 2000)
        await play.clock.advance(3 * 3600)
    assert [each.notification.is_late for each in told(play)] == [False, False, True]


async def test_what_people_said_of_alerts_that_have_ended_is_erased() -> None:
    scene = stage()
    ended, fires, unread = (sample_alert(name) for name in ("acme", "bolt", "cube"))
    muted = Muted()
    for alert in (ended, fires, unread):
        muted.read(*encode_snooze(Snooze(alert_id=alert.id, author="kim")))
    for name, days in (("al_old", 31), ("al_new", 29)):
        until_ms = START_MS - days * DAY_MS
        muted.read(*encode_snooze(Snooze(alert_id=name, author="kim", until_ms=until_ms)))
    erased: list[str] = []

    async def answer(keys: Sequence[str]) -> None:
        erased.extend(keys)
        for key in keys:
            muted.read(key, None)

    async with scene.running() as notifier:
        notifier._answer = answer
        notifier.mute(muted)
        await scene.take(notifier, ended, fires, sample_alert("acme", "resolved"))
        for _ in range(2):
            await notifier.forget_old()
    assert sorted(erased) == sorted(["snooze/al_old", f"snooze/{ended.id}"])
