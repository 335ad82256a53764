"""Who left, and when an alert is right, as commands are given them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pulse.calibration.outcomes import Outcomes, censored, read_outcomes
from pulse.cli.words import count, date, date_of
from pulse.errors import PulseError

if TYPE_CHECKING:
    from collections.abc import Collection

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
KnownUntil = Annotated[
    int | None,
    typer.Option(
        metavar="DATE",
        parser=date,
        help="When the outcomes were written down: who had not left by then counts as still there, "
        "and alerts so late that it is not known what came of them are not judged; "
        "the end of the history if unsaid.",
    ),
]


def check_terms(notice: int, horizon: int) -> None:
    """Raises `PulseError` where no alert could be right."""
    if notice > horizon:
        raise PulseError("--notice is more than --horizon", hint="no alert could be right")


def read_outcomes_file(file: Path) -> Outcomes:
    """What became of each account. Raises `PulseError` with the line of a mistake."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            return read_outcomes(lines, str(file))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise PulseError(f"cannot read {file}: {reason.lower()}") from None


def of_history(
    outcomes: Outcomes, seen: "Collection[str]", known_until_ms: int, file: Path
) -> Outcomes:
    """The outcomes of accounts that a history has, as they were known at an instant.

    Says how many accounts are left out, and whose leaving was not known yet. Raises `PulseError`
    where none is left.
    """
    strangers, unknown = sorted(set(outcomes) - set(seen)), sorted(set(seen) - set(outcomes))
    if len(strangers) == len(outcomes):
        raise PulseError(
            f'no account of {file} is in the history: "{strangers[0]}" is not',
            hint="both must call accounts the same",
        )
    if strangers:
        tell(f"{_accounts(strangers)} of {file} not in the history, left out")
    if unknown:
        tell(f"{_accounts(unknown)} of the history not in {file}, left out")
    here = {account_id: stays for account_id, stays in outcomes.items() if account_id in seen}
    known = censored(here, known_until_ms)
    later = sorted(each for each, stays in here.items() if known.get(each) != stays)
    if later:
        tell(
            f"{_accounts(later)} of {file} left or came on or after {date_of(known_until_ms)}, "
            "where what is known ends (--known-until): not counted"
        )
    if not known:
        raise PulseError(
            f"no account of {file} had come before {date_of(known_until_ms)}",
            hint="a later --known-until",
        )
    return known


def tell(text: str) -> None:
    """A note beside the results."""
    typer.echo(text, err=True)


def _accounts(names: list[str]) -> str:
    return f'{count(len(names), "account")}, like "{names[0]}",'
