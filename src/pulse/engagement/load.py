"""What an account's alerts did within a load, while nobody is told of them one by one.

An account is marked when the first line of a load touches it. From then until the load has ended,
alerts that begin are recorded and not sent, and so are their ends; that one ended which began
before, and of which receivers know, is told once the load has ended. Which alerts began within it
stays known as long as they stand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pulse.engagement.account import OpenAlert

if TYPE_CHECKING:
    from pulse.engagement.codec import Reader, Writer


class Ended(NamedTuple):
    """An alert that began before the load and ended within it."""

    reason: str
    opened: OpenAlert
    resolution: str


class LoadMark:
    """The mark that a load has left on an account.

    >>> mark, new, old = LoadMark("load-1"), OpenAlert(7, 7), OpenAlert(3, 2)
    >>> mark.takes("danger", new, ""), mark.takes("danger", new, "recovered")
    (True, True)
    >>> mark.takes("silence", old, "active_again"), len(mark.ended), mark.began
    (False, 1, {})
    """

    __slots__ = ("began", "ended", "is_on", "load")

    def __init__(self, load: str) -> None:
        self.load = load
        self.is_on = True
        """Whether the load goes on."""
        self.began: dict[str, int] = {}
        """The alerts that began within it and stand: reason → when (ms)."""
        self.ended: list[Ended] = []

    def takes(self, reason: str, opened: OpenAlert, resolution: str) -> bool:
        """Note that an alert began, or with a resolution ended; whether it is recorded now.

        Else it is told when the load has ended.
        """
        if not resolution:
            if self.is_on:
                self.began[reason] = opened.started_ms
            return True
        if self.began.get(reason) == opened.started_ms:
            del self.began[reason]
            return True
        if self.is_on:
            self.ended.append(Ended(reason, opened, resolution))
            return False
        return True

    def forget_user(self, user: str) -> list[tuple[str, OpenAlert]]:
        """Take out the alerts that ended and are about a user, and give them back."""
        found = [(each.reason, each.opened) for each in self.ended if each.opened.about == user]
        self.ended = [each for each in self.ended if each.opened.about != user]
        return found

    def is_over(self) -> bool:
        """Whether nothing is left that anybody need know."""
        return not self.is_on and not self.began

    def write(self, out: Writer) -> None:
        """As bytes; the load's name stands there as it is."""
        out.text(self.load)
        out.number(int(self.is_on))
        out.number(len(self.began))
        for reason, started_ms in self.began.items():
            out.text(reason)
            out.number(started_ms)
        out.number(len(self.ended))
        for ended in self.ended:
            opened = ended.opened
            out.text(ended.reason)
            out.number(opened.started_ms)
            out.number(opened.since_ms)
            out.text(opened.about)
            out.text(ended.resolution)

    @classmethod
    def read(cls, reader: Reader) -> LoadMark:
        """The inverse."""
        mark = cls(reader.text())
        mark.is_on = reader.number() != 0
        for _ in range(reader.number()):
            reason = reader.text()
            mark.began[reason] = reader.number()
        for _ in range(reader.number()):
            reason = reader.text()
            opened = OpenAlert(reader.number(), reader.number(), reader.text())
            mark.ended.append(Ended(reason, opened, reader.text()))
        return mark
