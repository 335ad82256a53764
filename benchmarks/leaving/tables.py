"""The tables, as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from benchmarks.leaving.ways import Sight, Way, auc, judged
from pulse.calibration.lines import Period, Terms, base_rate
from pulse.engagement.days import DAY_MS
from pulse.model.time import format_ms

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benchmarks.leaving.history import Weights
    from benchmarks.leaving.zones import Changes
    from pulse.calibration.lines import Quality


class Part(NamedTuple):
    """What is looked at: the later part of a history, and when an alert is right."""

    sight: Sight
    period: Period
    terms: Terms


def introduction(part: Part) -> str:
    """The time, who left, and what chance would give."""
    scores, period = part.sight.scores, part.period
    left = int(((scores.churned >= period.start) & (scores.churned < period.end)).sum())
    first, last = (
        format_ms((scores.first_day + row) * DAY_MS)[:10] for row in (period.start, period.end)
    )
    return (
        f"{first} to {last}: {left:,} leavings; alerts at random would have a precision of "
        f"{base_rate(scores, period, part.terms):.2f}."
    )


def ways_table(ways: Sequence[Way], part: Part) -> str:
    """Each way with its line."""
    rows = [
        "| | line | precision | recall | days before | alerts a week | AUC (95 %) |",
        "|---|--:|--:|--:|--:|--:|---|",
    ]
    for way in ways:
        (got,) = judged(way, part.sight, [part.period], part.terms)
        ranks = auc(way, part.sight, part.period, part.terms)
        numbers = f"{way.enter:.1f} | {_quality(got)} | {got.alerts_a_week:.1f}"
        rows.append(f"| {way.name} | {numbers} | {ranks} |")
    return "\n".join(rows)


def pairs_table(pairs: Iterable[tuple[Way, Way | None, Weights]], part: Part) -> str:
    """Each way with the line of pulse that is not below it where both were chosen."""
    rows = [
        "| | its precision | recall | days before | pulse's line | precision | recall "
        "| days before |",
        "|---|--:|--:|--:|---|--:|--:|--:|",
    ]
    for way, own, weights in pairs:
        (its,) = judged(way, part.sight, [part.period], part.terms)
        start = f"| {way.name} | {_quality(its)}"
        if own is None:
            rows.append(f"{start} | none is not below it | | | |")
            continue
        (got,) = judged(own, part.sight, [part.period], part.terms)
        rows.append(f"{start} | {own.enter:.0f} by {in_words(weights)} | {_quality(got)} |")
    return "\n".join(rows)


def zones_table(found: Mapping[str, Changes]) -> str:
    """How often zones change, by configuration."""
    rows = [
        "| configuration | zone changes | of accounts | less than a week after the one before "
        "| of accounts | most of these |",
        "|---|--:|--:|--:|--:|---|",
    ]
    for name, each in found.items():
        most = "; ".join(f"{kind}: {number}" for kind, number in each.soon.most_common(2))
        rows.append(
            f"| {name} | {each.total:,} | {each.accounts:,} | {each.soon.total():,} | "
            f"{each.hasty:,} | {most} |"
        )
    return "\n".join(rows)


def in_words(weights: Weights) -> str:
    """Those that weigh something."""
    return ", ".join(f"{name} {weight:g}" for name, weight in weights.items() if weight)


def _quality(got: Quality) -> str:
    return f"{got.precision:.3f} | {got.recall:.3f} | {got.lead_days:.0f}"
