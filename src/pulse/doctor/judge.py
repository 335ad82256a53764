"""What of a running pulse is in order, by what was found. Each function judges one thing."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pulse.doctor.found import Cluster, Fresh, Group, Letters, Reason, Stream
    from pulse.topics.plan import Plan

SKEW_MS: Final = 5_000
"""Ticks that are further ahead of the broker's clock are refused by workers."""

BEHIND_MS: Final = 600_000
"""A worker that goes on says where it is in half that time."""

ALERT_BEHIND_MS: Final = 60_000

UNLINKED: Final = "unlinked"
"""The reason under which a collector keeps events of which nobody knows the account."""


class Verdict(StrEnum):
    """How it is with one thing."""

    ok = "ok"
    warning = "warning"
    problem = "problem"


class Finding(NamedTuple):
    """What was found of one thing, and what to do where it is not in order."""

    about: str
    verdict: Verdict
    says: str
    advice: str = ""


def kafka(found: Cluster) -> Finding:
    """Are the brokers there, and can they be reached where they say they are?"""
    brokers = _count(len(found.brokers), "broker")
    says = f"Kafka {found.version}, {brokers} ({', '.join(found.brokers)})"
    if found.unreached:
        return Finding(
            "kafka",
            Verdict.problem,
            f"{says}; nobody answers at {', '.join(found.unreached)}",
            "start it; if it runs, its advertised.listeners must be an address that can be reached "
            "from here",
        )
    return Finding("kafka", Verdict.ok, says)


def topics(todo: Plan) -> Finding:
    """Are the topics there, as the configuration wants them?"""
    there = len(todo.fine)
    if todo.obstacles:
        return Finding("topics", Verdict.problem, "; ".join(todo.obstacles), "as it says")
    if todo.create:
        names = ", ".join(topic.name for topic in todo.create)
        return Finding(
            "topics", Verdict.problem, f"not there: {names}", "`pulse topics` makes them"
        )
    if todo.changes:
        changes = "; ".join(
            f"{each.topic} has {each.setting}={each.was or 'unset'}, not {each.should_be}"
            for each in todo.changes
        )
        return Finding("topics", Verdict.warning, changes, "`pulse topics --yes` changes them")
    notes = "".join(f"; {note}" for note in todo.notes)
    verdict = Verdict.warning if todo.notes else Verdict.ok
    advice = "see the note; nothing else is wrong with them" if todo.notes else ""
    return Finding("topics", verdict, f"{there} are there and right{notes}", advice)


def records(ages_ms: Mapping[str, int], topics: Sequence[str]) -> Finding:
    """When was something last written to each topic? None of it is wrong by itself."""
    says = (
        f"{name} {_age(ages_ms[name])} ago" if name in ages_ms else f"{name} never"
        for name in topics
    )
    return Finding("records", Verdict.ok, f"the last ones: {', '.join(says)}")


def events(found: Stream, quiet_ms: int) -> Finding:
    """Does anybody write events?"""
    if found.events:
        age_ms = found.now_ms - max(found.events.values())
        silent = sorted(set(range(found.partitions)) - set(found.events))
        looked = _age(found.now_ms - found.since_ms)
        without = f"; none within {looked} in partition {_numbers(silent)}" if silent else ""
        says = f"the last one {_age(age_ms)} ago{without}"
        if age_ms <= quiet_ms:
            return Finding("events", Verdict.ok, says)
    else:
        says = f"none within {_age(found.now_ms - found.since_ms)}"
        if found.known:
            says += ", though there were some before"
    return Finding(
        "events", Verdict.warning, says, "do the apps run, and do they send to this Kafka?"
    )


def ticks(found: Stream, interval_s: float | None, *, has_worker: bool) -> Finding:
    """Does every partition know what time it is? Where nobody ticks by the wall there is no
    interval.
    """
    if interval_s is None:
        return Finding("ticks", Verdict.ok, "they come with the events (clock: events)")
    patience_ms = max(10_000, round(5_000 * interval_s))
    late = {
        partition: found.ticks.get(partition)
        for partition in range(found.partitions)
        if found.now_ms - found.ticks.get(partition, -patience_ms) > patience_ms
    }
    if not late:
        age_ms = max(found.now_ms - min(found.ticks.values()), 0)
        return Finding("ticks", Verdict.ok, f"the last one {_age(age_ms)} ago")
    at = [at_ms for at_ms in late.values() if at_ms is not None]
    last = f"the last one {_age(found.now_ms - min(at))} ago" if at else "none"
    says = f"{last} in partition {_numbers(sorted(late))}: nothing falls due there"
    if has_worker:
        advice = "the worker that has partition 0 ticks: see its log"
        return Finding("ticks", Verdict.problem, says, advice)
    return Finding("ticks", Verdict.problem, says, "a worker ticks: `pulse work`")


def clocks(found: Fresh | None) -> Finding:
    """Do the broker, the worker that ticks, and this machine agree what time it is?"""
    if found is None:
        says = "no record came to compare them by"
        return Finding("clocks", Verdict.warning, says, "look again while a worker runs")
    here_ms = found.arrived_ms - found.appended_ms
    says = f"this machine {_skew(here_ms)} the broker"
    parts = [(Verdict.warning, abs(here_ms) > SKEW_MS)]
    if found.tick_ms is not None:
        tick_ms = found.tick_ms - found.appended_ms
        says += f", the worker that ticks {_skew(tick_ms)} it"
        # Workers refuse ticks that are ahead; with those behind everything is late.
        parts += [(Verdict.problem, tick_ms > SKEW_MS), (Verdict.warning, tick_ms < -SKEW_MS)]
    verdict = max((each for each, holds in parts if holds), default=Verdict.ok, key=_WORSE.index)
    advice = "" if verdict is Verdict.ok else "set the clocks by NTP, on every machine"
    return Finding("clocks", verdict, says, advice)


def worker(found: Group) -> Finding:
    """Does a worker run, and how far is it?"""
    return _judge_group("worker", found, "`pulse work`", BEHIND_MS)


def notifier(found: Group, receivers: int) -> Finding:
    """Does a notifier run, and how far is it? None is needed where nobody is told anything."""
    if not found.members and not receivers:
        return Finding("notifier", Verdict.ok, "none runs, and there are no receivers")
    return _judge_group("notifier", found, "`pulse notify`", ALERT_BEHIND_MS)


def _judge_group(about: str, found: Group, command: str, most_ms: int) -> Finding:
    uncommitted, unapplied = sum(found.uncommitted.values()), sum(found.unapplied.values())
    age_ms = found.oldest_age_ms
    lag = f"{_count(uncommitted, 'record')} not committed"
    if unapplied:
        lag += f", {_count(unapplied, 'record')} not dealt with, the oldest {_age(age_ms)} old"
    if not found.members:
        says = f"none runs in the group {found.name}; {lag}"
        return Finding(about, Verdict.problem, says, f"start it: {command}")
    says = f"{_count(found.members, 'member')} in the group {found.name}; {lag}"
    if unapplied and age_ms > most_ms:
        advice = "is it slow, or does it stand still? Its log and its /metrics say; more can share "
        return Finding(about, Verdict.warning, says, f"{advice}the work")
    if found.state.lower() != "stable":
        says += f"; the group is in the state {found.state}"
        return Finding(about, Verdict.warning, says, "it settles by itself; look again in a minute")
    return Finding(about, Verdict.ok, says)


def letters(found: Letters) -> list[Finding]:
    """What could not be counted: one finding a reason."""
    reasons = {name: each for name, each in found.reasons.items() if name != UNLINKED}
    if not reasons:
        return [Finding("dead letters", Verdict.ok, "none")]
    return [
        _of_reason("dead letters", name, each, found)
        for name, each in sorted(reasons.items(), key=lambda each: -each[1].last_ms)
    ]


def unlinked(found: Letters) -> Finding:
    """Events of which nobody knows the account."""
    each = found.reasons.get(UNLINKED)
    if each is None:
        return Finding("unlinked", Verdict.ok, "no events without an account")
    return _of_reason("unlinked", "", each, found)


def _of_reason(about: str, name: str, each: Reason, letters: Letters) -> Finding:
    at_least = "" if letters.is_all_of_the_day else "at least "
    where = f" from {each.origin}" if each.origin else ""
    says = (
        f"{name}{': ' if name else ''}{at_least}{each.last_day:,} in the last day, {each.count:,} "
        f"looked at. The last{where}: {each.detail or 'no detail'}; {each.begins_with}"
    )
    if not each.last_day:
        return Finding(about, Verdict.ok, says)
    advice = (
        "have the sender say whose it is, as the last one's detail says; docs/collector.md has "
        "where each client, and each service's webhook, names the account"
        if about == "unlinked"
        else "mend it where it is made; what was refused is kept in the topic of dead letters"
    )
    return Finding(about, Verdict.warning, says, advice)


def sources(found: Stream, quiet_ms: int) -> Finding:
    """Which sources have gone quiet?"""
    names = sorted(found.known.keys() | found.sources.keys() | found.stopped.keys())
    if not names:
        return Finding("sources", Verdict.ok, "none is known yet")
    says, quiet = [], 0
    for name in names:
        since_ms, last_ms = found.stopped.get(name), found.sources.get(name)
        if since_ms is not None:
            says.append(f"{name} has stopped {_age(found.now_ms - since_ms)} ago")
        elif last_ms is not None:
            says.append(f"{name} {_age(found.now_ms - last_ms)} ago")
        else:
            says.append(f"{name} not within {_age(found.now_ms - found.since_ms)}")
        is_heard = last_ms is not None and found.now_ms - last_ms <= quiet_ms
        # What lies further back than was looked at may have been.
        is_seen = found.now_ms - found.since_ms >= quiet_ms or last_ms is not None
        quiet += since_ms is not None or (is_seen and not is_heard)
    if not quiet:
        return Finding("sources", Verdict.ok, "; ".join(says))
    advice = "does it run? If it is meant to be still: `pulse source stopped NAME`"
    return Finding("sources", Verdict.warning, "; ".join(says), advice)


def keys(by_source: Iterable[str]) -> Finding:
    """Are there write keys?"""
    if found := _counted("key", by_source):
        return Finding("write keys", Verdict.ok, found)
    says = "there are none, so that a collector takes nothing"
    return Finding("write keys", Verdict.warning, says, "`pulse keys make SOURCE` makes one")


def tokens(by_role: Iterable[str]) -> Finding:
    """Are there tokens? They hold until they are revoked."""
    if found := _counted("token", by_role):
        return Finding("tokens", Verdict.ok, found)
    says = "there are none, so that nobody can ask the API"
    return Finding(
        "tokens", Verdict.warning, says, "`pulse tokens make NAME --role member` makes one"
    )


def users(by_role: Iterable[str], has_proxy: bool) -> Finding:
    """Can people sign in? `has_proxy`: one lets them in."""
    if found := _counted("user", by_role):
        return Finding("users", Verdict.ok, found)
    if has_proxy:
        return Finding("users", Verdict.ok, "there are none; a proxy lets people in")
    says = "there are none, so that people sign in with tokens alone"
    return Finding("users", Verdict.warning, says, "`pulse users add NAME --role member` adds one")


def _counted(what: str, by: Iterable[str]) -> str:
    found = Counter(by)
    of = ", ".join(f"{name} ({number})" for name, number in sorted(found.items()))
    return f"{_count(found.total(), what)}: {of}" if found else ""


def redis(where: str, error: str | None) -> Finding:
    """Is Redis there?"""
    if error is None:
        return Finding("redis", Verdict.ok, f"it answers at {where}")
    says = f"no Redis answers at {where}: {error}"
    advice = "start it, or set redis.url; workers go on without it, `pulse accounts` does not"
    return Finding("redis", Verdict.problem, says, advice)


_WORSE: Final = (Verdict.ok, Verdict.warning, Verdict.problem)


def worst(findings: Iterable[Finding]) -> Verdict:
    """The verdict on all of them together.

    >>> str(worst([Finding("kafka", Verdict.ok, ""), Finding("events", Verdict.warning, "")]))
    'warning'
    """
    return max((each.verdict for each in findings), default=Verdict.ok, key=_WORSE.index)


def _age(ms: int) -> str:
    seconds = max(ms, 0) // 1000
    if seconds < 120:
        return f"{seconds} s"
    minutes = seconds // 60
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440:,} d"


def _skew(ms: int) -> str:
    if abs(ms) < 1_000:
        return "agrees with"
    return f"is {_age(abs(ms))} {'ahead of' if ms > 0 else 'behind'}"


def _numbers(partitions: Sequence[int]) -> str:
    """A few of them by name."""
    more = f" and {len(partitions) - 8} more" if len(partitions) > 8 else ""
    return ", ".join(map(str, partitions[:8])) + more


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
