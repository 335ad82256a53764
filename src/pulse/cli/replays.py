"""Notifications sent again: what is asked of the notifier, and what it answers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from pulse.alerting.people.silences import encode_replay
from pulse.alerting.records.delivery import Delivery, State
from pulse.alerting.records.reader import Deliveries
from pulse.alerting.records.replays import (
    Choice,
    Replay,
    Wanted,
    accounts_of,
    choose,
    new_replay_id,
    repeats,
)
from pulse.alerting.records.standing import why
from pulse.cli.auditing import audited
from pulse.cli.records import deliveries_of, done, end_of, follow, moment, the_one
from pulse.cli.words import count, listed
from pulse.cli.writing import CONNECT_S, write
from pulse.errors import PulseError
from pulse.model.audit import Change
from pulse.producer import Outgoing
from pulse.topics.broker import Brokers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pulse.config import Config
    from pulse.desk.audit import By

_MOST: Final = 10_000
"""Sent again at once: what the notifier is asked for waits in its memory."""


class Range(NamedTuple):
    """One delivery, or those that were made from an instant up to another one."""

    delivery: str | None
    from_ms: int
    to_ms: int
    receiver: str | None
    states: frozenset[State]
    account: str | None


def send_again(
    config: Config, wanted: Range, by: By | None, *, new_id: bool, wait_s: float
) -> None:
    """Ask for it, and say what comes of it within that time. Raises `PulseError`.

    `by` is who wants it; without it is only said what would be sent again.
    """
    with Brokers(config.kafka, timeout_s=CONNECT_S) as brokers:
        brokers.need(config.kafka.topics.silences)
    known = deliveries_of(config)
    if wanted.delivery is None:
        choice = _range(known, wanted)
        for line in passed_over(choice):
            print(line)
        chosen = choice.chosen
    else:
        chosen = [_one(known, wanted.delivery)]
    if len(chosen) > _MOST:
        raise PulseError(
            f"{count(len(chosen), 'delivery', 'deliveries')} are too many at once",
            hint=f"at most {_MOST:,}: choose a shorter range, or one receiver",
        )
    names = {each.name for each in config.receivers}
    gone = sorted({each.receiver for each in chosen} - names)
    if gone:
        raise PulseError(
            f"the configuration has no receiver {listed(gone)}",
            hint="name one that there is with --receiver",
        )
    if by is None:
        for each in chosen:
            print(f"{each.id} to {each.receiver}, {each.state}, made {moment(each.created_ms)}")
        print(f"{count(len(chosen), 'delivery', 'deliveries')} would be sent again")
        return
    if not chosen:
        print("nothing is sent again")
        return
    asked = [_replay(each, by, new_id=new_id) for each in chosen]
    accounts = {each for of in chosen for each in accounts_of(of, known)}
    audited(
        config,
        by,
        Change.deliveries_replayed,
        account_id=accounts.pop() if len(accounts) == 1 else None,
        subject=chosen[0].id if len(chosen) == 1 else None,
        deliveries=str(len(chosen)),
        receivers=", ".join(sorted({each.receiver for each in chosen})),
    )
    first = done(end_of(config))
    done(_write(config, asked))
    print(f"asked for {count(len(asked), 'delivery', 'deliveries')} to be sent again")
    if wait_s:
        for line in done(_wait(config, asked, wait_s, first)):
            print(line)


def _one(known: Deliveries, name: str) -> Delivery:
    found = known.notifications[
        the_one("delivery", name, sorted(known.notifications), "pulse deliveries")
    ]
    # What repeats another one is that one, once more.
    found = known.notifications.get(found.replay_of, found)
    under_way = [each for each in repeats(known.notifications.values())[found.id] if each.is_open]
    for each in (found, *under_way):
        if each.is_open:
            when = "" if each.next_ms is None else f", next at {moment(each.next_ms)}"
            raise PulseError(f"{each.id} is still to be sent{when}")
    return found


def _range(known: Deliveries, wanted: Range) -> Choice:
    if wanted.from_ms >= wanted.to_ms:
        raise PulseError("--from is not before --to")
    by = Wanted(
        from_ms=wanted.from_ms,
        to_ms=wanted.to_ms,
        receiver=wanted.receiver,
        states=wanted.states,
        account=wanted.account,
    )
    return choose(known, by)


def passed_over(choice: Choice) -> Iterator[str]:
    """What of a range is not sent again, and why."""
    for found, because in (
        (choice.repeated, "sent again before, or about to be"),
        (choice.outdated, "the receiver knows that it has ended; each can be named to be sent"),
    ):
        if found:
            yield f"passed over {count(len(found), 'delivery', 'deliveries')}: {because}"


def _replay(of: Delivery, by: By, *, new_id: bool) -> Replay:
    now_ms = time.time_ns() // 1_000_000
    return Replay(id=new_replay_id(), of=of, author=by.who, asked_ms=now_ms, new_id=new_id)


async def _write(config: Config, asked: Sequence[Replay]) -> None:
    out = []
    for each in asked:
        key, value = encode_replay(each)
        out.append(Outgoing(config.kafka.topics.silences, 0, key.encode(), value))
    await write(config.kafka, out)


async def _wait(config: Config, asked: Sequence[Replay], within_s: float, first: int) -> list[str]:
    """What became of them, in lines."""
    known = Deliveries()
    names = [each.id for each in asked]

    def all_are_done() -> bool:
        found = [known.notifications.get(name) for name in names]
        return all(each is not None and not each.is_open for each in found)

    await follow(config, known, all_are_done, within_s, first=first)
    return list(answers(names, known))


def answers(names: Sequence[str], known: Deliveries) -> Iterator[str]:
    """What the notifier has made of replays by now."""
    delivered, unheard = 0, 0
    for name in names:
        found = known.notifications.get(name)
        if found is None:
            unheard += 1
        elif found.state is State.SUCCEEDED:
            delivered += 1
        else:
            because = why(found)
            next_ = "" if found.next_ms is None else f", next at {moment(found.next_ms)}"
            said = f": {because}" if because else ""
            yield f"{found.replay_of}: {found.state}{said}{next_}"
    yield f"{count(delivered, 'delivery', 'deliveries')} sent again"
    if unheard:
        yield (
            f"{count(unheard, 'delivery', 'deliveries')} still to come: the notifier sends them "
            "when it leads and has room (`pulse deliveries` says what became of them)"
        )
