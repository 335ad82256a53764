"""Who left, and when an alert is right, as commands are given them."""

from pathlib import Path
from typing import Annotated

import typer

from pulse.calibration.outcomes import Outcome, read_outcomes
from pulse.errors import PulseError

Horizon = Annotated[
    int,
    typer.Option(
        metavar="DAYS", min=1, help="An alert is right if its account leaves so soon after it."
    ),
]
Notice = Annotated[
    int,
    typer.Option(
        metavar="DAYS", min=0, help="… and not sooner than this: there must be time to act."
    ),
]


def check_terms(notice: int, horizon: int) -> None:
    """Raises `PulseError` where no alert could be right."""
    if notice > horizon:
        raise PulseError("--notice is more than --horizon", hint="no alert could be right")


def read_outcomes_file(file: Path) -> dict[str, Outcome]:
    """What became of each account. Raises `PulseError` with the line of a mistake."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            return read_outcomes(lines, str(file))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise PulseError(f"cannot read {file}: {reason.lower()}") from None
