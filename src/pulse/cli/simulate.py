"""`pulse simulate`: a made-up history, for trying pulse out and for tests."""

import sys
import time
import zlib
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from pulse.cli.progress import step_progress
from pulse.cli.words import count, date, date_of, seconds_text
from pulse.engagement.days import DAY_MS
from pulse.errors import PulseError
from pulse.playback.outputs import STDOUT, LineFile
from pulse.simulation.history import History
from pulse.simulation.setting import Setting

_LEVEL = 4
"""Of the compression: nearly as small as the usual one, in half the time."""
_DEFAULT = Setting()


def command(
    out: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="Write the events and profiles, one JSON object a line, gzipped where the name "
            "ends in .gz; - is stdout.",
        ),
    ],
    outcomes: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write who left, as `pulse calibrate` reads it."),
    ] = None,
    causes: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write why each account left, or only seemed to."),
    ] = None,
    accounts: Annotated[
        int, typer.Option(metavar="N", min=1, help="How many accounts.")
    ] = _DEFAULT.accounts,
    days: Annotated[
        int, typer.Option(metavar="DAYS", min=1, help="How long it goes on.")
    ] = _DEFAULT.days,
    start: Annotated[
        int | None,
        typer.Option(metavar="DATE", parser=date, help="The first day; 2025-01-01 if unsaid."),
    ] = None,
    seed: Annotated[
        int, typer.Option(metavar="N", help="Another seed gives other accounts.")
    ] = _DEFAULT.seed,
    churn: Annotated[
        float,
        typer.Option(metavar="SHARE", help="Of the accounts, how many leave in a year; below 1."),
    ] = _DEFAULT.churn,
    profiles: Annotated[
        bool, typer.Option(help="Whether there are profiles: seats, plan, renewal.")
    ] = True,
) -> None:
    """Make up a product's history, of which is known who left and why.

    Accounts of three plans and nine countries, their people, habits, holidays, onboarding,
    payments, tickets and surveys. Some leave, each for a cause that can be seen before; others only
    look like it. The same options give the same bytes. Days are the accounts' own.

    Example: pulse simulate --out events.ndjson.gz --outcomes churn.csv --causes causes.csv --seed 7
    """
    named = [name for name in (out, outcomes, causes) if name is not None]
    places = [name if name == STDOUT else str(Path(name).resolve()) for name in named]
    if len(set(places)) < len(places):
        raise PulseError("two of the files are the same", hint="give each a name of its own")
    started_s = time.monotonic()
    first = _DEFAULT.first if start is None else start // DAY_MS
    history = History(Setting(accounts, days, seed, first, churn, profiles))
    with ExitStack() as stack:
        events = stack.enter_context(_Gzipped(out) if out.endswith(".gz") else LineFile(out))
        tables = [
            (stack.enter_context(LineFile(name)), lines)
            for name, lines in ((outcomes, history.outcomes), (causes, history.causes))
            if name is not None
        ]
        with step_progress("simulating", days) as step:
            for lines in history.days():
                for line in lines:
                    events.write(line)
                step()
        for file, rows in tables:
            for row in rows():
                file.write(row.encode())
        files = [events, *(file for file, _ in tables)]
        for file in files:
            file.commit()
    said = in_words(history, events.lines, time.monotonic() - started_s)
    said += [
        f"wrote        {file.name}: {count(file.lines, 'line')}"
        for file in files
        if file.name != STDOUT
    ]
    # Where a file goes to stdout, stdout is that file's alone.
    print("\n".join(said), file=sys.stderr if STDOUT in named else sys.stdout)


def in_words(history: History, lines: int, took_s: float) -> list[str]:
    """What was made up, and what became of the accounts."""
    first, end = history.setting.first, history.setting.end
    became = Counter((history.outcome(each), each.story.cause) for each in history.accounts)
    left = {cause: number for (how, cause), number in became.items() if how == "left"}
    causes = ", ".join(
        f"{number:,} {cause}"
        for cause, number in sorted(left.items(), key=lambda each: (-each[1], each[0]))
    )
    return [
        f"{count(lines, 'line')} of {count(len(history.accounts), 'account')}, "
        f"{date_of(first * DAY_MS)} to {date_of((end - 1) * DAY_MS)}: {seconds_text(took_s)}, "
        f"{count(round(lines / max(took_s, 1e-3)), 'line')} a second",
        f"left         {sum(left.values()):,}{': ' if causes else ''}{causes}",
    ]


class _Gzipped(LineFile):
    """A file of lines, gzipped: without a name or a time in it, so the same lines are the same
    bytes.
    """

    def __init__(self, path: Path | str) -> None:
        super().__init__(path)
        self._packing = zlib.compressobj(_LEVEL, wbits=31)

    def write(self, line: bytes) -> None:
        """Write a line; the line break is added."""
        self._put(self._packing.compress(line + b"\n"))
        self.lines += 1

    def commit(self) -> None:
        """Make it the file of its name."""
        self._put(self._packing.flush())
        super().commit()

    def _put(self, packed: bytes) -> None:
        try:
            self._file.write(packed)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._cannot(error) from None
