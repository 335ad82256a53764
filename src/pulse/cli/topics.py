"""`pulse topics`: the Kafka topics, made and kept as the configuration says."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from pulse.cli.words import count
from pulse.config import Config
from pulse.topics.broker import Brokers, quiet_client_logs
from pulse.topics.cost import TICK_BYTES, tick_bytes_on_disk
from pulse.topics.plan import Change, Plan, plan
from pulse.topics.wanted import WantedTopic, wanted_topics

_DAY_MS = 86_400_000


def command(
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The configuration, like pulse.yaml.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing; say what would be done.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Also change settings of topics that are there.")
    ] = False,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="How long to wait for Kafka.")
    ] = 30.0,
) -> None:
    """Create the Kafka topics, or say what would change.

    Creates those that are missing. Settings of topics that are there, and are not what the
    configuration says, are shown; `--yes` changes them. The number of partitions of a topic that
    is there is never changed: the partition of an account, and where its state lies, follow from
    it.

    Ends with what the ticks will take on disk: partitions x ticks a day x bytes of a tick x days
    of retention x copies.
    """
    if dry_run and yes:
        raise typer.BadParameter("--dry-run changes nothing and --yes everything; one of them")
    loaded = Config.load(config)
    wanted = wanted_topics(loaded.kafka)
    quiet_client_logs()
    with Brokers(loaded.kafka, timeout_s=timeout, say=_say) as brokers:
        todo = plan(wanted, brokers.find([topic.name for topic in wanted]))
        if todo.obstacles:
            for obstacle in todo.obstacles:
                _say(obstacle)
            raise typer.Exit(1)
        if not dry_run:
            brokers.create(todo.create)
            if yes:
                brokers.change(todo.changes)
    print("\n".join([*in_words(wanted, todo, dry_run=dry_run, yes=yes), ticks_in_words(loaded)]))


def in_words(wanted: list[WantedTopic], todo: Plan, *, dry_run: bool, yes: bool) -> list[str]:
    """What was done, or would be."""
    width = max(len(topic.name) for topic in wanted)
    created = "to create" if dry_run else "created"
    lines = []
    for topic in wanted:
        state = created if topic in todo.create else "right" if topic in todo.fine else "differs"
        size = (
            f"{count(topic.partitions, 'partition')}, {count(topic.replication, 'copy', 'copies')}"
        )
        lines.append(f"{state:9}  {topic.name:{width}}  {size}  {topic.what}")
    if todo.changes:
        done = "changed" if yes else "would change" if dry_run else "not changed (--yes does it)"
        lines += ["", f"Settings that are not what the configuration says, {done}:"]
        lines += _table(todo.changes)
    return [*lines, *(f"note: {note}" for note in todo.notes), ""]


def ticks_in_words(config: Config) -> str:
    """What the ticks will take on disk, and how that comes about."""
    kafka, every_s = config.kafka, config.worker.tick_interval_s
    if config.clock == "events":
        return "Nobody ticks by the wall here (clock: events): ticks come with the events."
    return (
        f"Ticks will take {_bytes_text(tick_bytes_on_disk(config))} on disk: "
        f"{count(kafka.partitions, 'partition')} x {86_400 / every_s:,.0f} a day x "
        f"{TICK_BYTES} bytes x {count(kafka.retention_days.events, 'day')} x "
        f"{count(kafka.replication, 'copy', 'copies')}."
    )


def _table(changes: list[Change]) -> list[str]:
    rows = [("topic", "setting", "is", "should be")] + [
        (
            each.topic,
            each.setting,
            _value(each.setting, each.was),
            _value(each.setting, each.should_be),
        )
        for each in changes
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return [
        "  "
        + "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _value(setting: str, value: str | None) -> str:
    """A setting's value; times in days too, where they are whole days."""
    if value is None:
        return "unset"
    if setting.endswith(".ms") and value.isdecimal() and 0 < int(value) < 10_000 * _DAY_MS:
        days, rest = divmod(int(value), _DAY_MS)
        if not rest:
            return f"{value} ({count(days, 'day')})"
    return value


def _bytes_text(size: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit in ("bytes", "kB") else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def _say(text: str) -> None:
    print(f"pulse: {text}", file=sys.stderr)
