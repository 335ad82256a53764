"""What an account's alerts did within loads, while nobody is told of them one by one.

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


class Began(NamedTuple):
    """When an alert began (ms), and within which load."""

    started_ms: int
    load: str


class LoadMark:
    """The mark that loads have left on an account; mostly it is one.

    >>> mark, new, old = LoadMark("load-1"), OpenAlert(7, 7), OpenAlert(3, 2)
    >>> mark.takes("danger", new, ""), mark.takes("danger", new, "recovered")
    (True, True)
    >>> mark.takes("silence", old, "active_again"), len(mark.ended), mark.began
    (False, 1, {})
    """

    __slots__ = ("began", "ended", "on")

    def __init__(self, *on: str) -> None:
        self.on = [*on]
        """The loads that have touched the account and go on, in the order in which they came."""
        self.began: dict[str, Began] = {}
        """The alerts that began within a load and stand, by reason."""
        self.ended: list[Ended] = []

    @property
    def is_on(self) -> bool:
        """Whether a load goes on."""
        return bool(self.on)

    def touch(self, load: str) -> None:
        """A load touches the account."""
        if load not in self.on:
            self.on.append(load)

    def release(self, load: str) -> bool:
        """A load has ended; whether it was the last one."""
        if load in self.on:
            self.on.remove(load)
            return not self.on
        return False

    def takes(self, reason: str, opened: OpenAlert, resolution: str) -> bool:
        """Note that an alert began, or with a resolution ended; whether it is recorded now.

        Else it is told when the load has ended.
        """
        if not resolution:
            if self.on:
                self.began[reason] = Began(opened.started_ms, self.on[-1])
            return True
        began = self.began.get(reason)
        if began is not None and began.started_ms == opened.started_ms:
            del self.began[reason]
            return True
        if self.on:
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
        return not self.on and not self.began

    def write(self, out: Writer) -> None:
        """As bytes; the names of loads stand there as they are."""
        out.number(len(self.on))
        for load in self.on:
            out.text(load)
        out.number(len(self.began))
        for reason, began in self.began.items():
            out.text(reason)
            out.number(began.started_ms)
            out.text(began.load)
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
        mark = cls(*(reader.text() for _ in range(reader.number())))
        for _ in range(reader.number()):
            reason = reader.text()
            mark.began[reason] = Began(reader.number(), reader.text())
        for _ in range(reader.number()):
            reason = reader.text()
            opened = OpenAlert(reader.number(), reader.number(), reader.text())
            mark.ended.append(Ended(reason, opened, reader.text()))
        return mark
