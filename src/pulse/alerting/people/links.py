"""The links of a message: they open one account and act on one alert, for whoever has the message.

A link is the address of a page and a ticket: what it opens and until when, with a MAC of both. It
needs no record anywhere, so whoever sends and whoever shows share a key and nothing else. Opening
one changes nothing, however often a mail scanner does it: it shows a form.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

ACTIONS: Final = ("acknowledge", "snooze", "close")
"""What can be done from a message, besides looking at the alert."""

PATH: Final = "/l/"
"""Where such links lead."""

_PURPOSE: Final = b"pulse link 1\0"
"""A MAC by the same key that was made for something else opens nothing."""
_MAC_BYTES: Final = 20
_LONGEST: Final = 2_000
"""Characters of a ticket: an account's id of 256 characters takes no more."""

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(tuple[str, str, int]).decode


class Ticket(NamedTuple):
    """What a link opens, up to `until_ms`."""

    alert_id: str
    account_id: str
    until_ms: int


class BadTicketError(ValueError):
    """A ticket that opens nothing: `forged`, or `expired`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Links:
    """Makes links, and reads their tickets. `lifetime` is in milliseconds.

    `old_keys` open the links that were made with them, and make none.

    >>> links = Links("https://pulse.example.com", b"k" * 32, 60_000)
    >>> made = links.of("al_1", "acme", now_ms=0)
    >>> sorted(made), made["snooze"].startswith("https://pulse.example.com/l/")
    (['acknowledge', 'alert', 'close', 'snooze'], True)
    >>> ticket = made["alert"].rpartition("/")[2]
    >>> links.open(ticket, now_ms=59_999)
    Ticket(alert_id='al_1', account_id='acme', until_ms=60000)
    >>> links.open(ticket, now_ms=60_000)
    Traceback (most recent call last):
    pulse.alerting.people.links.BadTicketError: expired
    """

    base_url: str
    key: bytes
    lifetime: int
    old_keys: tuple[bytes, ...] = ()

    def of(self, alert_id: str, account_id: str, now_ms: int) -> dict[str, str]:
        """The links of an alert's message, by name: `alert`, and each of `ACTIONS`."""
        said = _encode((alert_id, account_id, now_ms + self.lifetime))
        ticket = f"{_text(said)}.{_text(_mac(self.key, said))}"
        page = f"{self.base_url.rstrip('/')}{PATH}{ticket}"
        return {"alert": page} | {action: f"{page}/{action}" for action in ACTIONS}

    def open(self, ticket: str, now_ms: int) -> Ticket:
        """What a link opens now. Raises `BadTicketError`."""
        said, _, mac = ticket.partition(".")
        if len(ticket) > _LONGEST:
            raise BadTicketError("forged")
        try:
            body, found = _bytes(said), _bytes(mac)
        except (ValueError, binascii.Error):
            raise BadTicketError("forged") from None
        # Each of them is looked at, however early one fits.
        fits = [hmac.compare_digest(found, _mac(key, body)) for key in (self.key, *self.old_keys)]
        if not any(fits):
            raise BadTicketError("forged")
        try:
            opened = Ticket(*_decode(body))
        except msgspec.DecodeError:  # a key that signs other things too
            raise BadTicketError("forged") from None
        if now_ms >= opened.until_ms:
            raise BadTicketError("expired")
        return opened


def _mac(key: bytes, said: bytes) -> bytes:
    return hmac.digest(key, _PURPOSE + said, hashlib.sha256)[:_MAC_BYTES]


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    # Python's decoder passes over what is no base64, so that one ticket would have many spellings.
    data = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    if _text(data) != text:
        raise ValueError("not base64")
    return data
