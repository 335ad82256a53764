"""`pulse replay`: files of usage events through the engine, without Kafka."""

import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from pulse.cli.progress import file_progress
from pulse.cli.words import count, date_of, instant, listed, seconds_text, too_short
from pulse.config import Config
from pulse.config.policy import policy
from pulse.errors import PulseError
from pulse.model.time import format_ms
from pulse.playback.lines import STDIN, Lines
from pulse.playback.outputs import STDOUT, LineFile, dead_letter, dump_line
from pulse.playback.replay import Replay, Tally
from pulse.playback.script import Script

_ZONES = ("danger", "approaching", "healthy", "unknown")


def command(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="Usage events and profiles, one JSON object a line, plain or gzipped, "
            "in the order given; - is standard input.",
        ),
    ],
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The configuration; without it the defaults hold."),
    ] = None,
    until: Annotated[
        int | None,
        typer.Option(
            metavar="TIME",
            parser=instant,
            help="End the clock there, like 2024-10-24T19:33:01Z; later events are left out. "
            "Without it the clock ends at the last event.",
        ),
    ] = None,
    accounts_out: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write each account as of the end, by id; - is stdout."),
    ] = None,
    alerts_out: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write every alert, in the order they were due."),
    ] = None,
    lifecycles_out: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Write how many accounts were new, current, resurrected, dormant, churned, by day "
            "and segment, and the moves between them.",
        ),
    ] = None,
    deadletter_out: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write every line that could not be counted, and why."),
    ] = None,
) -> None:
    """Run files of usage events through the engine, without Kafka.

    The clock is the events' own. Shows what a configuration would have said about a history:
    which accounts end up in which zone, and every alert on the way. Bad lines are counted and do
    not stop the run. The same files and configuration give the same bytes.

    Example: pulse replay history.ndjson.gz --config pulse.yaml --alerts-out alerts.ndjson
    """
    outs = {
        "--accounts-out": accounts_out,
        "--alerts-out": alerts_out,
        "--lifecycles-out": lifecycles_out,
        "--deadletter-out": deadletter_out,
    }
    _check_outputs(outs, files)
    settings = Config.load(config)
    rules = policy(settings)
    lines = Lines(files)
    started_s = time.monotonic()
    script, replay = Script(lines, until_ms=until), Replay(rules)
    with ExitStack() as stack:
        accounts_file, alerts_file, lifecycles_file, letters_file = (
            None if name is None else stack.enter_context(LineFile(name)) for name in outs.values()
        )
        with file_progress("replaying", lines.total_bytes) as show:
            replay.run(
                script,
                refused=lambda bad: letters_file.write(dead_letter(bad)) if letters_file else None,
                progress=lambda: show(lines.read_bytes, _whereabouts(replay)),
            )
        zones: Counter[str] = Counter()
        for status in replay.accounts():
            zones["churned" if status["lifecycle"] == "churned" else status["zone"]] += 1
            if accounts_file:
                accounts_file.write(dump_line(status))
        if alerts_file:
            for alert in replay.alerts():
                alerts_file.write(alert)
        if lifecycles_file:
            for day in replay.lifecycles.days():
                lifecycles_file.write(dump_line(day))
        files_out = (accounts_file, alerts_file, lifecycles_file, letters_file)
        written = [each for each in files_out if each]
        for each in written:
            each.commit()
    summary = in_words(replay, script, zones, time.monotonic() - started_s)
    if script.first_ms is not None and replay.as_of_ms is not None:
        note = too_short(replay.as_of_ms - script.first_ms, settings.line.min_history_days)
        summary += [f"short        {note}"] if note else []
    summary += [
        f"wrote        {each.name}: {count(each.lines, 'line')}"
        for each in written
        if each.name != STDOUT
    ]
    # Where a file goes to stdout, stdout is that file's alone.
    print("\n".join(summary), file=sys.stderr if STDOUT in outs.values() else sys.stdout)


def in_words(replay: Replay, script: Script, zones: Counter[str], took_s: float) -> list[str]:
    """What a replay did, a line for each thing that happened at all."""
    tally, counts = replay.tally, replay.tally.counts
    events = tally.events
    if not events and not tally.refused and not script.left_out:
        return ["no events"]
    span = ""
    if script.first_ms is not None and replay.as_of_ms is not None:
        span = f", {date_of(script.first_ms)} to {format_ms(replay.as_of_ms)}"
    lines = [
        f"{count(events, 'event')} of {count(zones.total(), 'account')}{span}: "
        f"{seconds_text(took_s)}, {count(round(events / max(took_s, 1e-3)), 'event')} a second"
    ]
    present = [f"{zones[zone]:,} {zone}" for zone in _ZONES if zones[zone]]
    left = f"; {zones['churned']:,} have left" if zones["churned"] else ""
    lines.append(f"zones        {', '.join(present) or 'none'}{left}")
    lines.append(f"alerts       {_alerts(tally)}")
    for label, text in (
        ("profiles", _of(counts["profiles"], "profile")),
        ("ignored", _of(counts["ignored"], "event", "by the ignore rules")),
        ("weight 0", _of(counts["weightless"], "event")),
        ("duplicates", _of(counts["duplicates"], "event", "counted once")),
        ("late", _late(counts)),
        ("left out", _of(script.left_out, "event", "after --until")),
    ):
        if text:
            lines.append(f"{label:12} {text}")
    return lines + _dead_letters(tally)


def _whereabouts(replay: Replay) -> str:
    at_ms = replay.as_of_ms
    where = "" if at_ms is None else f", {date_of(at_ms)}"
    return f"{count(replay.tally.events, 'event')}{where}"


def _of(number: int, what: str, more: str = "") -> str:
    return f"{count(number, what)} {more}".rstrip() if number else ""


def _alerts(tally: Tally) -> str:
    reasons = {reason for reason, _ in tally.alerts}
    fired = {reason: tally.alerts[reason, "firing"] for reason in reasons}
    return (
        ", ".join(
            f"{number:,} {reason} ({tally.alerts[reason, 'resolved']:,} resolved)"
            for reason, number in sorted(fired.items(), key=lambda each: (-each[1], each[0]))
        )
        or "none"
    )


def _late(counts: Counter[str]) -> str:
    ages = (("late_minutes", "by minutes"), ("late_hours", "by hours"), ("late_days", "by days"))
    parts = [f"{counts[name]:,} {words}" for name, words in ages if counts[name]]
    return f"{listed(parts)}; counted, they change no past alert" if parts else ""


def _dead_letters(tally: Tally) -> list[str]:
    lines = []
    for reason, number in sorted(tally.refused.items(), key=lambda each: (-each[1], each[0])):
        first = tally.first_refused[reason]
        where = "first " if number > 1 else ""
        lines.append(
            f"dead letter  {number:,} {reason}: {where}{first.line.file}:{first.line.number}: "
            f"{first.detail}"
        )
    return lines


def _check_outputs(outs: dict[str, str | None], files: list[str]) -> None:
    """Raises `PulseError` where an output would overwrite another or an input."""
    taken = {_same(name): f"the input {name}" for name in files if name != STDIN}
    for option, name in outs.items():
        if name is None:
            continue
        place = _same(name)
        if place in taken and place != "/dev/null":
            raise PulseError(f"{option} {name} would overwrite {taken[place]}")
        taken[place] = option


def _same(name: str) -> str:
    return name if name == STDOUT else str(Path(name).resolve())
