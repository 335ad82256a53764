"""`pulse calibrate`: the danger line from a history and from who left."""

import math
from datetime import UTC, datetime
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from ruamel.yaml import YAML

import pulse
from pulse.cli.progress import file_progress, step_progress
from pulse.cli.words import count, date_of, instant
from pulse.config import Config
from pulse.config.policy import policy
from pulse.engagement.days import DAY_MS
from pulse.engagement.windows import W84
from pulse.errors import PulseError
from pulse.playback.lines import Lines
from pulse.playback.outputs import LineFile
from pulse.playback.replay import Replay
from pulse.playback.script import Script

if TYPE_CHECKING:
    from pulse.calibration.choice import Choice, Interval, Objective
    from pulse.calibration.scores import DayScores
    from pulse.calibration.weights import Proposal

_NEEDS = "pip install 'pulse-engagement[calibrate]'"


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
            "churned_at is empty for whoever stayed.",
        ),
    ],
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="Where the line goes, for line_file in pulse.yaml.")
    ] = Path("line.yaml"),
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
    horizon: Annotated[
        int,
        typer.Option(
            metavar="DAYS", min=1, help="An alert is right if its account leaves so soon after it."
        ),
    ] = 90,
    notice: Annotated[
        int,
        typer.Option(
            metavar="DAYS", min=0, help="… and not sooner than this: there must be time to act."
        ),
    ] = 14,
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
            metavar="TIME",
            parser=instant,
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
    objective = _objective(capacity, least_precision, least_recall)
    settings = Config.load(config)
    scores = _played(events, outcomes, settings)
    line = settings.line
    row = scores.days * 2 // 3 if split is None else split // DAY_MS - scores.first_day
    if not 0 < row < scores.days:
        raise PulseError(
            f"the history is from {_date(scores, 0)} to {_date(scores, scores.days)}",
            hint="--split must lie between",
        )
    from pulse.calibration.choice import ENTERS, Shape, choose, split_periods
    from pulse.calibration.linefile import document
    from pulse.calibration.lines import Terms
    from pulse.calibration.weights import propose

    if notice > horizon:
        raise PulseError("--notice is more than --horizon", hint="no alert could be right")
    terms = Terms(notice, horizon)
    shape = Shape(line.exit - line.enter, math.ceil(line.dwell_ms / DAY_MS))
    parts = {None: scores} | {name: _of_segment(scores, name) for name in segment or ()}
    for side, length in (("before", row - warm_up), ("after", scores.days - row)):
        if length <= horizon:
            raise PulseError(
                f"the history is too short: {max(length, 0)} days {side} {_date(scores, row)}, and "
                f"an alert is judged {horizon} days later",
                hint="a longer history, a shorter --horizon or --warm-up, or another --split",
            )
    choices: dict[str | None, Choice] = {}
    with step_progress("trying lines", len(parts) * len(ENTERS)) as step:
        for name, part in parts.items():
            choices[name] = choose(
                part, shape, objective, split=row, terms=terms, warm_up=warm_up, progress=step
            )
    made = {
        "by": f"pulse calibrate {pulse.__version__}",
        "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "config_version": settings.version,
        "objective": capacity or objective.kind,
        "notice_days": notice,
        "horizon_days": horizon,
        "split": _date(scores, row),
    }
    band = line.approach - line.enter
    named = {name: each for name, each in choices.items() if name is not None}
    _write(out, document(choices[None], named, shape.gap, band, made))
    for name, choice in choices.items():
        print("\n".join(in_words(choice, name, scores, row)))
    weights = {rule.called: rule.weight for rule in settings.scorecard}
    proposal = propose(scores, weights, *split_periods(scores.days, row, warm_up), terms)
    print("\n".join(weights_in_words(proposal, weights)))
    print(f"wrote        {out}; name it in pulse.yaml: line_file: {out.name}")


def _objective(
    capacity: str | None, least_precision: float | None, least_recall: float | None
) -> "Objective":
    for library in ("numpy", "sklearn"):
        if find_spec(library) is None:
            raise PulseError(f"calibrating needs {library}", hint=_NEEDS)
    from pulse.calibration.choice import Objective

    given = [each for each in (capacity, least_precision, least_recall) if each is not None]
    if len(given) > 1:
        raise PulseError("more than one objective", hint="a line is chosen by one")
    if capacity is not None:
        number, _, unit = capacity.partition("/")
        if unit not in ("week", "") or not number.strip().isdigit() or not int(number):
            raise PulseError(f'--capacity "{capacity}" is no number a week', hint="like 20/week")
        return Objective("capacity", float(number))
    if least_precision is not None:
        return Objective("precision", least_precision)
    return Objective("f1") if least_recall is None else Objective("recall", least_recall)


def _played(events: list[str], outcomes: Path, settings: Config) -> "DayScores":
    """The history's scores, with the outcomes."""
    from pulse.calibration.outcomes import read_outcomes
    from pulse.calibration.scores import Notebook

    try:
        with outcomes.open(encoding="utf-8-sig", newline="") as file:
            known = read_outcomes(file, str(outcomes))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise PulseError(f"cannot read {outcomes}: {reason.lower()}") from None
    weights = {rule.called: rule.weight for rule in settings.scorecard}
    notebook, lines = Notebook(tuple(weights)), Lines(events)

    def observe(account: Any, at_ms: int, view: Any, score: float | None) -> None:
        segment = account.fact("segment")
        notebook.note(account.account_id, at_ms, score, segment, view.shares)

    replay, script = Replay(policy(settings), observe), Script(lines)
    with file_progress("replaying", lines.total_bytes) as show:
        replay.run(
            script,
            progress=lambda: show(lines.read_bytes, count(replay.tally.events, "event")),
        )
    scores = notebook.scores(known)
    if not scores.ids:
        raise PulseError("the history has no account for a whole day")
    strangers = sorted(set(known) - set(scores.ids))
    if len(strangers) == len(known):
        raise PulseError(
            f'no account of {outcomes} is in the history: "{strangers[0]}" is not',
            hint="both must call accounts the same",
        )
    if strangers:
        typer.echo(
            f"{count(len(strangers), 'account')} of {outcomes} not in the history, "
            f'like "{strangers[0]}"',
            err=True,
        )
    return scores


def _of_segment(scores: "DayScores", name: str) -> "DayScores":
    part = scores.of_segment(name)
    if not part.ids:
        known = sorted({each for each in scores.segments if each})
        raise PulseError(
            f'no account is in the segment "{name}"',
            hint=f"there are {', '.join(known)}" if known else "no profile names a segment",
        )
    return part


def in_words(choice: "Choice", segment: str | None, scores: "DayScores", split: int) -> list[str]:
    """What was chosen and how good it is, a line for each."""
    whose = f'segment "{segment}"' if segment else "all accounts"
    earlier, later = choice.churned
    lines = [
        f"{whose}: {count(earlier, 'account')} left before {_date(scores, split)}, {later:,} after"
    ]
    if choice.never_judged:
        lines.append(
            f"never judged {choice.never_judged:,} of these: too young, or too little data "
            "(line.min_history_days, line.min_active_days)"
        )
    if choice.reason == "too few churned":
        lines.append(
            f"line         {choice.enter:.1f}: the bottom quartile of the scores; with fewer than "
            "20 that left nothing can be learnt from them"
        )
    elif choice.reason != "objective":
        lines.append(
            f"line         {choice.enter:.1f}: the bottom quartile of the scores; no line meets "
            "the objective"
        )
    else:
        lines.append(f"line         {choice.enter:.1f}{_between(choice.enter_interval, '.0f')}")
    chosen = choice.chosen
    for name, found in (("earlier", chosen.earlier), ("later", chosen.later)):
        lines.append(
            f"{name:12} precision {found.precision:.2f}"
            f"{_between(choice.precision_interval if name == 'later' else None)}, "
            f"recall {found.recall:.2f}"
            f"{_between(choice.recall_interval if name == 'later' else None)}, "
            f"F1 {found.f1:.2f}, lift {found.lift:.1f}, {found.alerts_a_week:.1f} alerts a week, "
            f"{found.lead_days:.0f} days before"
        )
    return lines


def weights_in_words(proposal: "Proposal | None", weights: dict[str, float]) -> list[str]:
    """What other weights would do."""
    if proposal is None:
        return ["weights      nothing can be learnt from these outcomes"]
    now, then = proposal.now, proposal.then
    gain = then.value - now.value
    lines = [
        f"weights      AUC on the later part {now.value:.3f}{_between(now.interval, '.3f')} as "
        f"they are, {then.value:.3f}{_between(then.interval, '.3f')} with those below, "
        f"{gain:+.3f}{_between(proposal.gain, '+.3f')}"
    ]
    for name, weight in proposal.weights.items():
        note = ", against all sense the other way" if name in proposal.turned else ""
        lines.append(f"{'':12} {name} {weights[name]:g} → {weight:g}{note}")
    return lines


def _between(interval: "Interval | None", form: str = ".2f") -> str:
    return "" if interval is None else f" ({interval.low:{form}} to {interval.high:{form}})"


def _date(scores: "DayScores", row: int) -> str:
    return date_of((scores.first_day + row) * DAY_MS)


def _write(out: Path, document: dict[str, Any]) -> None:
    yaml = YAML()
    yaml.default_flow_style = False
    text = StringIO()
    yaml.dump(document, text)
    with LineFile(out) as file:
        for line in text.getvalue().splitlines():
            file.write(line.encode())
        file.commit()
