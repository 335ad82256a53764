"""`pulse doctor`: what of a running pulse is in order, and what to do about the rest."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from kafka.errors import KafkaError

from pulse.cli.doctor_look import Looker, look_at_redis
from pulse.config import Config
from pulse.config.kafka_clients import for_aiokafka
from pulse.doctor import judge
from pulse.doctor.judge import Finding, Verdict, worst
from pulse.errors import PulseError
from pulse.topics.broker import Brokers, quiet_client_logs
from pulse.topics.plan import Plan, plan
from pulse.topics.wanted import wanted_topics

_WIDTH = len("dead letters")

Check = tuple[str, Callable[[], Finding | list[Finding]]]


def command(
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The configuration, like pulse.yaml.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")] = False,
    last: Annotated[
        int,
        typer.Option(metavar="N", min=1, help="Look at so many records of a partition, at most."),
    ] = 5_000,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="How long to wait for Kafka.")
    ] = 10.0,
) -> None:
    """Say what of a running pulse is in order, and what to do about the rest.

    Looks at Kafka, the topics, who writes events, the clocks, the worker, the notifier, what could
    not be counted, the sources, the write keys, the tokens and Redis, one after the other, and
    changes nothing.
    Ends with exit code 1 where something is a problem, 0 where there are warnings at most.

    Example: pulse doctor --config pulse.yaml
    """
    loaded = Config.load(config)
    quiet_client_logs()
    findings = []
    for finding in examine(loaded, most=last, timeout_s=timeout):
        findings.append(finding)
        if not as_json:
            print(in_words(finding), flush=True)
    if as_json:
        said = {"verdict": worst(findings), "findings": [each._asdict() for each in findings]}
        print(msgspec.json.encode(said).decode())
    raise typer.Exit(worst(findings) is Verdict.problem)


def in_words(finding: Finding) -> str:
    """A finding in one line, and what to do about it in another.

    >>> print(in_words(Finding("redis", Verdict.problem, "no Redis answers", "start it")))
    problem  redis         no Redis answers
                           → start it
    """
    says = " ".join(finding.says.split())
    line = f"{finding.verdict:7}  {finding.about:{_WIDTH}}  {says}"
    return f"{line}\n{'':{9 + _WIDTH}}  → {finding.advice}" if finding.advice else line


def examine(config: Config, *, most: int, timeout_s: float) -> Iterator[Finding]:
    """One finding after the other, each as soon as it is known."""
    try:
        with Looker(config, timeout_s=timeout_s, most=most) as looker:
            yield from _on_kafka(config, looker, timeout_s)
    except PulseError as error:  # of a Kafka that is away there is no more to be found
        yield Finding("kafka", Verdict.problem, error.message, error.hint or "")
    if config.redis.enabled:
        yield from _found("redis", lambda: judge.redis(*look_at_redis(config)))


def _on_kafka(config: Config, looker: Looker, timeout_s: float) -> Iterator[Finding]:
    yield from _found("kafka", lambda: judge.kafka(looker.cluster()))
    try:
        todo = _plan(config, timeout_s)
    except PulseError as error:
        yield Finding("topics", Verdict.problem, error.message, error.hint or "")
        return
    yield judge.topics(todo)
    missing = {topic.name for topic in todo.create}
    names = config.kafka.topics
    for needed, checks in (
        ((), _records(config, looker)),
        ((names.events, names.changelog), _stream(config, looker)),
        ((names.alerts,), _notifier(config, looker)),
        ((names.deadletter,), _letters(looker)),
        ((names.keys,), _keys(config)),
        ((names.tokens,), _tokens(config)),
        ((names.users,), _users(config)),
    ):
        if missing.isdisjoint(needed):
            for about, look in checks:
                yield from _found(about, look)


def _records(config: Config, looker: Looker) -> Iterator[Check]:
    names = [topic.name for topic in wanted_topics(config.kafka)]
    yield "records", lambda: judge.records(looker.last_records(), names)


def _stream(config: Config, looker: Looker) -> Iterator[Check]:
    quiet_ms = config.worker.source_guard.after_ms
    interval_s = config.worker.tick_interval_s if config.clock == "wall" else None

    def look() -> list[Finding]:
        worker, stream = looker.worker(), looker.stream()
        return [
            judge.events(stream, quiet_ms),
            judge.sources(stream, quiet_ms),
            judge.ticks(stream, interval_s, has_worker=bool(worker.members)),
            judge.worker(worker),
        ]

    yield "events", look
    yield "clocks", lambda: judge.clocks(looker.fresh())


def _notifier(config: Config, looker: Looker) -> Iterator[Check]:
    receivers = len(config.receivers)
    yield "notifier", lambda: judge.notifier(looker.notifier(), receivers)


def _letters(looker: Looker) -> Iterator[Check]:
    def look() -> list[Finding]:
        found = looker.letters()
        return [*judge.letters(found), judge.unlinked(found)]

    yield "dead letters", look


def _keys(config: Config) -> Iterator[Check]:
    from pulse.collector.keys import KeyRing
    from pulse.keyring import read

    def look() -> Finding:
        ring = asyncio.run(read(for_aiokafka(config.kafka), config.kafka.topics.keys, KeyRing()))
        return judge.keys(each.source for _, each in ring)

    yield "write keys", look


def _tokens(config: Config) -> Iterator[Check]:
    from pulse.keyring import read
    from pulse.web.tokens import TokenRing

    def look() -> Finding:
        topic = config.kafka.topics.tokens
        ring = asyncio.run(read(for_aiokafka(config.kafka), topic, TokenRing()))
        return judge.tokens(each.role for _, each in ring)

    yield "tokens", look


def _users(config: Config) -> Iterator[Check]:
    from pulse.web.people.users import read

    def look() -> Finding:
        ring = asyncio.run(read(for_aiokafka(config.kafka), config.kafka.topics.users))
        return judge.users((each.role for each in ring), config.web.proxy_auth is not None)

    yield "users", look


def _found(about: str, look: Callable[[], Finding | list[Finding]]) -> Iterator[Finding]:
    """What a check finds; that it could not look is a finding too."""
    try:
        found = look()
    except PulseError as error:
        yield Finding(about, Verdict.problem, error.message, error.hint or "")
    except (TimeoutError, KafkaError, OSError) as error:
        says = f"it could not be looked at: {error!r}"
        yield Finding(about, Verdict.problem, says, "is Kafka there, and may we read? Look again")
    else:
        yield from [found] if isinstance(found, Finding) else found


def _plan(config: Config, timeout_s: float) -> Plan:
    wanted = wanted_topics(config.kafka)
    with Brokers(config.kafka, timeout_s=timeout_s) as brokers:
        return plan(wanted, brokers.find([topic.name for topic in wanted]))
