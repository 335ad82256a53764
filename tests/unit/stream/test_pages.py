"""State survives as bytes, whatever write was the last one."""

from __future__ import annotations

import random

import msgspec
import pytest

from pulse.config import Config
from pulse.config.policy import policy
from pulse.engine.control import forget
from pulse.stream.state import pages
from pulse.stream.state.pages import StateError, is_written_by
from pulse.testing.changelog import Outside, Owner
from pulse.testing.histories import Log
from pulse.testing.traces import of_changelog

DAY_MS = 86_400_000
START_MS = 19_000 * DAY_MS
POLICY = policy(Config())


def history(days: int, accounts: int = 5, seed: int = 1) -> Log:
    """Events of some accounts, one tick a day."""
    chance, log = random.Random(seed), Log()
    for day in range(days):
        at_ms = START_MS + day * DAY_MS
        log.tick(at_ms)
        for number in range(accounts):
            event = {
                "id": f"e{day}-{number}",
                "account_id": f"account-{number}",
                "user_id": f"user-{chance.getrandbits(64):x}",
                "event": "report.run",
                "ts": at_ms + chance.randrange(3_600_000),
                "properties": {"value": chance.randrange(1000)},
            }
            log.add(msgspec.json.encode(event))
    return log


def calm(log: Log) -> object:
    """What an owner finds to whom nothing happens."""
    return Owner(POLICY, Outside(log.records)).finish()


def own(outside: Outside, kept_back: int = 0, page_accounts: int = 64) -> Owner:
    owner = Owner(POLICY, outside, kept_back=kept_back, page_accounts=page_accounts)
    while owner.step():
        pass
    return owner


def page_keys(outside: Outside, since: int = 0) -> list[bytes]:
    return [key for key, _ in outside.changelog[since:] if key.startswith(b"page/")]


@pytest.mark.parametrize("version", [pages.WITHOUT_TOMBSTONES, pages.WITHOUT_RENAMES])
def test_state_from_before_there_were_tombstones_is_read(
    monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    log = history(20)
    outside = Outside(log.records)
    with monkeypatch.context() as before:
        before.setattr(pages, "STATE_VERSION", version)
        owner = own(outside)
        owner.work(60)
        owner.write()

    restored = own(outside)
    assert restored.state.position == 60
    assert restored.finish() == calm(log)


def test_a_restored_state_goes_on_as_the_old_one() -> None:
    log = history(60)
    outside = Outside(log.records)
    owner = own(outside)
    owner.work(200)
    owner.write()
    again = own(outside)
    assert again.state.position == 200
    assert again.finish() == calm(log)


def test_only_pages_that_changed_are_written() -> None:
    log = history(1, accounts=3)
    log.add(log.records[2].value.replace(b"e0-1", b"e9-1"))  # type: ignore[union-attr]  # an event, no tombstone
    outside = Outside(log.records)
    owner = own(outside, page_accounts=1)
    owner.work(4)
    owner.write()
    assert len(page_keys(outside)) == 3
    before = len(outside.changelog)
    owner.work(1)
    owner.write()
    assert page_keys(outside, before) == [b"page/1/1/0/0"]


def test_what_is_not_written_is_read_again() -> None:
    log = history(60)
    outside = Outside(log.records)
    owner = own(outside, kept_back=50, page_accounts=2)
    for _ in range(18):
        owner.work(10)
        owner.write()
    assert 180 - 50 - 10 <= outside.committed < 180
    again = own(outside, page_accounts=2)
    assert again.state.position == outside.committed
    assert again.finish() == calm(log)


def test_a_page_ahead_of_the_manifest_skips_what_it_holds() -> None:
    log = history(60)
    outside = Outside(log.records)
    owner = own(outside)
    owner.work(200)
    owner.write()
    owner.work(50)
    owner.begin_flush()
    owner.step()  # and the crash comes before the manifest
    again = own(outside)
    assert again.state.position == 200
    effects = again.engine.apply(again.state, log.records[200:250])
    assert effects.counts["skipped"] == sum(not record.headers for record in log.records[200:250])
    assert again.finish() == calm(log)


def test_a_page_that_holds_less_than_it_should_is_made_again() -> None:
    log = history(60)
    outside = Outside(log.records)
    owner = own(outside, page_accounts=2)
    owner.work(100)
    owner.write()
    (old,) = [record for record in outside.changelog if record.key == b"page/1/1/0/0"]
    owner.work(100)
    owner.write()
    outside.changelog.append(old)
    again = own(outside, page_accounts=2)
    assert again.behind == 1
    assert again.state.position == 100
    assert again.finish() == calm(log)


def test_accounts_of_a_page_that_no_manifest_names_are_made_again() -> None:
    log = history(60)
    outside = Outside(log.records)
    owner = own(outside, page_accounts=2)
    owner.work(3)  # a tick and two accounts: one page
    owner.write()
    owner.work(97)
    owner.begin_flush()
    for _ in range(3):
        owner.step()
    again = own(outside, page_accounts=2)
    assert sorted(again.state.ids()) == ["account-0", "account-1"]
    assert again.finish() == calm(log)


def test_a_crash_between_two_parts_leaves_the_former_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pages, "PART_BYTES", 500)
    log = history(60)
    outside = Outside(log.records)
    owner = own(outside)
    owner.work(200)
    owner.write()
    parts = len(page_keys(outside))
    assert parts > 2
    owner.work(50)
    owner.begin_flush()
    for _ in range(parts // 2):
        owner.step()
    again = own(outside)
    assert again.state.position == 200
    assert again.finish() == calm(log)


def test_parts_of_two_writers_leave_a_whole_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PART_BYTES", 500)
    log = history(60)
    outside = Outside(log.records)
    owner = own(outside)
    owner.work(200)
    owner.write()
    zombie, successor = own(outside), own(outside)
    for end in (240, 280):
        successor.work(end - successor.state.position)
        successor.write()
        zombie.work(end - 10 - zombie.state.position)
        zombie.begin_flush()
        for _ in range(3):
            zombie.step()
    again = own(outside)
    assert again.state.position == 280
    assert again.finish() == calm(log)


def test_what_a_writer_replaced_is_deleted_once_the_group_has_heard_of_it() -> None:
    log = history(60)
    outside = Outside(log.records)
    first = own(outside)
    first.work(100)
    first.write()
    second = own(outside)
    second.work(100)
    second.write()
    left = {key for key, value in outside.changelog if value is not None}
    left -= {key for key, value in outside.changelog if value is None}
    assert left == {b"page/0/2/0/0", b"manifest/2"}
    assert all(is_written_by(key, 2) for key in left)


@pytest.mark.parametrize("crash_after", [None, *range(14)])
def test_nothing_stays_of_a_large_account_that_was_forgotten(
    crash_after: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "PART_BYTES", 500)
    log = history(60)
    log.control("forget", forget("account-1", None, START_MS).value)
    log.tick(START_MS + 61 * DAY_MS)
    outside = Outside(log.records)
    owner = own(outside, page_accounts=1)
    for records in (100, 100, 100):
        owner.work(records)
        owner.write()
    assert b"account-1" in kept(outside)
    assert any(b"/1/1" in key for key in page_keys(outside))  # a second slot, a second part
    owner.work(len(log.records))
    if crash_after is not None:
        owner.begin_flush()
        for _ in range(crash_after):
            owner.step()
        owner = own(outside, page_accounts=1)
        owner.work(len(log.records))
    owner.write()
    if crash_after is not None:
        owner.write()

    assert b"account-1" not in kept(outside)
    assert b"account-0" in kept(outside)
    assert own(outside, page_accounts=1).finish() == calm(log)


def kept(outside: Outside) -> bytes:
    """All that stays of the changelog once it is compacted, unpacked."""
    return b"\n".join(of_changelog(dict(outside.changelog).items()))


def test_sums_beyond_64_bits_survive() -> None:
    outside = Outside(history(1).records)
    owner = own(outside)
    owner.work(6)
    owner.state.account("account-0").value.today = 1 << 80
    owner.write()
    assert own(outside).state.account("account-0").value.today == 1 << 80


@pytest.mark.parametrize("version", [pages.WITHOUT_TOMBSTONES - 1, pages.STATE_VERSION + 1])
def test_another_version_is_refused(version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = Outside(history(1).records)
    with monkeypatch.context() as other:
        other.setattr(pages, "STATE_VERSION", version)
        owner = own(outside)
        owner.work(6)
        owner.write()
    said = f"written in version {version}, this pulse reads {pages.STATE_VERSION}"
    with pytest.raises(StateError, match=said):
        outside.snapshot().manifest(4)


def test_a_manifest_of_before_there_were_generations_is_refused() -> None:
    outside = Outside([])
    snapshot = outside.snapshot()
    snapshot.take(b"manifest", msgspec.msgpack.encode({"version": 1, "partitions": 4}))
    said = f"written in version 1 or 2, this pulse reads {pages.STATE_VERSION}"
    with pytest.raises(StateError, match=said):
        snapshot.manifest(4)


def test_another_number_of_partitions_is_refused() -> None:
    outside = Outside([])
    own(outside)
    with pytest.raises(StateError, match="made with 4 partitions, the events topic has 8"):
        outside.snapshot().manifest(8)


def test_a_missing_page_is_refused() -> None:
    outside = Outside(history(1).records)
    owner = own(outside)
    owner.work(6)
    owner.write()
    outside.changelog.append(pages.ChangelogRecord(b"page/0/1/0/0", None))
    with pytest.raises(StateError, match="page 0 of the state is missing"):
        own(outside)
