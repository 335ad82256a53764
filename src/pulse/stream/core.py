"""A processor core of a worker's own.

A worker's threads work one at a time, since Python lets no two at once. Where each runs on another
core, what the one has read from Kafka is not in the cache of the core on which the other counts it;
and each time the machine moves a thread its accounts are read from memory again.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

_PREFIX = "pulse-core"
_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))


class OwnCore:
    """A core that no other worker of this machine has while this lives."""

    def __init__(self, number: int, claim: socket.socket) -> None:
        self.number = number
        self._claim = claim


def take_own_core() -> OwnCore | None:
    """Keep this thread, and those that it starts from now on, to one core.

    None, and nothing changes, where there is one core only, or no core that another worker does not
    have; in a container, since workers in others are not seen; and where the system cannot do it.
    """
    if sys.platform != "linux" or _is_container():
        return None
    cores = sorted(os.sched_getaffinity(0), reverse=True)  # the first often serves the devices
    if len(cores) < 2:
        return None
    for number in cores:
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            # A name without a file, which ends with the process, however it ends.
            claim.bind(f"\0{_PREFIX}-{number}")
            os.sched_setaffinity(0, {number})
        except OSError:
            claim.close()
            continue
        return OwnCore(number, claim)
    return None


def _is_container() -> bool:
    return "KUBERNETES_SERVICE_HOST" in os.environ or any(mark.exists() for mark in _MARKS)
