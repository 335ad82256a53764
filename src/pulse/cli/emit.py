"""`pulse emit`: files of usage events into Kafka."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from pulse.cli.progress import file_progress
from pulse.cli.words import count, date_of, instant, seconds_text
from pulse.config import Config
from pulse.playback.emit import Played, PlayProgress, PlaySettings, play
from pulse.playback.lines import FileLine, Lines
from pulse.topics.broker import quiet_client_logs


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
        Path | None, typer.Option(metavar="FILE", help="The configuration, like pulse.yaml.")
    ] = None,
    history: Annotated[
        bool,
        typer.Option(
            "--history",
            help="Play the past: with ticks from the events' times, into topics that no worker has "
            "run on yet. Alerts of the past are recorded and not sent, unless the configuration "
            "says clock: events.",
        ),
    ] = False,
    load: Annotated[
        bool,
        typer.Option(
            "--load",
            help="Load the past of the last 90 days into topics on which workers run. Alerts of "
            "the accounts that it touches are held until it has ended: ends are told then, and one "
            "digest says what began and still stands. Other accounts alert as ever.",
        ),
    ] = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with a --history or a --load that was interrupted, with the same files: "
            "from the last place on that all of Kafka has. A load goes on within a day; else it "
            "has ended.",
        ),
    ] = False,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="Send each event when it is its time, and those of the last twelve hours at once; "
            "older ones are passed over. For a made-up product that goes on.",
        ),
    ] = False,
    until: Annotated[
        int | None,
        typer.Option(
            metavar="TIME",
            parser=instant,
            help="Leave out later events, like 2024-10-24T19:33:01Z; a history ends there.",
        ),
    ] = None,
    rate: Annotated[
        str | None,
        typer.Option(metavar="N/s", help="Events a second, like 500/s; as many as go if unsaid."),
    ] = None,
    batch: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, max=100_000, help="Lines of a partition packed into one record."
        ),
    ] = 1,
    timeout: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0, help="How long to wait for a Kafka that is away."),
    ] = 60.0,
) -> None:
    """Play files of usage events into Kafka.

    Each event goes to the partition of its account, in the order of the files. Lines that nobody
    can read are sent too, so that the worker's dead letter has them. It ends when Kafka has
    acknowledged everything.

    Example: pulse emit history.ndjson.gz --history --config pulse.yaml
    """
    if load and history:
        raise typer.BadParameter("--history is for new topics, --load for those in use")
    if resume and not history and not load:
        raise typer.BadParameter("--resume goes on with a --history or a --load")
    if live and (history or load):
        raise typer.BadParameter("--live is for what comes; --history and --load for what was")
    settings = PlaySettings(
        history=history,
        load=load,
        resume=resume,
        live=live,
        until_ms=until,
        rate=_rate(rate),
        batch=batch,
        timeout_s=timeout,
    )
    loaded = Config.load(config)
    lines = Lines(files)
    quiet_client_logs()
    if loaded.clock == "events" and not history:
        _say("note: with clock: events nobody ticks but --history; alerts wait for a tick")
    sent = 0
    try:
        with file_progress("emitting", lines.total_bytes) as show:

            def tell(progress: PlayProgress) -> None:
                nonlocal sent
                sent = progress.events
                where = "" if progress.at_ms is None else f", {date_of(progress.at_ms)}"
                show(progress.read_bytes, f"{count(sent, 'event')}{where}")

            played = play(loaded, lines, settings, on_progress=tell, say=_say)
    except KeyboardInterrupt:
        more = ""
        if history:
            more = "; --history --resume goes on there"
        elif load:
            more = (
                "; --load --resume goes on there, within a day. Until then alerts of the accounts "
                "that were touched are held"
            )
        _say(f"interrupted after about {count(sent, 'event')}{more}")
        raise
    print("\n".join(in_words(played, loaded.kafka.topics.events)))


def in_words(played: Played, topic: str) -> list[str]:
    """What was played, a line for each thing that happened at all."""
    span = ""
    if played.first_ms is not None and played.last_ms is not None:
        span = f", {date_of(played.first_ms)} to {date_of(played.last_ms)}"
    rate = round(played.events / max(played.took_s, 1e-3))
    lines = [
        f"{count(played.events, 'event')} into {topic} "
        f"({count(played.partitions, 'partition')}){span}: "
        f"{seconds_text(played.took_s)}, {count(rate, 'event')} a second"
    ]
    if played.ticks:
        lines.append(f"ticks        {count(played.ticks, 'tick')} in each partition")
    if played.load is not None:
        lines.append(f"loaded       {played.load}; a digest says what came of it")
    if played.too_old:
        lines.append(
            f"too old      {count(played.too_old, 'event')} of more than 90 days ago, not sent"
        )
    if played.passed_over:
        lines.append(f"passed over  {count(played.passed_over, 'event')} that are there already")
    if played.left_out:
        lines.append(f"left out     {count(played.left_out, 'event')} after --until")
    if played.unreadable:
        lines.append(
            f"unreadable   {count(played.unreadable, 'line')}, sent to partition 0 for the dead "
            f"letter{_first(played.unreadable, played.first_unreadable)}"
        )
    if played.too_large:
        lines.append(
            f"too large    {count(played.too_large, 'line')} that the topic does not take, not sent"
            f"{_first(played.too_large, played.first_too_large)}"
        )
    return lines


def _first(number: int, line: FileLine | None) -> str:
    if line is None:
        return ""
    return f"; {'the first is ' if number > 1 else ''}{line.file}:{line.number}"


def _rate(text: str | None) -> float | None:
    """Events a second from `500/s` or `500`."""
    if text is None:
        return None
    try:
        rate = float(text.removesuffix("/s").replace(",", ""))
    except ValueError:
        rate = 0.0
    if not 0 < rate < 1e9:
        raise typer.BadParameter(f'"{text}" is no rate; write events a second, like 500/s')
    return rate


def _say(text: str) -> None:
    print(f"pulse: {text}", file=sys.stderr)
