"""The day-start scores of a history: what a line is laid through."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from pulse.engagement.days import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from pulse.calibration.outcomes import Stay

NEVER = np.int32(1 << 30)
"""The day of what does not happen."""

_FAR: Final = np.int64(1 << 32)
"""More than there are days."""

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

    def span(self, outcomes: Mapping[str, tuple[Stay, ...]]) -> tuple[int, int]:
        """The first day that was noted of accounts in `outcomes`, and the one after the last."""
        noted = [days for each, (days, _) in self._days.items() if each in outcomes]
        first = min((days[0] for days in noted), default=0)
        return first, 1 + max((days[-1] for days in noted), default=first - 1)

    def scores(
        self, outcomes: Mapping[str, tuple[Stay, ...]], split_day: int | None = None
    ) -> DayScores:
        """All that was noted of the accounts in `outcomes`, with what became of each.

        The segment of a stay is that of the day before it ended, or of `split_day` (days since
        1970) if that is earlier: what its profile said later nobody knew.
        """
        first, end = self.span(outcomes)
        noted = [
            (account_id, stay) for account_id in self._days for stay in outcomes.get(account_id, ())
        ]
        table = np.full((end - first, len(noted)), np.nan, np.float32)
        churned = np.full(len(noted), NEVER, np.int32)
        began = np.zeros(len(noted), np.int32)
        segments = []
        for column, (account_id, stay) in enumerate(noted):
            days, scores = self._days[account_id]
            table[np.asarray(days) - first, column] = scores
            until = end if split_day is None else split_day
            if stay.started_ms is not None:
                began[column] = max(stay.started_ms // DAY_MS - first, 0)
                table[: began[column], column] = np.nan
            if stay.churned_ms is not None:
                churned[column] = stay.churned_ms // DAY_MS - first
                table[max(churned[column], 0) :, column] = np.nan
                until = min(until, stay.churned_ms // DAY_MS - 1)
            known = [name for since, name in self._segments[account_id] if since <= until]
            segments.append(known[-1] if known else self._segments[account_id][0][1])
        ids = [account_id for account_id, _ in noted]
        samples = self._samples(ids, began, first, table)
        return DayScores(ids, segments, first, table, churned, samples)

    def _samples(
        self, ids: list[str], began: NDArray[np.int32], first: int, table: NDArray[np.float32]
    ) -> Samples:
        """The measures that were kept, each with the stay in which it was."""
        sampled = np.asarray(self._sampled, np.int64).reshape(-1, 2)
        shares = np.asarray(self._shares, np.float32).reshape(len(sampled), len(self._rules))
        numbers = np.array([self._numbers[account_id] for account_id in ids], np.int64)
        account, day = sampled[:, 0], sampled[:, 1] - first
        # Stays stand in order of account and time: the last that began by then is the one.
        stays, wanted = numbers * _FAR + began, account * _FAR + np.maximum(day, 0)
        column = np.searchsorted(stays, wanted, side="right") - 1
        judged = (column >= 0) & (day >= 0) & (day < len(table))
        judged[judged] = numbers[column[judged]] == account[judged]
        judged[judged] = np.isfinite(table[day[judged], column[judged]])
        return Samples(self._rules, column[judged], day[judged], shares[judged])


@dataclass(frozen=True)
class Samples:
    """Measures on some days: a row each, a column for each of `rules`, 0 to 1."""

    rules: tuple[str, ...]
    stay: NDArray[np.int64]
    """The column of the stay in `DayScores.table`."""
    day: NDArray[np.int64]
    """The row of the day in there."""
    shares: NDArray[np.float32]
    """NaN where a measure has no data."""


class JudgedDays(NamedTuple):
    """The days on which stays were judged, one an entry: those of a stay in order of time, stay
    after stay.
    """

    stay: NDArray[np.intp]
    """The column in `DayScores.table`."""
    day: NDArray[np.intp]
    """The row in there."""
    score: NDArray[np.float32]
    follows: NDArray[np.bool_]
    """Whether the entry before is the day before, of the same stay."""


@dataclass(frozen=True)
class DayScores:
    """Scores at day starts.

    `table` has a row a day from `first_day` (days since 1970, UTC) on and a column a stay; NaN
    where no line judges. `ids` are the accounts of the columns: one that came back has several,
    side by side in order of time. `churned` is the row on which each stay ended, `NEVER` if it did
    not.
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

    @property
    def accounts(self) -> NDArray[np.intp]:
        """The number of each column's account, from 0 on."""
        numbers: dict[str, int] = {}
        return np.array([numbers.setdefault(each, len(numbers)) for each in self.ids], np.intp)

    @cached_property
    def judged(self) -> JudgedDays:
        """The days before the stays ended on which a line judged: often few of the table."""
        days = np.arange(len(self.table))
        stay, day = np.nonzero(~np.isnan(self.table.T) & (days < self.churned[:, np.newaxis]))
        follows = np.zeros(len(stay), bool)
        follows[1:] = (stay[1:] == stay[:-1]) & (day[1:] == day[:-1] + 1)
        return JudgedDays(stay, day, self.table[day, stay], follows)

    def of_segments(self, wanted: Callable[[str | None], bool]) -> DayScores:
        """The stays in some segments."""
        columns = [n for n, each in enumerate(self.segments) if wanted(each)]
        places = np.full(len(self.ids), -1)
        places[columns] = range(len(columns))
        mine = places[self.samples.stay] >= 0
        return DayScores(
            [self.ids[n] for n in columns],
            [self.segments[n] for n in columns],
            self.first_day,
            self.table[:, columns],
            self.churned[columns],
            Samples(
                self.samples.rules,
                places[self.samples.stay[mine]],
                self.samples.day[mine],
                self.samples.shares[mine],
            ),
        )
