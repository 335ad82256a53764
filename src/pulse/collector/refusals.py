"""What is refused, and how a client is told."""

from __future__ import annotations

from typing import NamedTuple


class Refusal(Exception):
    """A request is refused: an HTTP status, a reason for programs and a sentence for people."""

    def __init__(
        self, status: int, reason: str, detail: str, *, retry_after_s: int | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason
        self.detail = detail
        self.retry_after_s = retry_after_s


class BadEvent(NamedTuple):
    """An event of a request that is refused while the others are taken.

    `at` counts from 0 in the request; `field` is dotted, empty where it is the whole event.
    """

    at: int
    reason: str
    field: str
    detail: str
