"""What waits on the disk while Kafka is away: records in files, on the disk before an answer.

A file is a run of records, each with its length and its checksum before it. Files are numbered; the
oldest is read as a whole, and removed when Kafka has all of it. What a crash has torn at the end
of a file was never answered, and is passed over. So nothing that was answered is lost; some of it
is read again after a crash.
"""

from __future__ import annotations

import asyncio
import os
from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog
from crc32c import crc32c

from pulse.errors import PulseError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

log = structlog.get_logger("pulse.collector")

FILE_BYTES: Final = 4 << 20
"""A file that has as many gets no more records; so much is sent to Kafka at once."""

_HEAD: Final = Struct("<II")
"""A record's length, and the CRC-32C of what it says."""


class SpoolFullError(Exception):
    """It has no room for a record."""


class SpoolFailedError(Exception):
    """The disk did not take a record."""


class Batch(NamedTuple):
    """The records of the oldest file, in the order in which they came."""

    file: Path
    records: list[bytes]
    is_torn: bool = False
    """Whether there is something behind them that cannot be read."""


class Spool:
    """Records on the disk, in order. Only one process may have a folder at a time.

    Everything is called from one event loop; what waits for the disk does so in a thread.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        """Take what is there. Raises `PulseError` where the folder cannot be used."""
        self._folder = folder
        self._most_bytes = most_bytes
        self._held = _locked(folder)
        self._sizes = {path: path.stat().st_size for path in sorted(folder.glob("*.spool"))}
        """Bytes of each file, the oldest first."""
        self._next = 1 + max((int(path.stem) for path in self._sizes), default=0)
        self._current: Path | None = None
        """The newest of the files, while records may be added to it."""
        self._coming: list[tuple[bytes, asyncio.Future[None]]] = []
        self._coming_bytes = 0
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    @property
    def size(self) -> int:
        """Bytes that wait, on the disk and on their way to it."""
        return sum(self._sizes.values()) + self._coming_bytes

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._sizes or self._coming_bytes)

    def add(self, record: bytes) -> asyncio.Future[None]:
        """A future that is done when the record is on the disk, or has `SpoolFailedError`.

        Raises `SpoolFullError`.
        """
        framed = _framed(record)
        if self.size + len(framed) > self._most_bytes:
            raise SpoolFullError(f"the spool has {self.size} bytes already")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._coming.append((framed, done))
        self._coming_bytes += len(framed)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write(), name="spool")
        return done

    async def oldest(self) -> Batch | None:
        """The records that are the oldest; they stay until `remove`, and no more are added."""
        if not self._sizes and self._task is not None:
            await asyncio.shield(self._task)
        async with self._lock:
            path = next(iter(self._sizes), None)
            if path is None:
                return None
            if path == self._current:
                self._current = None
        try:
            return await asyncio.to_thread(_read, path)
        except OSError as error:
            del self._sizes[path]
            log.error("a file of the spool cannot be read, and is passed over",
                      file=str(path), error=str(error))  # fmt: skip
            return None

    def remove(self, batch: Batch) -> None:
        """Kafka has them. What could not be read is kept beside, for a person to look at."""
        if batch.is_torn:
            batch.file.replace(batch.file.with_suffix(".torn"))
        else:
            batch.file.unlink(missing_ok=True)
        del self._sizes[batch.file]

    def set_aside(self, batch: Batch, refused: Sequence[bytes]) -> None:
        """Keep beside, for a person to look at, what Kafka refuses for good."""
        aside = batch.file.with_suffix(".refused")
        try:
            _append(aside, b"".join(map(_framed, refused)))
        except OSError as error:
            log.error("what Kafka refuses cannot be set aside, and is gone", error=str(error))
        else:
            log.error("it is set aside, for a person to look at", file=str(aside))

    async def close(self) -> None:
        """Finish what is being written; what waits stays."""
        if self._task is not None:
            await self._task
        os.close(self._held)

    async def _write(self) -> None:
        """One write and one sync for all that came meanwhile."""
        while self._coming:
            async with self._lock:
                coming, self._coming = self._coming, []
                data = b"".join(framed for framed, _ in coming)
                failed = await self._append(data)
                self._coming_bytes -= len(data)
            for _, done in coming:
                if failed is None:
                    done.set_result(None)
                else:
                    done.set_exception(SpoolFailedError(failed))

    async def _append(self, data: bytes) -> str | None:
        """Write to the newest file; why it failed, if it did."""
        path = self._current
        if path is None or self._sizes[path] >= FILE_BYTES:
            path = self._current = self._folder / f"{self._next:012}.spool"
            self._next += 1
        failed = None
        try:
            await asyncio.to_thread(_append, path, data)
        except OSError as error:
            log.error("the spool cannot be written", file=str(path), error=str(error))
            # Half a record may be at its end, behind which nothing would be read.
            failed, self._current = str(error), None
        if path.exists():
            self._sizes[path] = path.stat().st_size
        return failed


def _framed(record: bytes) -> bytes:
    return _HEAD.pack(len(record), crc32c(record)) + record


def _locked(folder: Path) -> int:
    """A lock on the folder, which is made if it is not there; it ends with the process."""
    import fcntl  # which Windows has not

    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise PulseError(
            f"another process has the spool {folder}",
            hint="give each collector a folder of its own",
        ) from None
    except OSError as error:
        raise PulseError(f"the spool {folder} cannot be used: {error}") from None
    return lock


def _append(path: Path, data: bytes) -> None:
    is_new = not path.exists()
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        # Its name must be there after a crash too.
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _read(path: Path) -> Batch:
    """The records of a file, up to one that is torn: what follows it cannot be told apart."""
    data = path.read_bytes()
    records, at = [], 0
    while at + _HEAD.size <= len(data):
        length, checksum = _HEAD.unpack_from(data, at)
        record = data[at + _HEAD.size : at + _HEAD.size + length]
        if not length or len(record) < length or crc32c(record) != checksum:
            break
        records.append(record)
        at += _HEAD.size + length
    if at < len(data):
        log.warning(
            "the end of a file of the spool is torn, as a crash leaves it; it is kept as .torn",
            file=str(path), passed_over_bytes=len(data) - at,
        )  # fmt: skip
    return Batch(path, records, is_torn=at < len(data))
