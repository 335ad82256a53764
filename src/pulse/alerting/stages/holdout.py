"""Accounts whose alerts are recorded and not sent, so that it shows what sending them does."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from pulse.alerting.alert import EVERYBODY

if TYPE_CHECKING:
    from pulse.alerting.brief import Brief

REASON: Final = "holdout"
"""Why such an alert is not sent, as a decision says it."""

_ALL: Final = 1 << 64


@dataclass(frozen=True, slots=True)
class Holdout:
    """A share of the accounts, 0 to 1, chosen by a hash of `salt` and the account's id.

    The same accounts with the same salt, for ever; with a larger share those and others. Alerts
    that began before `since_ms` (milliseconds UTC) are sent, whose ever they are.

    >>> holdout = Holdout(0.5, "spring", since_ms=1_000)
    >>> [holdout.has(each, 1_000) for each in ("acme", "beta", "globex", "*")]
    [False, True, True, False]
    >>> holdout.has("beta", 999)
    False
    """

    share: float = 0.0
    salt: str = "pulse"
    since_ms: int = 0

    def of(self, brief: Brief) -> Brief:
        """The alert as it begins, told to nobody where its account is held out."""
        if brief.quiet or not self.has(brief.account_id, brief.at_ms):
            return brief
        return msgspec.structs.replace(brief, quiet=REASON)

    def has(self, account_id: str, at_ms: int) -> bool:
        """Whether an account's alert that begins at an instant is held out. What is about no single
        account never is.
        """
        if self.share <= 0 or account_id == EVERYBODY or at_ms < self.since_ms:
            return False
        digest = hashlib.blake2b(f"{self.salt}\0{account_id}".encode(), digest_size=8).digest()
        return int.from_bytes(digest) < self.share * _ALL
