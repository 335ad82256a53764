"""The file of who left, as commands are given it."""

from pathlib import Path

from pulse.calibration.outcomes import Outcome, read_outcomes
from pulse.errors import PulseError


def read_outcomes_file(file: Path) -> dict[str, Outcome]:
    """What became of each account. Raises `PulseError` with the line of a mistake."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            return read_outcomes(lines, str(file))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise PulseError(f"cannot read {file}: {reason.lower()}") from None
