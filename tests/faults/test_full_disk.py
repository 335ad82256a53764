"""A broker whose disk is full ends; when there is room again all goes on where it was."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING, NoReturn

import pytest

from pulse.testing.kafka import KafkaServer

from .scenes import Scene, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(480)

DISK_MB = 64


@pytest.fixture
def disk(tmp_path: Path, without: Callable[[str], NoReturn]) -> Iterator[Path]:
    """A small disk of its own; to mount one takes root."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", folder)
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        without(f"a small disk cannot be mounted: {done.stderr.strip()}")
    yield folder
    subprocess.run(("umount", "--lazy", folder), check=True)


def test_a_full_disk(disk: Path, tmp_path: Path, unique: str, seed: int) -> None:
    with KafkaServer(disk / "kafka") as kafka:
        scene = Scene(kafka.bootstrap, tmp_path, unique, seed, {})
        workers = [scene.worker().start() for _ in range(2)]
        scene.play(injuries=1)
        scene.player.wait_for_share(0.2)
        scene.stand_still(*workers)
        fill(disk / "ballast")
        for worker in workers:
            worker.signal(signal.SIGCONT)
        wait_for(lambda: not kafka.running, within_s=90)
        (disk / "ballast").unlink()
        kafka.start()
        scene.inflict()
        scene.finish()
        scene.assert_exact()
        assert all(worker.running for worker in workers)
        scene.system.stop()


def fill(path: Path) -> None:
    """Write until nothing more fits."""
    with path.open("wb", buffering=0) as file:
        size = 1 << 20
        while size:
            try:
                file.write(os.urandom(size))
            except OSError:
                size //= 2
