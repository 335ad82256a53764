"""The results as Markdown: to print, and for the marked part of docs/performance.md.

`python -m benchmarks.table docs/performance.md` writes `build/bench.json` into the file.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.results import Results, read
from benchmarks.targets import number, reached

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.collector import CollectorSpeed
    from benchmarks.notifier import NotifierSpeed
    from benchmarks.scale import Scale
    from benchmarks.speed import Speed
    from benchmarks.web import WebSpeed

_MEASURE = "hand-durable"
"""The row that the others are measured by."""

_IDLE_LOAD, _WHOLE_CORE = 1.0, 0.9
"""A load above the first, or a share of a core below the second, and others were at work."""

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


def text(results: Results) -> str:
    """All tables of a run."""
    parts = [_introduction(results)]
    if results.speed is not None:
        parts.append(_speed(results.speed))
    if results.scale is not None:
        parts.append(_scale(results.scale))
    if results.collector is not None:
        parts.append(_collector(results.collector))
    if results.notifier is not None:
        parts.append(_notifier(results.notifier))
    if results.web is not None:
        parts.append(_web(results.web))
    parts.append(_targets(results))
    return "\n\n".join(part for part in parts if part)


def _introduction(results: Results) -> str:
    machine = results.machine
    quick = ", quick (100,000 events: do not compare)" if results.is_quick else ""
    return (
        f"{results.began:%Y-%m-%d}{quick}: {machine.cores} cores ({machine.cpu}), "
        f"{machine.memory_gb} GB, {machine.system}, Python {machine.python}; load "
        f"{results.load_before:.1f} when it began.{_busy(results)}"
    )


def _busy(results: Results) -> str:
    share = None if results.speed is None else results.speed.core_share
    if results.load_before < _IDLE_LOAD and (share is None or share > _WHOLE_CORE):
        return ""
    got = "" if share is None else f", and the row without Kafka got {100 * share:.0f} % of a core"
    return f" **The machine was busy{got}: do not compare.**"


def _speed(speed: Speed) -> str:
    rows = []
    for row in speed.rows:
        run = row.best
        ratio = speed.ratio(row.name, _MEASURE)
        cpu_ratio = speed.ratio(row.name, _MEASURE, by_cpu=True)
        rows.append(
            (
                row.title,
                f"{run.rate:,.0f}",
                "" if ratio is None else f"{ratio:.2f}",
                f"{run.cpu_rate:,.0f}",
                "" if cpu_ratio is None else f"{cpu_ratio:.2f}",
                f"{run.lines:,}",
                " ".join(f"{each.rate / 1000:,.1f}" for each in row.runs),
            )
        )
    head = (
        "way", "events a second", "of the durable hand loop", "events a CPU second", "… by CPU",
        "events", "each round, thousands",
    )  # fmt: skip
    note = (
        f"\n\nThe batches hold {speed.lines_a_batch:.0f} events on average."
        if speed.lines_a_batch > 1
        else ""
    )
    return _table(head, rows, right=(1, 2, 3, 4, 5)) + note


def _scale(scale: Scale) -> str:
    sizes = _table(
        (
            "accounts", "bytes an account at rest", "… in use", "µs an event",
            "… of all accounts in turn", "µs the first one of an account", "tick, nothing due, ms",
        ),
        [
            (
                f"{each.accounts:,}", f"{each.rest_bytes:,.0f}", f"{each.live_bytes:,.0f}",
                f"{each.event_us:.1f}", f"{each.spread_event_us:.1f}",
                f"{each.first_event_us:.1f}", f"{each.idle_tick_ms:.3f}",
            )
            for each in scale.sizes
        ],
        right=range(7),
    )  # fmt: skip
    singles = [(name, number(value), unit) for name, value, unit in scale.singles()]
    notes = "".join(f"\n\n{note}" for note in scale.notes)
    return f"{sizes}\n\n{_table(('measured', 'value', 'unit'), singles, right=(1,))}{notes}"


def _collector(collector: CollectorSpeed) -> str:
    titles = {"collector": "**pulse collect**", "empty": "the same server, which does nothing"}
    rows = [
        (
            titles[name],
            f"{way.batch}",
            f"{run.rate:,.0f}",
            f"{way.share:.2f}" if name == "collector" else "",
            f"{run.cpu_rate:,.0f}",
            f"{way.cpu_share:.2f}" if name == "collector" else "",
            f"{run.p50_ms:.1f}",
            f"{run.p99_ms:.1f}",
        )
        for way in collector.ways
        for name, run in way.rows()
    ]
    head = (
        "over HTTP", "events a request", "events a second", "of the empty server",
        "events a CPU second", "… by CPU", "answered within, p50, ms", "p99, ms",
    )  # fmt: skip
    return _table(head, rows, right=range(1, 8))


def _notifier(notifier: NotifierSpeed) -> str:
    latency = notifier.latency
    late = _table(
        (
            "alert on the topic → webhook", "alerts", "p50, ms", "p99, ms", "the latest, ms",
            "of a core",
        ),
        [
            (
                f"{latency.a_second:.0f} a second", f"{latency.alerts:,}",
                f"{1000 * latency.p50_s:.0f}", f"{1000 * latency.p99_s:.0f}",
                f"{1000 * latency.longest_s:.0f}", f"{latency.core_share:.2f}",
            )
        ],
        right=range(1, 6),
    )  # fmt: skip
    head = (
        "alerts at once", "alerts", "alerts a second", "memory before, MB", "at most", "at the end",
        "after as many again", "bytes kept of an alert", "at most beyond that, MB",
    )  # fmt: skip
    rows = [
        (
            each.way, f"{each.alerts:,}", f"{each.alerts / each.seconds:,.0f}",
            f"{each.before_mb:.0f}", f"{each.peak_mb:.0f}", f"{each.end_mb:.0f}",
            f"{each.twice_mb:.0f}", f"{each.kept_bytes:,.0f}", f"{each.beyond_mb:.0f}",
        )
        for each in notifier.bursts
    ]  # fmt: skip
    return f"{late}\n\n{_table(head, rows, right=range(1, 9))}"


def _web(web: WebSpeed) -> str:
    head = (
        f"{web.accounts:,} accounts, {web.days} days", "p50, ms", "the longest, ms",
        "processor, ms", "kB", f"of {web.few:,} accounts",
    )  # fmt: skip
    rows = [
        (
            each.title, f"{1000 * each.p50_s:.1f}", f"{1000 * each.longest_s:.1f}",
            f"{1000 * each.cpu_s:.1f}", f"{each.bytes / 1000:,.0f}",
            "" if each.of_few is None else f"{each.of_few:.1f} times",
        )
        for each in web.pages
    ]  # fmt: skip
    note = f"\n\nThe process has {web.memory_mb:.0f} MB by then."
    return _table(head, rows, right=range(1, 6)) + note


def _targets(results: Results) -> str:
    rows = [
        (
            each.target.title,
            each.target.worded(each.target.floor),
            each.target.worded(each.target.stretch),
            each.target.worded(each.value),
            each.verdict,
        )
        for each in reached(results)
    ]
    return _table(("", "floor", "stretch", "measured", "reached"), rows) if rows else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> str:
    rights = set(right)
    rule = ["--:" if column in rights else "---" for column in range(len(head))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))


def insert(page: Path, content: str) -> None:
    """Put the content between the marks of a page. Raises `ValueError` where they are missing."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} does not have {BEGIN} and {END}")
    page.write_text(f"{before}{BEGIN}\n\n{content}\n\n{END}{after}")


if __name__ == "__main__":
    insert(Path(sys.argv[1]), text(read(Path("build/bench.json"))))
