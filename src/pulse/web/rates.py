"""How often somebody may come with what is wrong: a token, or a password."""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from pulse.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

MOST: Final = 10_000
"""Addresses, or names, that are remembered; the one that came longest ago goes."""


class Wrong:
    """Counts what was wrong, by address or by name: so many at once, then one in so many seconds.

    >>> now = [0.0]
    >>> wrong = Wrong("tokens", lambda: now[0], at_once=20, one_in_s=1)
    >>> for _ in range(20):
    ...     wrong.note("203.0.113.7")
    >>> wrong.check("203.0.113.7")
    Traceback (most recent call last):
    pulse.refusals.Refusal: too many wrong tokens; wait a second
    >>> now[0] = 1.0
    >>> wrong.check("203.0.113.7")
    """

    def __init__(
        self, what: str, monotonic_s: Callable[[], float], *, at_once: int, one_in_s: float
    ) -> None:
        self._what = what
        self._monotonic_s = monotonic_s
        self._at_once = at_once
        self._one_in_s = one_in_s
        self._of: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def count(self, of: str) -> float:
        """How many there were; fewer with time."""
        count, at_s = self._of.get(of, (0.0, 0.0))
        return max(count - (self._monotonic_s() - at_s) / self._one_in_s, 0.0)

    def check(self, of: str) -> None:
        """Raises `Refusal` (429) where there were too many."""
        over = self.count(of) - (self._at_once - 1)
        if over > 0:
            wait_s = max(math.ceil(over * self._one_in_s), 1)
            raise Refusal(
                429,
                f"too_many_wrong_{self._what}",
                f"too many wrong {self._what}; wait "
                f"{'a second' if wait_s == 1 else f'{wait_s} seconds'}",
                retry_after_s=wait_s,
            )

    def note(self, of: str) -> None:
        """One was wrong."""
        self._set(of, self.count(of) + 1)

    def take_back(self, of: str) -> None:
        """One that was noted was right."""
        self._set(of, self.count(of) - 1)

    def _set(self, of: str, count: float) -> None:
        self._of.pop(of, None)
        if count <= 0:
            return
        self._of[of] = count, self._monotonic_s()
        if len(self._of) > MOST:
            self._of.popitem(last=False)


def network(address: str) -> str:
    """What is counted as one address: of IPv6 the network of 64 bits, which one machine has.

    >>> network("203.0.113.7"), network("2001:db8::1")
    ('203.0.113.7', '2001:db8::/64')
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, 64), strict=False))
    return address
