"""`pulse backtest`: what another configuration would have raised over a history."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from pulse.alerting.alert import SEVERITY
from pulse.alerting.people.outcomes import EVENT, Outcome, newest, outcome_of
from pulse.alerting.people.precision import Tally, by_reason, proposals
from pulse.calibration.backtest import Comparison, Fired, compare, fired, judged, load_by_owner
from pulse.calibration.holdout import effect
from pulse.cli.feedback_words import effect_in_words, percent
from pulse.cli.outcomes import (
    Horizon,
    KnownUntil,
    Notice,
    check_terms,
    of_history,
    read_outcomes_file,
    tell,
)
from pulse.cli.progress import file_progress
from pulse.cli.words import count, date_of, too_short
from pulse.config import Config
from pulse.config.pipeline import holdout
from pulse.config.policy import policy
from pulse.engagement.days import DAY_MS
from pulse.errors import PulseError
from pulse.playback.lines import STDIN, Lines
from pulse.playback.outputs import LineFile, dump_line
from pulse.playback.replay import Replay
from pulse.playback.script import Script

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pulse.playback.lines import FileLine

_MOST_OWNERS = 20
_CLOSES = EVENT.encode()


class _Run(NamedTuple):
    """One configuration's replay."""

    name: str
    alerts: list[Fired]
    accounts: frozenset[str]
    events: int
    first_ms: int
    last_ms: int
    said: list[Outcome]
    """What people said of alerts, as events of the history."""


class _Listening:
    """Lines, and what those of them say that close an alert."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self.said: list[Outcome] = []

    def __iter__(self) -> "Iterator[FileLine]":
        for line in self._lines:
            if _CLOSES in line.raw and (said := outcome_of(line.raw)) is not None:
                self.said.append(said)
            yield line


def command(
    events: Annotated[
        list[str],
        typer.Option(
            metavar="FILE",
            help="Usage events and profiles, one JSON object a line, plain or gzipped; "
            "again for more files, in order.",
        ),
    ],
    config: Annotated[Path, typer.Option(metavar="FILE", help="The configuration to try.")],
    against: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The one it is compared with; the defaults if unsaid."),
    ] = None,
    outcomes: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Who left, as for pulse calibrate: precision and how long before, of alerts that "
            "are more than information.",
        ),
    ] = None,
    same: Annotated[
        int,
        typer.Option(
            metavar="DAYS", min=0, help="Alerts that begin so near to each other are the same."
        ),
    ] = 7,
    feedback: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="What people said of alerts (`pulse feedback report --out`), besides what the "
            "history has: precision by reason.",
        ),
    ] = None,
    known_until: KnownUntil = None,
    horizon: Horizon = 90,
    notice: Notice = 14,
    changes_out: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write every alert gained or lost, a line each."),
    ] = None,
) -> None:
    """Compare what two configurations would have raised over a history.

    Plays the same files through the engine twice. Says which alerts are gained and lost, by segment
    and reason, what each owner gets a week, and, with outcomes, how many alerts were right.

    Example: pulse backtest --events history.ndjson.gz --config new.yaml --against pulse.yaml
    """
    if STDIN in events:
        raise PulseError("a backtest reads its files twice", hint="name files instead of -")
    check_terms(notice, horizon)
    known = None if outcomes is None else read_outcomes_file(outcomes)
    settings = [Config.load(config), Config.load(against)]
    names = [str(config), "the defaults" if against is None else str(against)]
    new, old = (_run(name, each, events) for name, each in zip(names, settings, strict=True))
    compared = compare(new.alerts, old.alerts, same * DAY_MS)
    print("\n".join(_in_words(new, old, compared)))
    said = newest([*new.said, *_heard(feedback or [])]).values()
    if said:
        print("\n".join(_by_reason(new, old, list(said), same * DAY_MS)))
    for run, each in zip((new, old), settings, strict=True):
        if note := too_short(run.last_ms - run.first_ms, each.line.min_history_days):
            tell(f"{run.name}: {note}")
    if outcomes is not None and known is not None:
        from pulse.calibration.alerts import quality_of
        from pulse.calibration.lines import Terms
        from pulse.cli.calibrate_words import quality_in_words

        until_ms = (new.last_ms // DAY_MS + 1) * DAY_MS if known_until is None else known_until
        known, terms = of_history(known, new.accounts, until_ms, outcomes), Terms(notice, horizon)
        for run in (new, old):
            began = [(each.account_id, each.at_ms) for each in run.alerts if _is_bad(each.reason)]
            found = quality_of(began, known, run.first_ms, run.last_ms, terms, until_ms)
            print(quality_in_words(run.name, found))
        held = holdout(settings[0])
        if held.share:
            began = [(each.account_id, each.at_ms) for each in new.alerts if _is_bad(each.reason)]
            shares = effect(began, known, held.has, horizon, until_ms, held.since_ms)
            print(effect_in_words(shares, horizon, held.since_ms))
    if changes_out is not None:
        with LineFile(changes_out) as file:
            for change, alerts in (("gained", compared.gained), ("lost", compared.lost)):
                for alert in alerts:
                    file.write(dump_line({"change": change, **alert._asdict()}))
            file.commit()


def _run(name: str, settings: Config, events: list[str]) -> _Run:
    lines = Lines(events)
    listening = _Listening(lines)
    script, replay = Script(listening), Replay(policy(settings))
    with file_progress(f"replaying {name}", lines.total_bytes) as show:
        replay.run(
            script, progress=lambda: show(lines.read_bytes, count(replay.tally.events, "event"))
        )
    if script.first_ms is None or replay.as_of_ms is None:
        raise PulseError("the history has no event")
    began, accounts = fired(replay.alerts()), frozenset(replay.account_ids())
    return _Run(
        name,
        began,
        accounts,
        replay.tally.events,
        script.first_ms,
        replay.as_of_ms,
        listening.said,
    )


def _is_bad(reason: str) -> bool:
    """Whether an alert is a word on who leaves: good news is none."""
    return SEVERITY.get(reason) != "info"


def _heard(files: list[str]) -> list[Outcome]:
    """What the files say of alerts."""
    found = (outcome_of(line.raw) for line in Lines(files))
    return [each for each in found if each is not None]


def _by_reason(new: _Run, old: _Run, said: list[Outcome], same_ms: int) -> list[str]:
    """How often each reason was right, of the alerts that each configuration raises."""
    of_new = judged(new.alerts, said, same_ms)
    after, before = by_reason(of_new), by_reason(judged(old.alerts, said, same_ms))
    rows = []
    for reason in sorted({*after, *before}):
        row = [reason]
        for tallies in (before, after):
            tally = tallies.get(reason, Tally())
            row += [str(tally.right), str(tally.false_alarm), percent(tally.precision)]
        rows.append(tuple(row))
    head = (
        "reason", "right before", "wrong", "precision", "right after", "wrong", "precision",
    )  # fmt: skip
    lines = [f"people said of {count(len(said), 'alert')} what became of it"]
    return [*lines, *_table(head, rows), *map(str, proposals(of_new))]


def _in_words(new: _Run, old: _Run, compared: Comparison) -> list[str]:
    span = f"{date_of(new.first_ms)} to {date_of(new.last_ms)}"
    lines = [
        f"{count(new.events, 'event')}, {span}",
        f"{new.name}: {count(len(new.alerts), 'alert')}; {old.name}: {len(old.alerts):,}",
        f"gained {len(compared.gained):,}, lost {len(compared.lost):,}, "
        f"same {len(compared.same):,}",
    ]
    rows = compared.by_segment_and_reason()
    if rows:
        lines += _table(
            ("segment", "reason", "gained", "lost", "same"),
            [(segment, reason, *map(str, counts)) for (segment, reason), counts in rows.items()],
        )
    lines += _loads(new, old)
    return lines


def _loads(new: _Run, old: _Run) -> list[str]:
    """What each owner gets, those with the most first."""
    after, before = (load_by_owner(run.alerts, run.first_ms, run.last_ms) for run in (new, old))
    owners = sorted(
        {*after, *before}, key=lambda owner: -(after[owner].alerts if owner in after else 0)
    )
    rows = []
    for owner in owners[:_MOST_OWNERS]:
        row = [owner]
        for loads in (before, after):
            load = loads.get(owner)
            row += ["0", "0"] if load is None else [f"{load.a_week:.1f}", str(load.busiest_week)]
        rows.append(tuple(row))
    if not rows:
        return []
    more = len(owners) - _MOST_OWNERS
    head = ("owner", "a week before", "at most", "a week after", "at most")
    return _table(head, rows) + ([f"and {count(more, 'owner')} more"] if more > 0 else [])


def _table(head: "Sequence[str]", rows: "Sequence[Sequence[str]]") -> list[str]:
    """Columns, texts to the left and numbers to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    numbers = [all(_is_number(row[n]) for row in rows) for n in range(len(head))]
    return [
        "  ".join(
            cell.rjust(width) if is_number else cell.ljust(width)
            for cell, width, is_number in zip(row, widths, numbers, strict=True)
        ).rstrip()
        for row in (head, *rows)
    ]


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal()
