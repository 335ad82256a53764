from __future__ import annotations

import re
import socket
import sys
import time
import urllib.request
from pathlib import Path

import pytest

import pulse.engine
from pulse.config import Config
from pulse.engine.state import Effects
from pulse.errors import PulseError
from pulse.metrics import MAX_SEGMENTS, Clocks, Sources, Standing, WorkerMetrics, serve
from pulse.metrics.now import MAX_SOURCES
from pulse.stream.worker import Worker


def value(metrics: WorkerMetrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def engine_keys() -> set[str]:
    """The keys of `Effects.counts`: as documented, and as the engine's source spells them."""
    folder = Path(pulse.engine.__file__).parent
    spelled: set[str] = set()
    for file in folder.glob("*.py"):
        for index in re.findall(r"counts\[(.*?)\]", file.read_text(), re.DOTALL):
            spelled.update(re.findall(r'"(\w+)"', index))
    listed = (folder / "state.py").read_text().rpartition('"""events')[2].partition('"""')[0]
    assert len(spelled) >= 10, "the engine counts in another way: look for its keys there"
    return spelled | set(re.findall(r"\w+", f"events{listed}"))


def test_every_key_the_engine_counts_has_a_metric() -> None:
    for key in engine_keys():
        metrics = WorkerMetrics()
        metrics.count({key: 3})
        totals = [
            sample.value
            for family in metrics.registry.collect()
            for sample in family.samples
            if sample.name.endswith("_total")
        ]
        assert sum(totals) == 3, key


def test_effects_of_an_engine_are_counted() -> None:
    metrics = WorkerMetrics()
    effects = Effects()
    effects.counts.update(events=5, duplicates=2, late_hours=1)
    metrics.count(effects.counts)
    metrics.count({"events": 1})
    assert value(metrics, "pulse_events_total") == 6
    assert value(metrics, "pulse_duplicates_total") == 2
    assert value(metrics, "pulse_late_events_total", age="hours") == 1


def test_alerts_of_each_reason_are_shown_before_there_is_one() -> None:
    worker = Worker(Config())
    for reason in ("danger", "approaching", "silence", "usage_drop", "digest"):
        for status in ("firing", "resolved"):
            assert value(worker.metrics, "pulse_crossings_total", reason=reason, status=status) == 0


def test_a_count_without_a_metric_stops_nothing() -> None:
    WorkerMetrics().count({"something new": 1})


def test_accounts_move_between_zones_and_score_buckets() -> None:
    metrics = WorkerMetrics()
    metrics.fleet.note(0, "a", Standing("healthy", "current", "pro", 71.5))
    metrics.fleet.note(0, "b", Standing("unknown", "new", None, None))
    metrics.fleet.note(0, "a", Standing("danger", "dormant", "pro", 12.0))
    assert value(metrics, "pulse_accounts", zone="healthy", segment="pro") == 0
    assert value(metrics, "pulse_accounts", zone="danger", segment="pro") == 1
    assert value(metrics, "pulse_accounts", zone="unknown", segment="none") == 1
    assert value(metrics, "pulse_accounts_by_lifecycle", lifecycle="dormant", segment="pro") == 1
    assert value(metrics, "pulse_score_bucket", le="10.0") == 0
    assert value(metrics, "pulse_score_bucket", le="15.0") == 1
    assert value(metrics, "pulse_score_bucket", le="+Inf") == 1
    assert value(metrics, "pulse_score_gcount") == 1
    assert value(metrics, "pulse_score_gsum") == 12.0


def test_an_account_that_has_left_is_in_no_zone_and_has_no_score() -> None:
    metrics = WorkerMetrics()
    metrics.fleet.note(0, "a", Standing("danger", "dormant", None, 4.0))
    metrics.fleet.note(0, "a", Standing("danger", "churned", None, 0.0))
    assert value(metrics, "pulse_accounts", zone="danger", segment="none") == 0
    assert value(metrics, "pulse_accounts", zone="churned", segment="none") == 1
    assert value(metrics, "pulse_score_gcount") == 0


def test_a_partition_that_goes_takes_its_accounts_and_labels_along() -> None:
    metrics = WorkerMetrics()
    for partition in (0, 1):
        metrics.fleet.note(partition, "a", Standing("danger", "current", "pro", 10.0))
        metrics.clocks.tick(partition, 0.0)
        metrics.lag_records.labels(str(partition)).set(7)
    metrics.revoke(0)
    metrics.revoke(5)
    assert value(metrics, "pulse_accounts", zone="danger", segment="pro") == 1
    assert value(metrics, "pulse_lag_records", partition="0") is None
    assert value(metrics, "pulse_lag_records", partition="1") == 7
    assert value(metrics, "pulse_tick_age_seconds", partition="0") is None
    metrics.fleet.remove(1, "a")
    metrics.fleet.remove(1, "never seen")
    assert value(metrics, "pulse_accounts", zone="danger", segment="pro") == 0


def test_segments_beyond_the_bound_share_one_label() -> None:
    metrics = WorkerMetrics()
    for number in range(MAX_SEGMENTS + 30):
        metrics.fleet.note(0, f"a{number}", Standing("healthy", "new", f"s{number}", 60.0))
    segments = {
        sample.labels["segment"]
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "pulse_accounts"
    }
    assert len(segments) == MAX_SEGMENTS + 1
    assert value(metrics, "pulse_accounts", zone="healthy", segment="other") == 30


def test_a_tick_ages_until_the_next() -> None:
    clocks = Clocks(now_s=lambda: 105.0)
    clocks.tick(2, 100.0)
    clocks.tick(3, 110.0)
    (family,) = clocks.collect()
    assert {s.labels["partition"]: s.value for s in family.samples} == {"2": 5.0, "3": 0.0}


def test_what_a_zone_pays_moves_with_its_accounts_to_the_cent() -> None:
    metrics = WorkerMetrics()
    for number in range(30):
        metrics.fleet.note(0, f"a{number}", Standing("healthy", "current", "pro", 70.0, 0.1))
    metrics.fleet.note(0, "b", Standing("healthy", "current", "pro", 70.0, 1200.5))
    metrics.fleet.note(0, "b", Standing("danger", "current", "pro", 20.0, 1200.5))
    assert value(metrics, "pulse_mrr", zone="danger", segment="pro") == 1200.5
    assert value(metrics, "pulse_mrr", zone="healthy", segment="pro") == 3.0
    metrics.fleet.note(0, "b", Standing("danger", "current", "pro", 20.0, 900.0))
    assert value(metrics, "pulse_mrr", zone="danger", segment="pro") == 900.0
    metrics.fleet.forget(0)
    assert value(metrics, "pulse_mrr", zone="danger", segment="pro") == 0.0


def test_a_source_ages_until_its_next_event() -> None:
    now_s = 1_000.0
    sources = Sources(now_s=lambda: now_s)
    sources.note({"web": 990.0, "crm": 400.0}, {"crm", "gone"})
    ages, stopped = sources.collect()
    assert {s.labels["source"]: s.value for s in ages.samples} == {"crm": 600.0, "web": 10.0}
    assert {s.labels["source"]: s.value for s in stopped.samples} == {
        "crm": 1.0, "gone": 1.0, "web": 0.0,
    }  # fmt: skip
    sources.note({"web": 1_000.0}, ())
    ages, _ = sources.collect()
    assert {s.labels["source"]: s.value for s in ages.samples} == {"web": 0.0}


def test_sources_beyond_the_bound_have_no_label_and_push_nobody_out() -> None:
    sources = Sources(now_s=lambda: 0.0)
    sources.note({"zebra": 1.0}, ())
    sources.note({"zebra": 1.0} | {f"s{number}": 1.0 for number in range(MAX_SOURCES + 9)}, ())
    ages, _ = sources.collect()
    assert len(ages.samples) == MAX_SOURCES
    assert "zebra" in {sample.labels["source"] for sample in ages.samples}


def test_a_commit_ages_until_the_next() -> None:
    metrics = WorkerMetrics()
    time.sleep(0.05)
    before = value(metrics, "pulse_commit_age_seconds")
    began_s = time.monotonic()
    metrics.committed()
    after = value(metrics, "pulse_commit_age_seconds")
    assert before is not None
    assert after is not None
    assert before >= 0.05
    assert after <= time.monotonic() - began_s


def test_two_workers_in_one_process_count_apart_and_serve_on_two_ports() -> None:
    first, second = WorkerMetrics(), WorkerMetrics()
    first.count({"events": 4})
    one = serve("127.0.0.1", 0, first.registry)
    two = serve("127.0.0.1", 0, second.registry)
    try:
        with urllib.request.urlopen(one.url) as answer:
            page = answer.read().decode()
        assert "pulse_events_total 4.0" in page
        assert sys.platform != "linux" or "process_resident_memory_bytes" in page
        with urllib.request.urlopen(two.url) as answer:
            assert "pulse_events_total 0.0" in answer.read().decode()
    finally:
        one.close()
        two.close()


def test_a_port_in_use_is_a_clear_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PulseError, match=rf"{port}: address already in use.*worker\.metrics"):
            serve("127.0.0.1", port, WorkerMetrics().registry)


def test_names_are_in_base_units_and_no_label_names_an_account() -> None:
    metrics = WorkerMetrics()
    metrics.fleet.note(0, "acme", Standing("danger", "current", "pro", 10.0))
    for family in metrics.registry.collect():
        assert family.name.startswith("pulse_")
        assert not re.search(r"_(ms|millis|minutes|kb)\b", family.name)
        for sample in family.samples:
            assert set(sample.labels) <= {
                "age", "le", "lifecycle", "partition", "reason", "segment", "source", "status",
                "zone",
            }  # fmt: skip
            assert "acme" not in sample.labels.values()
