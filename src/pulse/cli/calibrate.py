"""`pulse calibrate`: the danger line from a history and from who left."""

import math
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from io import StringIO
from operator import eq
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from ruamel.yaml import YAML

import pulse
from pulse.cli.calibrate_words import choice_in_words, date_of_row, weights_in_words
from pulse.cli.outcomes import (
    Horizon,
    KnownUntil,
    Notice,
    check_terms,
    of_history,
    read_outcomes_file,
    tell,
)
from pulse.cli.progress import file_progress, step_progress
from pulse.cli.words import count, date
from pulse.config import Config
from pulse.config.policy import policy
from pulse.engagement.days import DAY_MS, FIRST_DAY
from pulse.engagement.windows import W84
from pulse.errors import PulseError
from pulse.playback.lines import Lines
from pulse.playback.outputs import LineFile
from pulse.playback.replay import Replay
from pulse.playback.script import Script

if TYPE_CHECKING:
    from pulse.calibration.choice import Choice, Objective, Shape
    from pulse.calibration.scores import DayScores

_NEEDS = "pip install 'pulse-engagement[calibrate]'"


class _Played(NamedTuple):
    """A history's scores with the outcomes; the split and the end of what is known, as rows."""

    scores: "DayScores"
    split: int
    known_until: int


class _Part(NamedTuple):
    """Accounts that get a line of their own."""

    name: str
    segment: str | None
    scores: "DayScores"
    shape: "Shape"
    band: float


def command(
    events: Annotated[
        list[str],
        typer.Option(
            metavar="FILE",
            help="Usage events and profiles, one JSON object a line, plain or gzipped; "
            "again for more files, in order; - is standard input.",
        ),
    ],
    outcomes: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="Who left: a CSV with account_id,started_at,churned_at; "
            "churned_at is empty for whoever stayed; a line for each stay of who came back.",
        ),
    ],
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="Where the line goes, for line_file in pulse.yaml.")
    ] = Path("line.yaml"),
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a page about it: plots, accounts, false alarms."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The configuration; without it the defaults hold."),
    ] = None,
    segment: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A line of its own for this segment; again for more."),
    ] = None,
    capacity: Annotated[
        str | None,
        typer.Option(
            metavar="N/week",
            help="Find as many as can be with at most so many alerts a week, like 20/week.",
        ),
    ] = None,
    least_precision: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE", min=0, max=1, help="Find as many as can be with that precision."
        ),
    ] = None,
    least_recall: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE", min=0, max=1, help="As few false alarms as can be with that recall."
        ),
    ] = None,
    known_until: KnownUntil = None,
    horizon: Horizon = 90,
    notice: Notice = 14,
    warm_up: Annotated[
        int,
        typer.Option(
            metavar="DAYS",
            min=0,
            help="Leave the first days out: until then the windows are not full.",
        ),
    ] = W84,
    split: Annotated[
        int | None,
        typer.Option(
            metavar="DATE",
            parser=date,
            help="Choose on what was known before, and look at the line on what came after; "
            "two thirds of the time if unsaid.",
        ),
    ] = None,
) -> None:
    """Lay the danger line by who really left.

    Plays the history, tries every line on the earlier part of the time, takes the one with the
    best balance of precision and recall (or by one of the other objectives), and says how it does
    on the later part, which it has not seen.

    Example: pulse calibrate --events history.ndjson.gz --outcomes churn.csv --out line.yaml
    """
    for library in ("numpy", "sklearn", "matplotlib", "jinja2"):
        if find_spec(library) is None:
            raise PulseError(f"calibrating needs {library}", hint=_NEEDS)
    from pulse.calibration.choice import choose, split_periods
    from pulse.calibration.linefile import document, line_of
    from pulse.calibration.lines import Terms

    objective = _objective(capacity, least_precision, least_recall)
    check_terms(notice, horizon)
    for file in (out, report):
        if file is not None and not file.absolute().parent.is_dir():
            raise PulseError(f"cannot write {file}: its folder is not there")
    settings, terms = Config.load(config), Terms(notice, horizon)
    history = _played(events, outcomes, settings, split, known_until)
    scores, row, until = history
    for side, length in (("before", row - warm_up), ("after", until - row)):
        if length <= horizon:
            raise PulseError(
                f"the history is too short: {max(length, 0)} days {side} "
                f"{date_of_row(scores, row)}, and an alert is judged {horizon} days later",
                hint="a longer history, a shorter --horizon or --warm-up, or another --split",
            )
    parts = _parts(scores, settings, segment or [])
    choices: dict[str | None, Choice] = {}
    with step_progress("trying lines", sum(len(part.shape.enters()) for part in parts)) as step:
        for part in parts:
            choices[part.segment] = choose(
                part.scores,
                part.shape,
                objective,
                split=row,
                terms=terms,
                warm_up=warm_up,
                known_until=until,
                progress=step,
            )
    earlier, later = split_periods(scores.days, row, warm_up, until)
    weights = {rule.called: rule.weight for rule in settings.scorecard}
    from pulse.calibration.weights import propose

    own = {name for name, each in settings.segments.items() if each.scorecard is not None}
    proposal = propose(
        scores.of_segments(lambda name: name not in own), weights, earlier, later, terms
    )
    made = {
        "by": f"pulse calibrate {pulse.__version__}",
        "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "config_version": settings.version,
        "objective": objective.in_words(),
        "notice_days": notice,
        "horizon_days": horizon,
        "split": date_of_row(scores, row),
        "known_until": date_of_row(scores, until),
    }
    for part in parts:
        print("\n".join(choice_in_words(choices[part.segment], part.name, scores, row)))
    print("\n".join(weights_in_words(proposal, weights)))
    if report is not None:
        from pulse.calibration.report import Part, Setting, render

        setting = Setting(terms, earlier, later, made)
        whole = [Part(each.name, choices[each.segment], each.scores, each.shape) for each in parts]
        _write(report, render(whole, setting, proposal, weights))
        print(f"wrote        {report}: what was found, missed and cost")
    lines = {
        part.segment: line_of(choices[part.segment].enter, part.shape.gap, part.band)
        for part in parts
    }
    _write(out, _yaml(document(lines, made)))
    print(f"wrote        {out}; name it in pulse.yaml: line_file: {out.name}")


def _objective(
    capacity: str | None, least_precision: float | None, least_recall: float | None
) -> "Objective":
    from pulse.calibration.choice import Objective

    given = [each for each in (capacity, least_precision, least_recall) if each is not None]
    if len(given) > 1:
        raise PulseError("more than one objective", hint="a line is chosen by one")
    if capacity is not None:
        number, _, unit = capacity.partition("/")
        if unit not in ("week", "") or not number.strip().isdecimal() or not int(number):
            raise PulseError(f'--capacity "{capacity}" is no number a week', hint="like 20/week")
        return Objective("capacity", float(number))
    if least_precision is not None:
        return Objective("precision", least_precision)
    return Objective("f1") if least_recall is None else Objective("recall", least_recall)


def _played(
    events: list[str],
    outcomes: Path,
    settings: Config,
    split: int | None,
    known_until: int | None,
) -> _Played:
    from pulse.calibration.scores import Notebook

    known = read_outcomes_file(outcomes)
    notebook, lines = Notebook(tuple(rule.called for rule in settings.scorecard)), Lines(events)

    def observe(account: Any, at_ms: int, view: Any, score: float | None) -> None:
        day, segment = account.calendar.day - FIRST_DAY, account.fact("segment")
        notebook.note(account.account_id, day, score, segment, view.shares)

    replay, script = Replay(policy(settings), observe), Script(lines)
    with file_progress("replaying", lines.total_bytes) as show:
        replay.run(
            script,
            progress=lambda: show(lines.read_bytes, count(replay.tally.events, "event")),
        )
    for refused in replay.tally.first_refused.values():
        lost = count(replay.tally.refused[refused.reason], "line")
        place = f"line {refused.line.number} of {refused.line.file}"
        tell(f"{lost} not counted ({refused.reason}), like {place}: {refused.detail}")
    if not notebook.ids:
        raise PulseError("the history has no account for a whole day")
    until = notebook.span(known)[1] if known_until is None else known_until // DAY_MS
    known = of_history(known, set(notebook.ids), until * DAY_MS, outcomes)
    first, end = notebook.span(known)
    end = min(end, until)
    day = first + (end - first) * 2 // 3 if split is None else split // DAY_MS
    scores = notebook.scores(known, day)
    if end <= first:
        raise PulseError(
            f"nothing is known of a history that begins on {date_of_row(scores, 0)}",
            hint="a later --known-until",
        )
    if not first < day < end:
        raise PulseError(
            f"the history is from {date_of_row(scores, 0)} to {date_of_row(scores, end - first)}",
            hint="--split must lie between",
        )
    return _Played(scores, day - first, until - first)


def _parts(scores: "DayScores", settings: Config, segments: list[str]) -> list[_Part]:
    """All accounts but those of the segments that get a line of their own, and these."""
    from pulse.calibration.choice import Shape

    def part(name: str, segment: str | None, of: "DayScores") -> _Part:
        line = settings.line_for(segment)
        shape = Shape(line.exit - line.enter, math.ceil(line.dwell_ms / DAY_MS))
        return _Part(name, segment, of, shape, line.approach - line.enter)

    rest = scores.of_segments(lambda name: name not in segments) if segments else scores
    parts = [part("all other accounts" if segments else "all accounts", None, rest)]
    for name in segments:
        found = scores.of_segments(partial(eq, name))
        if not found.ids:
            known = sorted({each for each in scores.segments if each})
            raise PulseError(
                f'no account is in the segment "{name}"',
                hint=f"there are {', '.join(known)}" if known else "no profile names a segment",
            )
        parts.append(part(f'segment "{name}"', name, found))
    return parts


def _yaml(document: dict[str, Any]) -> str:
    yaml, text = YAML(), StringIO()
    yaml.default_flow_style = False
    yaml.dump(document, text)
    return text.getvalue()


def _write(file: Path, text: str) -> None:
    with LineFile(file) as lines:
        for line in text.splitlines():
            lines.write(line.encode())
        lines.commit()
