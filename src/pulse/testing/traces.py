"""What stands in a changelog in the clear: to look for names that should be nowhere."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from typing import TYPE_CHECKING

import cramjam
import msgspec

from pulse.stream.state.pages import PageKey, decode_manifest, decode_part

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_UNPACKED_BYTES = 8 << 20
"""Of a page, when it is unpacked, as far as it is looked at."""


def of_changelog(records: Iterable[tuple[bytes, bytes | None]]) -> Iterator[bytes]:
    """All that the records of one partition's changelog say: keys, and what is packed in values.

    Also what is written over, or deleted, by a later one of them. A version of a page that is not
    there whole is unpacked as far as it goes.
    """
    versions: dict[tuple[PageKey, bytes], dict[int, bytes]] = defaultdict(dict)
    for key, value in records:
        yield key
        if value is None:
            continue
        page = PageKey.decode(key)
        if page is None:
            yield msgspec.json.encode(decode_manifest(value))
            continue
        part = decode_part(value)
        context = msgspec.json.encode(part.context)
        yield context
        versions[page._replace(part=0), context][part.part] = part.body
    for parts in versions.values():
        body = b"".join(parts[number] for number in sorted(parts))
        unpacked = bytearray(_UNPACKED_BYTES)
        with contextlib.suppress(cramjam.DecompressionError):
            cramjam.zstd.decompress_into(body, unpacked)
        yield bytes(unpacked)
