"""The day-start scores of a history: what a line is laid through."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from pulse.engagement.days import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from pulse.calibration.outcomes import Outcome

NEVER = np.int32(1 << 30)
"""The day of what does not happen."""

SAMPLE_DAYS: Final = 7
"""Of each account's days, every so many has its measures kept: for weights, more would say the same
again."""


class Notebook:
    """Takes scores down, account by account, as a history is played.

    `rules` are the names of the scorecard's measures, which are kept every `sample_days`.
    """

    def __init__(self, rules: tuple[str, ...] = (), sample_days: int = SAMPLE_DAYS) -> None:
        self._rules = rules
        self._sample_days = sample_days
        self._days: dict[str, tuple[array[int], array[float]]] = {}
        self._segments: dict[str, list[tuple[int, str | None]]] = {}
        """Since which day an account was in which segment."""
        self._numbers: dict[str, int] = {}
        self._sampled = array("q")
        self._shares = array("f")

    def note(
        self,
        account_id: str,
        day: int,
        score: float | None,
        segment: str | None,
        shares: Callable[[], Mapping[str, float]] = dict,
    ) -> None:
        """The score at the start of the account's day (days since 1970); None where no line judges.

        `shares` gives each measure's share of its full marks, 0 to 1, by the name of the rule; it
        is asked on some of the days.
        """
        noted = self._days.get(account_id)
        if noted is None:
            noted = self._days[account_id] = array("i"), array("f")
            self._numbers[account_id] = len(self._numbers)
        days, scores = noted
        days.append(day)
        scores.append(math.nan if score is None else score)
        segments = self._segments.setdefault(account_id, [])
        if not segments or segments[-1][1] != segment:
            segments.append((day, segment))
        number = self._numbers[account_id]
        # Another weekday for each account, so that every day of the fleet is seen.
        if self._rules and score is not None and (day + number) % self._sample_days == 0:
            got = shares()
            self._sampled.extend((number, day))
            self._shares.extend(got.get(name, math.nan) for name in self._rules)

    @property
    def ids(self) -> list[str]:
        """The accounts that were noted."""
        return list(self._days)

    def span(self, outcomes: Mapping[str, Outcome]) -> tuple[int, int]:
        """The first day that was noted of accounts in `outcomes`, and the one after the last."""
        noted = [days for each, (days, _) in self._days.items() if each in outcomes]
        first = min((days[0] for days in noted), default=0)
        return first, 1 + max((days[-1] for days in noted), default=first - 1)

    def scores(self, outcomes: Mapping[str, Outcome], split_day: int | None = None) -> DayScores:
        """All that was noted of the accounts in `outcomes`, with what became of each.

        An account's segment is that of the day before it left, or of `split_day` (days since 1970)
        if that is earlier: what its profile said later nobody knew.
        """
        ids = [account_id for account_id in self._days if account_id in outcomes]
        first, end = self.span(outcomes)
        table = np.full((end - first, len(ids)), np.nan, np.float32)
        churned = np.full(len(ids), NEVER, np.int32)
        places = np.full(len(self._days), -1)
        segments = []
        for column, account_id in enumerate(ids):
            places[self._numbers[account_id]] = column
            days, scores = self._days[account_id]
            table[np.asarray(days) - first, column] = scores
            outcome, until = outcomes[account_id], end if split_day is None else split_day
            if outcome.started_ms is not None:
                table[: max(outcome.started_ms // DAY_MS - first, 0), column] = np.nan
            if outcome.churned_ms is not None:
                churned[column] = outcome.churned_ms // DAY_MS - first
                until = min(until, outcome.churned_ms // DAY_MS - 1)
            known = [name for since, name in self._segments[account_id] if since <= until]
            segments.append(known[-1] if known else self._segments[account_id][0][1])
        sampled = np.asarray(self._sampled, np.int64).reshape(-1, 2)
        shares = np.asarray(self._shares, np.float32).reshape(len(sampled), len(self._rules))
        account, day = places[sampled[:, 0]], sampled[:, 1] - first
        judged = account >= 0
        judged[judged] = np.isfinite(table[day[judged], account[judged]])
        samples = Samples(self._rules, account[judged], day[judged], shares[judged])
        return DayScores(ids, segments, first, table, churned, samples)


@dataclass(frozen=True)
class Samples:
    """Measures of accounts on some days: a row each, a column for each of `rules`, 0 to 1."""

    rules: tuple[str, ...]
    account: NDArray[np.int64]
    """The column of the account in `DayScores.table`."""
    day: NDArray[np.int64]
    """The row of the day in there."""
    shares: NDArray[np.float32]
    """NaN where a measure has no data."""


@dataclass(frozen=True)
class DayScores:
    """Scores of `ids` at day starts.

    `table` has a row a day from `first_day` (days since 1970, UTC) on and a column an account; NaN
    where no line judges. `churned` is the row on which each account left, `NEVER` if it did not.
    """

    ids: list[str]
    segments: list[str | None]
    first_day: int
    table: NDArray[np.float32]
    churned: NDArray[np.int32]
    samples: Samples

    @property
    def days(self) -> int:
        """How many days there are."""
        return len(self.table)

    def of_segments(self, wanted: Callable[[str | None], bool]) -> DayScores:
        """The accounts of some segments."""
        columns = [n for n, each in enumerate(self.segments) if wanted(each)]
        places = np.full(len(self.ids), -1)
        places[columns] = range(len(columns))
        mine = places[self.samples.account] >= 0
        return DayScores(
            [self.ids[n] for n in columns],
            [self.segments[n] for n in columns],
            self.first_day,
            self.table[:, columns],
            self.churned[columns],
            Samples(
                self.samples.rules,
                places[self.samples.account[mine]],
                self.samples.day[mine],
                self.samples.shares[mine],
            ),
        )
