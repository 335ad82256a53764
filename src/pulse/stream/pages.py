"""State as bytes: pages, their parts, and the manifest of a partition.

The changelog topic has one record for each part of a page and one manifest for each partition.
A page holds the input offset up to which its accounts hold the log. The manifest names every page
with that offset, and the input position; it is written after the pages.

- A page that the manifest does not name was written after it. Its accounts came after the
  manifest's position, so reading on from there makes them again: it is ignored.
- A page ahead of the manifest was written just before a crash: its guard skips what it holds.
- A page behind the manifest was overwritten by a worker that had been thought dead: reading moves
  back to what that page holds.

A page larger than a message is written in numbered parts, alternately in two slots, so that a
crash between two parts leaves the former version whole.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from pulse.engine import Engine, Page, PartitionState
from pulse.errors import PulseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STATE_VERSION = 2
"""Of what stands in the changelog. Another version is refused, never misread."""

PART_BYTES = 262_144
MANIFEST_KEY = b"manifest"


class StateError(PulseError):
    """The state in the changelog cannot be used."""


class Part(msgspec.Struct, array_like=True):
    """The value of one page record: where the page stood, and a piece of its compressed body."""

    version: int
    number: int
    applied: int
    clock_ms: int | None
    first_tick_ms: int | None
    historical: bool
    part: int
    parts: int
    body: bytes


class ManifestPage(msgspec.Struct, array_like=True):
    """One page as the manifest knows it."""

    number: int
    applied: int
    slot: int
    parts: int


class Manifest(msgspec.Struct):
    """What a partition's state consists of, as of the input offset `position` (exclusive)."""

    version: int
    partitions: int
    position: int
    clock_ms: int | None
    first_tick_ms: int | None
    historical: bool
    next_page: int
    config_version: str
    generation: int
    pages: list[ManifestPage]


class ChangelogRecord(NamedTuple):
    """A record to write to the changelog; value None deletes."""

    key: bytes
    value: bytes | None


_encode = msgspec.msgpack.Encoder().encode
_version = msgspec.msgpack.Decoder(dict[str, Any])
_first = msgspec.msgpack.Decoder(list[Any])
_decode_part = msgspec.msgpack.Decoder(Part)
_decode_manifest = msgspec.msgpack.Decoder(Manifest)
_decode_accounts = msgspec.msgpack.Decoder(list[bytes])


def write_pages(state: PartitionState) -> Iterator[ChangelogRecord]:
    """Records of all dirty pages, which are clean after. Nothing may be applied meanwhile."""
    for page in state.pages:
        # A page that is ahead of a log that is read again waits until the log has caught up: the
        # clock that stands in a page must be the clock at its offset.
        if page.dirty and page.guard <= state.position:
            page.guard = page.written = state.position
            page.dirty = False
            yield from _write_page(state, page)


def _write_page(state: PartitionState, page: Page) -> Iterator[ChangelogRecord]:
    accounts = [state.packed(account_id) for account_id in page.accounts]
    body = zlib.compress(_encode(accounts), 1)
    parts = max(-(-len(body) // PART_BYTES), 1)
    if parts > 1 or page.parts > 1:
        page.slot = 1 - page.slot
    page.parts, page.size_bytes = parts, len(body)
    for part in range(parts):
        piece = body[part * PART_BYTES : (part + 1) * PART_BYTES]
        value = Part(
            STATE_VERSION, page.number, page.written, state.clock_ms, state.first_tick_ms,
            state.historical, part, parts, piece,
        )  # fmt: skip
        yield ChangelogRecord(_page_key(page.number, page.slot, part), _encode(value))


def write_manifest(
    state: PartitionState, partitions: int, config_version: str, generation: int
) -> ChangelogRecord:
    """The manifest record, to be written after every page that `write_pages` gave."""
    manifest = Manifest(
        version=STATE_VERSION,
        partitions=partitions,
        position=state.position,
        clock_ms=state.clock_ms,
        first_tick_ms=state.first_tick_ms,
        historical=state.historical,
        next_page=state.next_page,
        config_version=config_version,
        generation=generation,
        pages=[ManifestPage(p.number, p.written, p.slot, p.parts) for p in state.pages],
    )
    return ChangelogRecord(MANIFEST_KEY, _encode(manifest))


class Snapshot:
    """A partition's changelog while it is read: the last value of every key."""

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}

    def take(self, key: bytes | None, value: bytes | None) -> None:
        """Take one record, in the order of the changelog."""
        if key is None:
            return
        if value is None:
            self._values.pop(key, None)
        else:
            self._values[key] = value

    def manifest(self, partitions: int) -> Manifest | None:
        """The manifest, None if the partition has no state yet.

        Raises `StateError` for a version, or a number of partitions, that is not ours.
        """
        value = self._values.get(MANIFEST_KEY)
        if value is None:
            return None
        version = _version.decode(value).get("version")
        if version != STATE_VERSION:
            raise StateError(
                f"the state was written in version {version}, this pulse reads {STATE_VERSION}",
                hint="run the pulse that wrote it, or delete the changelog topic and replay",
            )
        manifest = _decode_manifest.decode(value)
        if manifest.partitions != partitions:
            raise StateError(
                f"the state was made with {manifest.partitions} partitions, "
                f"the events topic has {partitions}",
                hint="the number of partitions is fixed when the topic is made; "
                "go back to it, or start a new group with new topics",
            )
        return manifest

    def restore(self, engine: Engine, state: PartitionState, manifest: Manifest) -> None:
        """Fill an empty state; `state.position` is where the input must be read on from."""
        state.position = state.settled = manifest.position
        state.clock_ms, state.first_tick_ms = manifest.clock_ms, manifest.first_tick_ms
        state.historical, state.next_page = manifest.historical, manifest.next_page
        for named in sorted(manifest.pages, key=lambda page: page.number):
            first, body, slot = self._best(named)
            page = Page(named.number, first.applied)
            page.slot, page.parts, page.size_bytes = slot, first.parts, len(body)
            if first.applied < named.applied:
                # Overwritten by a worker that had been thought dead: read its input again.
                if first.applied < state.position:
                    state.position = first.applied
                    state.clock_ms = first.clock_ms
                    state.first_tick_ms = first.first_tick_ms
                    state.historical = first.historical
            else:
                # Clean since: it holds everything up to the manifest.
                page.guard = max(first.applied, manifest.position)
            state.pages.append(page)
            for packed in _decode_accounts.decode(zlib.decompress(body)):
                engine.restore(state, page, packed)

    def _best(self, named: ManifestPage) -> tuple[Part, bytes, int]:
        """The most advanced whole version of a page."""
        found: tuple[Part, bytes, int] | None = None
        for slot in (0, 1):
            parts = [self._part(key) for key in self._keys(named.number, slot)]
            if not parts:
                continue
            first = parts[0]
            same = [p for p in parts[: first.parts] if p.applied == first.applied]
            whole = len(same) == first.parts
            if whole and (found is None or first.applied > found[0].applied):
                found = first, b"".join(part.body for part in same), slot
        if found is None:
            raise StateError(
                f"page {named.number} of the state is missing from the changelog",
                hint="delete the changelog topic and the consumer group's offsets, and replay",
            )
        return found

    def _part(self, key: bytes) -> Part:
        version = _first.decode(self._values[key])[0]
        if version != STATE_VERSION:
            raise StateError(
                f"a page of the state was written in version {version}, "
                f"this pulse reads {STATE_VERSION}",
                hint="run the pulse that wrote it, or delete the changelog topic and replay",
            )
        return _decode_part.decode(self._values[key])

    def _keys(self, number: int, slot: int) -> Iterable[bytes]:
        part = 0
        while (key := _page_key(number, slot, part)) in self._values:
            yield key
            part += 1


def _page_key(number: int, slot: int, part: int) -> bytes:
    return b"page/%d/%d/%d" % (number, slot, part)
