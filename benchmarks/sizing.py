"""What follows from the measured tables for an installation: the marked part of docs/sizing.md.

`python -m benchmarks.sizing docs/performance.md docs/sizing.md` writes it anew.
"""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BEGIN, END = "<!-- sizing: begin -->", "<!-- sizing: end -->"

PEAK: Final = 3
"""The busiest second of a day over its mean: chosen, not measured."""
USED: Final = 0.5
"""Of what a worker can do. The rest is for midnight, and for catching up."""
EVENT_BYTES: Final = 180
"""As in the job that was measured."""
RETENTION_DAYS: Final = 14
COPIES: Final = 3
WORKER_GB: Final = 4.0
"""Memory that a worker is given."""
BASE_GB: Final = 0.15
"""Of it what a worker without accounts takes."""
MIDNIGHT_S: Final = 600
"""Within which all day starts are to be done."""
MIDNIGHT_ACCOUNTS: Final = 100_000
"""Of which the time of midnight was measured."""

EVENTS_A_DAY: Final = (1_000_000, 10_000_000, 100_000_000, 1_000_000_000)
ACCOUNTS: Final = (10_000, 100_000, 1_000_000, 10_000_000)
_DAY_S: Final = 86_400


class Measured(NamedTuple):
    """What docs/performance.md says."""

    rate: float
    """Events a second of a worker: the job, one event a message."""
    rate_in_turn: float
    """Of all accounts in turn, the worst there can be; with Kafka on the same two cores."""
    use_bytes: float
    """Memory an account, in use, with the most accounts."""
    rest_bytes: float
    busy_bytes: float
    """The same in use, with 1,000 events a day."""
    written: float
    """Changelog bytes an input byte: the job."""
    written_in_turn: float
    midnight_ms: float


def read(text: str) -> Measured:
    """The figures in the tables. Raises `ValueError` where one is not there."""

    def cells(begins: str) -> list[float]:
        for line in text.splitlines():
            if line.startswith(f"| {begins} |"):
                found = re.findall(r"-?[\d,]+\.?\d*", line.removeprefix(f"| {begins} |"))
                return [float(each.replace(",", "")) for each in found]
        raise ValueError(f'docs/performance.md has no row "{begins}"')

    many = cells("1,000,000")
    return Measured(
        rate=cells("**pulse work**, one event a message")[0],
        rate_in_turn=cells("all in turn, as fast as it goes")[0],
        use_bytes=many[1],
        rest_bytes=many[0],
        busy_bytes=cells("memory an account, 1,000 events a day")[0],
        written=cells("changelog an input byte, the job")[0],
        written_in_turn=cells("changelog an input byte, all in turn")[0],
        midnight_ms=cells("midnight, all day starts together")[0],
    )


def workers(peak: float, rate: float) -> int:
    """How many workers take a peak of events a second.

    >>> workers(50_000, 48_000), workers(10, 48_000)
    (3, 1)
    """
    return math.ceil(peak / (rate * USED))


def text(measured: Measured) -> str:
    """Both tables, and the figures that they are made of."""
    return "\n\n".join((_figures(measured), _by_events(measured), _by_accounts(measured)))


def _figures(measured: Measured) -> str:
    said = (
        f"events a second of a worker: {measured.rate:,.0f} on the job, one event a message; "
        f"{measured.rate_in_turn:,.0f} of all accounts in turn",
        f"bytes an account: {measured.use_bytes:,.0f} in use with ten events a day, "
        f"{measured.busy_bytes:,.0f} with 1,000, {measured.rest_bytes:,.0f} at rest",
        f"changelog bytes an input byte: {measured.written:g} on the job, "
        f"{measured.written_in_turn:g} of all in turn",
        f"day starts of {MIDNIGHT_ACCOUNTS:,} accounts: {measured.midnight_ms:,.0f} ms",
    )
    return "Measured:\n\n" + "\n".join(f"- {each}" for each in said)


def _by_events(measured: Measured) -> str:
    rows = []
    for events in EVENTS_A_DAY:
        mean = events / _DAY_S
        peak = mean * PEAK
        disk = events * EVENT_BYTES * RETENTION_DAYS * COPIES
        written = [
            peak * EVENT_BYTES * share for share in (measured.written, measured.written_in_turn)
        ]
        rows.append(
            (
                f"{events:,}",
                f"{mean:,.0f}",
                f"{peak:,.0f}",
                f"{workers(peak, measured.rate)}",
                f"{workers(peak, measured.rate_in_turn)}",
                _bytes(disk),
                " to ".join(_bytes(each) for each in written),
            )
        )
    head = (
        "events a day", "a second", f"peak, {PEAK} times that", "workers, as the job",
        "workers, all accounts in turn", f"input on disk, {RETENTION_DAYS} days, {COPIES} copies",
        "changelog a second at the peak",
    )  # fmt: skip
    return _table(head, rows)


def _by_accounts(measured: Measured) -> str:
    rows = []
    for accounts in ACCOUNTS:
        memory = [accounts * each for each in (measured.use_bytes, measured.busy_bytes)]
        midnight_s = accounts / MIDNIGHT_ACCOUNTS * measured.midnight_ms / 1000
        by_memory = [math.ceil(each / 1e9 / (WORKER_GB - BASE_GB)) for each in memory]
        rows.append(
            (
                f"{accounts:,}",
                *(_bytes(each) for each in memory),
                " to ".join(str(each) for each in sorted(set(by_memory))),
                f"{midnight_s:,.1f} s",
                f"{math.ceil(midnight_s / MIDNIGHT_S)}",
                _bytes(accounts * measured.rest_bytes * 2 * COPIES),
            )
        )
    head = (
        "accounts", "memory, 10 events a day each", "… 1,000 a day", f"workers of {WORKER_GB:g} GB",
        "all day starts, one core", f"workers for them in {MIDNIGHT_S // 60} minutes",
        f"changelog on disk, {COPIES} copies",
    )  # fmt: skip
    return _table(head, rows)


def _bytes(size: float) -> str:
    """
    >>> _bytes(750), _bytes(7_560_000_000), _bytes(1_562_500)
    ('750 B', '7.6 GB', '1.6 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if size >= 100 or unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.0f} TB" if size >= 100 else f"{size:,.1f} TB"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["--:"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def parts(page: str) -> tuple[str, str, str]:
    """What a page has before, in and after its marked part.

    Raises `ValueError` where it has none.
    """
    before, begin, rest = page.partition(BEGIN)
    inside, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"there is no {BEGIN} … {END}")
    return before, inside.strip(), after


def main(performance: Path, sizing: Path) -> None:
    """Write the tables into the page."""
    before, _, after = parts(sizing.read_text())
    made = text(read(performance.read_text()))
    sizing.write_text(f"{before}{BEGIN}\n\n{made}\n\n{END}{after}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
