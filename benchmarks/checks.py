"""Whether a row counted right. One that did not fails the bench: its speed means nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.job import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from benchmarks.job import Totals
    from benchmarks.rivals.report import Report
    from benchmarks.rivals.state import AccountTotals

_WINDOW = 84


class WrongCountError(Exception):
    """A row's totals are not the job's."""


def check_rival(report: Report, totals: Totals) -> None:
    """Compare every account's days, users and features. Raises `WrongCountError`."""
    if not report.counts:
        return  # it only decodes
    check_counts(report.counts, totals)
    _compare(report.totals, totals.accounts)


def check_pulse(
    counts: Mapping[str, int], statuses: Iterable[Mapping[str, Any]], totals: Totals
) -> None:
    """Compare what pulse measures over 84 days. Raises `WrongCountError`.

    A measure is the larger of two: over the 84 days that end today and over those before today.
    """
    check_counts(counts, totals)
    today = totals.last_ms // DAY_MS
    found = {
        each["account_id"]: tuple(
            round(each["measures"][measure]["84d"]) for measure in ("events", "value")
        )
        for each in statuses
    }
    _compare(found, {key: _over_window(each, today) for key, each in totals.accounts.items()})


def check_counts(counts: Mapping[str, int], totals: Totals) -> None:
    """Compare events, duplicates and profiles. Raises `WrongCountError`."""
    _compare(dict(counts), totals.counts)


def _over_window(account: AccountTotals, today: int) -> tuple[int, ...]:
    return tuple(
        max(
            sum(round(day[at]) for day in account.days if end - _WINDOW < day[0] <= end)
            for end in (today, today - 1)
        )
        for at in (1, 2)
    )


def _compare(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    wrong = [key for key in {*found, *wanted} if found.get(key) != wanted.get(key)]
    if wrong:
        key = min(wrong)
        raise WrongCountError(
            f"{len(wrong)} of {len(wanted)} are wrong, for example {key}: "
            f"counted {found.get(key)}, should be {wanted.get(key)}"
        )
