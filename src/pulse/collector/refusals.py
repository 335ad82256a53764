"""What is refused, and how a client is told."""

from __future__ import annotations

from typing import NamedTuple

from pulse.refusals import Refusal

__all__ = ["BadEvent", "Refusal"]


class BadEvent(NamedTuple):
    """An event of a request that is refused while the others are taken.

    `at` counts from 0 in the request; `field` is dotted, empty where it is the whole event.
    """

    at: int
    reason: str
    field: str
    detail: str
