"""`pulse repartition`: the state of the workers for another number of partitions."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from aiokafka.errors import KafkaError

from pulse.cli.auditing import Author, audited, by_command
from pulse.cli.progress import step_progress
from pulse.cli.repartition_links import links_anew
from pulse.cli.words import count, listed
from pulse.config import Config
from pulse.config.kafka_clients import for_aiokafka
from pulse.config.policy import policy
from pulse.desk.audit import By
from pulse.engine import Engine, PartitionState
from pulse.errors import PulseError
from pulse.model.audit import Change
from pulse.model.time import format_ms
from pulse.placement import partition_of
from pulse.stream.partition import empty_state
from pulse.stream.process import quieten
from pulse.stream.repartition.merging import merged
from pulse.stream.repartition.moving import move
from pulse.stream.repartition.reading import Read, ends_of, read_partitions
from pulse.stream.repartition.verifying import verify
from pulse.stream.repartition.writing import check_unused, write_partitions
from pulse.stream.state.changelog import read_ranges
from pulse.stream.state.pages import Context
from pulse.topics.broker import Brokers
from pulse.topics.plan import plan
from pulse.topics.wanted import WantedTopic, wanted_topics

_ANEW = ("events", "changelog", "links")
"""Topics in which a place follows from the number of partitions: they are made anew."""
_WIDENED = ("alerts", "deliveries", "history")
"""Topics that go on. They get more partitions where there are too few."""


def command(
    to: Annotated[
        Path,
        typer.Argument(
            metavar="NEW", help="The configuration with the other number and new names of topics."
        ),
    ],
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The configuration that the workers had so far."),
    ] = None,
    author: Author = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and check everything, and write nothing.")
    ] = False,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="How long to wait for Kafka.")
    ] = 30.0,
) -> None:
    """Rewrite the workers' state for another number of partitions, while nothing runs.

    NEW is a copy of the configuration in which `kafka.partitions` is another, and `events`,
    `changelog` and `links` of `kafka.topics` have other names; all else is the same. First stop
    what writes events, let the workers read to the end, and stop them.

    The topics of NEW are made and filled; those so far stay as they are, so that the old
    configuration still holds until something is written into the new topics. Where it was
    interrupted, run it again.

    Example: pulse repartition pulse-64.yaml --config pulse.yaml
    """
    old, new = Config.load(config), Config.load(to)
    if mistakes := list(differences(old, new)):
        raise PulseError(f"the new configuration does not fit: {'; '.join(mistakes)}")
    quieten()
    with Brokers(new.kafka, timeout_s=timeout) as brokers:
        topics = old.kafka.topics
        found = brokers.need(*(getattr(topics, name) for name in (*_ANEW, *_WIDENED)))
        if found[topics.events].partitions != old.kafka.partitions:
            raise PulseError(
                f"{topics.events} has {found[topics.events].partitions} partitions, and the old "
                f"configuration says {old.kafka.partitions}"
            )
        _check_groups(brokers, old, found[topics.alerts].partitions)
        create = _to_create(brokers, new)
        by = None if dry_run else by_command(author)
        try:
            _run(brokers, old, new, create, by)
        except (TimeoutError, KafkaError, OSError) as error:
            raise PulseError(
                f"Kafka did not let us finish: {error!r}",
                hint="run it again; the old state is as it was",
            ) from None


def differences(old: Config, new: Config) -> Iterator[str]:
    """What makes two configurations no pair of before and after, in words."""
    if old.kafka.partitions == new.kafka.partitions:
        yield f"kafka.partitions is {new.kafka.partitions} in both"
    for name in type(old.kafka.topics).model_fields:
        before, after = getattr(old.kafka.topics, name), getattr(new.kafka.topics, name)
        if name in _ANEW and before == after:
            yield f"kafka.topics.{name} must be another topic than {before}"
        if name not in _ANEW and before != after:
            yield f"kafka.topics.{name} must stay {before}"
    if old.kafka.group != new.kafka.group:
        yield f"kafka.group must stay {old.kafka.group}"
    if old.clock != new.clock:
        yield f"clock must stay {old.clock}"
    if old.version != new.version:
        yield (
            "what decides results must stay as it is (`pulse activate` changes that, before or "
            "after)"
        )


def _check_groups(brokers: Brokers, old: Config, alerts: int) -> None:
    """Raise PulseError where a worker runs, or alerts wait that would be overtaken by later ones
    in other partitions.
    """
    kafka = old.kafka
    if members := brokers.members(kafka.group):
        raise PulseError(
            f"{count(members, 'worker is', 'workers are')} in the group {kafka.group}",
            hint="stop them; one that was killed is in it for worker.session_timeout_s yet",
        )
    notifier = f"{kafka.group}-notifier"
    ranges = asyncio.run(
        read_ranges(for_aiokafka(kafka), notifier, kafka.topics.alerts, range(alerts))
    )
    # Where none has ever run, nothing is to be waited for.
    has_run = any(each.committed is not None for each in ranges.values())
    waiting = sum(each.end - (each.committed or each.earliest) for each in ranges.values())
    if has_run and waiting:
        raise PulseError(
            f"{count(waiting, 'alert has', 'alerts have')} not been read by the notifier",
            hint="let it run until it has read them",
        )


def _to_create(brokers: Brokers, new: Config) -> list[WantedTopic]:
    """The topics that are to be made. Raises PulseError where one is there and does not fit."""
    names = {getattr(new.kafka.topics, name) for name in _ANEW}
    wanted = [topic for topic in wanted_topics(new.kafka) if topic.name in names]
    todo = plan(wanted, brokers.find([*names]))
    if todo.obstacles:
        raise PulseError(todo.obstacles[0])
    return todo.create


def _run(
    brokers: Brokers, old: Config, new: Config, create: list[WantedTopic], by: By | None
) -> None:
    """Do it, for whoever wants it; without them read and check everything, and write nothing."""
    before, after = old.kafka.partitions, new.kafka.partitions
    if not create:
        asyncio.run(check_unused(new))
    engine = Engine(policy(old), lambda account_id: partition_of(account_id, before))
    with step_progress("reading", before) as went_on:
        read = asyncio.run(read_partitions(old, engine, went_on))
    context = merged([Context.of(each.state) for each in read])
    if context.historical:
        raise PulseError(
            "a history is played into the events",
            hint="end it first (`pulse emit --history --resume`): in other topics nobody can",
        )
    states = [empty_state(new, number) for number in range(after)]
    move(engine, [each.state for each in read], context, states)
    if by is None:
        print("\n".join([*found_in_words(old, read, states), "", "Nothing was written."]))
        return
    audited(new, by, Change.state_repartitioned, before=str(before), after=str(after))
    brokers.create(create)
    if create:  # of the three some may have been there
        asyncio.run(check_unused(new))
    names = [getattr(new.kafka.topics, name) for name in _WIDENED]
    brokers.widen(names, after)

    async def check() -> None:
        ends = [each.end for each in read]
        members = await asyncio.to_thread(brokers.members, old.kafka.group)
        if members or await ends_of(old) != ends:
            raise PulseError(
                f"somebody has written into {old.kafka.topics.events} meanwhile",
                hint="stop what writes events, and the workers, and run it again",
            )

    async def write() -> None:
        links = await links_anew(old.kafka, new.kafka)
        alerts = [alert for each in read for alert in each.alerts]
        with step_progress("writing", after) as went_on:
            await write_partitions(new, states, links, alerts, check, went_on)
        with step_progress("reading back", after) as went_on:
            await verify(new, engine, states, went_on)

    asyncio.run(write())
    print("\n".join([*found_in_words(old, read, states), "", *next_in_words(old, new)]))


def found_in_words(old: Config, read: list[Read], states: list[PartitionState]) -> list[str]:
    """What was read, and where it goes."""
    accounts, clock_ms = sum(map(len, states)), states[0].clock_ms
    now = "before the first tick" if clock_ms is None else f"as of {format_ms(clock_ms)}"
    sizes = [len(state) for state in states]
    lines = [
        f"{count(accounts, 'account')} of {count(len(read), 'partition')} of "
        f"{old.kafka.topics.events}, {now}",
        f"  to {count(len(states), 'partition')}, with {min(sizes):,} to {max(sizes):,} accounts",
    ]
    if stones := len(states[0].forgotten):
        lines.append(f"  {count(stones, 'tombstone')} of erased and renamed ones, to each of them")
    if again := sum(each.again for each in read):
        alerts = sum(len(each.alerts) for each in read)
        lines.append(
            f"  {count(again, 'record was', 'records were')} applied and not written, and read "
            f"again; {count(alerts, 'alert goes', 'alerts go')} out again with the same id"
        )
    return lines


def next_in_words(old: Config, new: Config) -> list[str]:
    """What is to be done once all is written."""
    was, now = old.kafka.topics, new.kafka.topics
    gone = listed([getattr(was, name) for name in _ANEW])
    return [
        "It is written, and was read back. Next:",
        "1. Start everything with the new configuration: workers, collectors, notifier, web.",
        f"2. Who writes events straight to Kafka writes to {now.events} from now on; nobody reads "
        f"{was.events} any more.",
        "3. To go back, while nothing but pulse's own ticks has come into the new topics: stop "
        "everything, and start it with the old configuration.",
        f"4. When you are sure, delete {gone}.",
    ]
