"""A request's body: read within limits, decompressed within limits, decoded."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.requests import ClientDisconnect

from pulse.collector.refusals import Refusal

if TYPE_CHECKING:
    from starlette.requests import Request

MAX_DEPTH: Final = 64
"""Objects and lists within each other. What a client nests deeper is no event."""

BUSY_RETRY_AFTER_S: Final = 1

_GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS
_GZIP_MAGIC: Final = b"\x1f\x8b"
_NESTED: Final = (dict, list)


class Room:
    """For the bodies that come in, of all requests together: at most `most_bytes`.

    It is for those whose key, if they have one, stands in the body: anybody could fill the memory
    else, while the others' is known before.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0

    def take(self, size: int) -> None:
        """Some bytes more have come in. Raises `Refusal` (503)."""
        self._bytes += size
        if self._bytes > self._most_bytes:
            raise Refusal(
                503, "too_many", "too much comes in at once", retry_after_s=BUSY_RETRY_AFTER_S
            )

    def give(self, size: int) -> None:
        """They do not wait for the rest any more."""
        self._bytes -= size


async def read(request: Request, limit: int, within_s: float, room: Room | None) -> bytes:
    """The body of a request, decompressed: at most `limit` bytes, before and after.

    What is compressed with gzip is known by its first two bytes, whatever the headers say: some
    clients say it in the path only. Raises `Refusal` (400, 408, 413, 415, 503).
    """
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "deflate"):
        raise Refusal(415, "unsupported_encoding", f"Content-Encoding {encoding} is not understood")
    said = request.headers.get("content-length", "")
    if said.isdigit() and int(said) > limit:
        raise too_large(limit)
    parts, size = [], 0
    try:
        async with asyncio.timeout(within_s):
            async for part in request.stream():
                size += len(part)
                if room is not None:
                    room.take(len(part))
                if size > limit:
                    raise too_large(limit)
                parts.append(part)
    except TimeoutError:
        raise Refusal(408, "too_slow", f"the body had not come in after {within_s:g} s") from None
    except ClientDisconnect:
        raise Refusal(400, "cut_off", "the client went away before its body had come") from None
    finally:
        if room is not None:
            room.give(size)
    body = b"".join(parts)
    if body.startswith(_GZIP_MAGIC) or encoding == "deflate":
        return _inflated(body, limit)
    if encoding == "gzip" and body:
        raise Refusal(400, "not_gzip", "the body is not gzip, as Content-Encoding says it is")
    return body


def _inflated(body: bytes, limit: int) -> bytes:
    """Never more than `limit` bytes of it in memory, however well it was compressed."""
    plain, rest = b"", body
    while rest:  # gzip may be several, one behind the other
        inflate = zlib.decompressobj(_GZIP_OR_ZLIB)
        try:
            plain += inflate.decompress(rest, limit + 1 - len(plain))
        except zlib.error as error:
            raise Refusal(400, "not_gzip", f"the body cannot be decompressed: {error}") from None
        if len(plain) > limit or inflate.unconsumed_tail:
            raise too_large(limit)
        if not inflate.eof:
            raise Refusal(400, "not_gzip", "the compressed body is cut off")
        rest = inflate.unused_data
    return plain


def too_large(limit: int) -> Refusal:
    """What a body that is too large is told."""
    return Refusal(413, "too_large", f"the body has more than {limit} bytes")


def as_json(body: bytes) -> Any:
    """What the body says. Raises `Refusal` (400)."""
    try:
        said = msgspec.json.decode(body)
    except RecursionError:
        raise _too_deep() from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(400, "not_json", str(error)) from None
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _is_too_deep(said):
        raise _too_deep()
    return said


def _is_too_deep(said: Any) -> bool:
    """Level by level: a body of many events is wide, and not deep."""
    level = [said]
    for _ in range(MAX_DEPTH):
        within: list[Any] = []
        for each in level:
            if type(each) is dict:
                within += [value for value in each.values() if type(value) in _NESTED]
            elif type(each) is list:
                within += [value for value in each if type(value) in _NESTED]
        if not within:
            return False
        level = within
    return True


def _too_deep() -> Refusal:
    return Refusal(400, "too_deep", f"nested more than {MAX_DEPTH} times")
