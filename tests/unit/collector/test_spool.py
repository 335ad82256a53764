"""What waits on the disk: whole, in order, and no more than may."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pulse.collector import spool as spooling
from pulse.collector.spool import Spool, SpoolFailedError, SpoolFullError
from pulse.errors import PulseError

if TYPE_CHECKING:
    from pathlib import Path

MB = 1 << 20


async def added(spool: Spool, *records: bytes) -> None:
    await asyncio.gather(*[spool.add(each) for each in records])


async def drained(spool: Spool) -> list[bytes]:
    found = []
    while (batch := await spool.oldest()) is not None:
        found += batch.records
        spool.remove(batch)
    return found


def left_in(folder: Path) -> list[bytes]:
    """What a process that comes later finds, without removing it."""

    async def read() -> list[bytes]:
        spool = Spool(folder, MB)
        batch = await spool.oldest()
        await spool.close()
        return [] if batch is None else batch.records

    return asyncio.run(read())


def fill(folder: Path, *records: bytes) -> Path:
    """A spool that a process has left; its only file."""

    async def write() -> None:
        spool = Spool(folder, MB)
        await added(spool, *records)
        await spool.close()

    asyncio.run(write())
    (file,) = folder.glob("*.spool")
    return file


def test_records_come_out_in_the_order_in_which_they_went_in(tmp_path: Path) -> None:
    async def run() -> None:
        spool = Spool(tmp_path, MB)
        await added(spool, *[b"%d" % n for n in range(100)])
        await added(spool, b"100")
        assert spool
        assert await drained(spool) == [b"%d" % n for n in range(101)]
        assert not spool
        assert spool.size == 0
        await spool.close()

    asyncio.run(run())
    assert not list(tmp_path.glob("*.spool"))


def test_what_is_added_while_the_oldest_is_read_comes_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spooling, "FILE_BYTES", 64)

    async def run() -> None:
        spool = Spool(tmp_path, MB)
        found = []
        for number in range(50):
            await added(spool, *[b"%d-%d" % (number, n) for n in range(7)])
            batch = await spool.oldest()
            assert batch is not None
            later = spool.add(b"%d-later" % number)
            found += batch.records
            spool.remove(batch)
            await later
        found += await drained(spool)
        wanted = [
            each
            for number in range(50)
            for each in (*(b"%d-%d" % (number, n) for n in range(7)), b"%d-later" % number)
        ]
        assert found == wanted
        await spool.close()

    asyncio.run(run())


def test_the_oldest_is_waited_for_while_it_is_on_its_way(tmp_path: Path) -> None:
    async def run() -> None:
        spool = Spool(tmp_path, MB)
        spool.add(b"one")
        assert await drained(spool) == [b"one"]
        await spool.close()

    asyncio.run(run())


def test_a_restart_finds_what_was_not_removed(tmp_path: Path) -> None:
    fill(tmp_path, b"one", b"two")
    assert left_in(tmp_path) == [b"one", b"two"]

    async def run() -> None:
        spool = Spool(tmp_path, MB)
        await added(spool, b"three")
        assert await drained(spool) == [b"one", b"two", b"three"]
        await spool.close()

    asyncio.run(run())
    assert left_in(tmp_path) == []


def test_a_record_that_is_torn_anywhere_is_passed_over(tmp_path: Path) -> None:
    file = fill(tmp_path, b"one", b"two")
    whole = file.read_bytes()
    last = len(whole) // 2  # both are as long
    for end in range(last, len(whole)):
        file.write_bytes(whole[:end])
        assert left_in(tmp_path) == [b"one"]
    file.write_bytes(whole[:-1] + b"!")
    assert left_in(tmp_path) == [b"one"]
    # A file may have got its length, and nothing in it.
    file.write_bytes(whole + bytes(100))
    assert left_in(tmp_path) == [b"one", b"two"]


def test_a_full_spool_takes_nothing_until_there_is_room(tmp_path: Path) -> None:
    async def run() -> None:
        spool = Spool(tmp_path, 1000)
        await added(spool, b"x" * 900)
        with pytest.raises(SpoolFullError):
            spool.add(b"x" * 100)
        await added(spool, b"x" * 10)
        assert len(await drained(spool)) == 2
        await added(spool, b"x" * 900)
        await spool.close()

    asyncio.run(run())


def test_what_the_disk_refuses_is_told_and_the_next_record_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        spool = Spool(tmp_path, MB)
        await added(spool, b"one")

        def half(path: Path, data: bytes) -> None:
            with path.open("ab") as file:
                file.write(data[:-1])
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(spooling, "_append", half)
            with pytest.raises(SpoolFailedError, match="No space"):
                await added(spool, b"two")
        await added(spool, b"three")
        assert await drained(spool) == [b"one", b"three"]
        await spool.close()

    asyncio.run(run())


def test_a_folder_is_one_process_s(tmp_path: Path) -> None:
    async def run() -> None:
        spool = Spool(tmp_path, MB)
        with pytest.raises(PulseError, match="another process"):
            Spool(tmp_path, MB)
        await spool.close()
        await Spool(tmp_path, MB).close()

    asyncio.run(run())


def test_what_cannot_be_read_is_kept_beside(tmp_path: Path) -> None:
    file = fill(tmp_path, b"one", b"two", b"three")
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b"two", b"owt"))

    async def run() -> None:
        spool = Spool(tmp_path, MB)
        assert await drained(spool) == [b"one"]
        assert spool.size == 0
        await spool.close()

    asyncio.run(run())
    assert b"three" in file.with_suffix(".torn").read_bytes()
    assert not file.exists()


def remove_all(folder: Path) -> None:
    for file in folder.glob("*.spool"):
        file.unlink()


def test_a_file_that_somebody_has_removed_does_not_hold_up_the_others(tmp_path: Path) -> None:
    async def run() -> None:
        spool = Spool(tmp_path, MB)
        await added(spool, b"one")
        remove_all(tmp_path)
        assert await spool.oldest() is None
        await added(spool, b"two")
        assert await drained(spool) == [b"two"]
        await spool.close()

    asyncio.run(run())
