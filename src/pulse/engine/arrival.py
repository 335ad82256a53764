"""The record in which an account's state comes to its new id, in the partition of that.

An account that does not fit a record leaves in pieces: first all of it but the ids that are too
many, then these, each with an account of which nothing else is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from xxhash import xxh3_64_intdigest

from pulse.engagement.packing import pack, split, unpack
from pulse.engagement.uniting import pieces
from pulse.engine.control import UNREADABLE
from pulse.errors import PulseError
from pulse.model.fields import is_plain_text

if TYPE_CHECKING:
    from pulse.engagement.account import Account

ARRIVAL: Final = b"arrival"
"""The kind of record."""

FORM: Final = 10
"""Of an account's bytes in such a record: the version of the state."""

PIECE_BYTES: Final = 400_000
"""About so large a record may be: one of the events topic can have a million bytes."""


class FormError(PulseError):
    """An account was written by another pulse, in a form that this one does not read."""


class Arrival(msgspec.Struct, array_like=True, frozen=True):
    """What an account leaves to its new id."""

    form: int
    account: str
    path: tuple[str, ...]
    """The ids under which it was known, the first one first."""
    first_tick_ms: int
    """When the clock began where it comes from; 0 where it did not."""
    packed: bytes
    digest: int
    """Of `packed`, which nobody else writes."""

    def on(self, to: str) -> Arrival:
        """The same, on its way from where it arrived to another account."""
        path = (*self.path, self.account)
        return Arrival(self.form, to, path, self.first_tick_ms, self.packed, self.digest)

    def unpacked(self) -> Account:
        """The account, under the id that it had."""
        return unpack(*split(self.packed))


encode_arrival = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Arrival).decode
_decode_form: Any = msgspec.msgpack.Decoder(list[Any]).decode


def left_by(account: Account, to: str, first_tick_ms: int) -> list[Arrival]:
    """What an account leaves as it is, in its pieces."""
    path, left = (account.account_id,), []
    for each in pieces(account, PIECE_BYTES):
        packed = pack(each).joined()
        left.append(Arrival(FORM, to, path, first_tick_ms, packed, xxh3_64_intdigest(packed)))
    return left


def read_arrival(value: bytes) -> Arrival | None:
    """What came, None if it is nothing that can be read. Raises `FormError` for another form."""
    try:
        form, account, *_ = _decode_form(value)
        if type(form) is int and form > 0 and form != FORM and isinstance(account, str):
            raise FormError(
                f"an account that was renamed was written in form {form}, this pulse reads {FORM}",
                hint="run the pulse that wrote it until its workers have read all of the log",
            )
        come = _decode(value)
    except (*UNREADABLE, IndexError):
        return None
    is_whole = xxh3_64_intdigest(come.packed) == come.digest
    return come if is_whole and is_plain_text(come.account) else None
