"""The plain state that the rivals keep counts what the generator of the job counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks import job
from benchmarks.checks import WrongCountError, check_rival
from benchmarks.rivals.report import Report
from benchmarks.rivals.state import KINDS, Account, Fleet, decode_values, totals
from pulse.testing.histories import Job

if TYPE_CHECKING:
    from pathlib import Path

JOB = Job(events=3_000, days=3, accounts=20, duplicates=0.05, profiles=True)


@pytest.fixture
def files(tmp_path: Path) -> job.JobFiles:
    return job.write(JOB, tmp_path, lambda line: None)


def count(values: list[bytes]) -> Report:
    fleet = Fleet()
    for at in range(0, len(values), 70):
        fleet.apply(decode_values(values[at : at + 70]))
    counts = dict(zip(KINDS, fleet.counts, strict=True))
    return Report(1.0, 1.0, counts, totals(fleet.accounts.items()))


def test_it_counts_every_event_once(files: job.JobFiles) -> None:
    report = count(files.lines.read_bytes().splitlines())

    check_rival(report, files.totals)
    assert report.counts["duplicate"] > 100
    assert report.counts["profile"] == 20


def test_one_lost_event_is_a_wrong_count(files: job.JobFiles) -> None:
    values = files.lines.read_bytes().splitlines()
    lost = next(at for at, value in enumerate(values) if b'"event"' in value)

    with pytest.raises(WrongCountError):
        check_rival(count(values[:lost] + values[lost + 1 :]), files.totals)


def test_a_packed_account_goes_on_where_it_was(files: job.JobFiles) -> None:
    lines = decode_values(files.lines.read_bytes().splitlines())
    straight: dict[str, Account] = {}
    packed: dict[str, bytes] = {}
    for line in lines:
        key = line.account_id
        kept = packed.get(key)
        account = Account() if kept is None else Account.unpack(kept)
        kind = account.apply(line)
        packed[key] = account.pack()
        assert straight.setdefault(key, Account()).apply(line) == kind

    assert totals((key, Account.unpack(each)) for key, each in packed.items()) == totals(
        straight.items()
    )
