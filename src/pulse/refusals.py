"""What is refused over HTTP, and how a client is told."""

from __future__ import annotations


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
