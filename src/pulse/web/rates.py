"""How often somebody may come with a wrong token."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from pulse.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

AT_ONCE: Final = 20
"""Wrong tokens that an address may come with at once; then one a second."""
MOST: Final = 10_000
"""Addresses that are remembered; the one that came longest ago goes."""


class WrongTokens:
    """Counts wrong tokens by address; of IPv6 by the network of 64 bits, which one machine has.

    >>> now = [0.0]
    >>> wrong = WrongTokens(lambda: now[0])
    >>> for _ in range(20):
    ...     wrong.note("203.0.113.7")
    >>> wrong.check("203.0.113.7")
    Traceback (most recent call last):
    pulse.refusals.Refusal: too many wrong tokens from your address; wait a second
    >>> now[0] = 1.0
    >>> wrong.check("203.0.113.7")
    """

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._of: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, address: str) -> None:
        """Raises `Refusal` (429) where there were too many."""
        count, at_s = self._of.get(_network(address), (0.0, 0.0))
        if count - (self._monotonic_s() - at_s) > AT_ONCE - 1:
            raise Refusal(
                429,
                "too_many_wrong_tokens",
                "too many wrong tokens from your address; wait a second",
                retry_after_s=1,
            )

    def note(self, address: str) -> None:
        """One was wrong."""
        network, now_s = _network(address), self._monotonic_s()
        count, at_s = self._of.pop(network, (0.0, now_s))
        self._of[network] = max(count - (now_s - at_s), 0.0) + 1, now_s
        if len(self._of) > MOST:
            self._of.popitem(last=False)


def _network(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, 64), strict=False))
    return address
