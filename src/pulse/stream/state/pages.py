"""State as bytes: the records of the changelog, and what their keys say.

    page/<page>/<writer>/<slot>/<part>   a piece of a page, as one writer wrote it
    manifest/<generation>                what the state consists of, as one writer knows it

A *generation* is one taking-up of a partition by a worker; a later one has a higher number. Each
writes under its own, so that a worker that was thought dead and writes on harms nobody:

- What one writer wrote of a page holds, whatever the version, the same accounts at its beginning:
  an account that joined a page never leaves it; one that was forgotten leaves a tombstone there.
- A writer overwrites nothing but its own pages and manifest, always with what is further on.
- The manifest of the highest generation holds. It names each page with its writer, and how many
  accounts it has: those beyond came later and are made again by reading the input again.

A page version holds all of the log before its offset for its accounts; records below it are
skipped for them. The manifest is written after the pages it names. It says where the input must be
read on from (`read_on`): pages may hold more than that, never less. A page that holds less than
its manifest says was lost on the way, and reading begins where that page stands.

A page larger than a message is written in numbered parts, alternately in two slots, so that a
crash between two parts leaves the former version whole. Once the later one is whole, the former is
deleted: it may hold what was forgotten meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import cramjam
import msgspec

from pulse.engine.fleet import FleetLine
from pulse.engine.heard import Heard
from pulse.engine.outages import Outage, Outages
from pulse.errors import PulseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulse.engine import PartitionState

STATE_VERSION = 10
"""Of what stands in the changelog. Another version is refused, never misread."""

WITHOUT_RENAMES: Final = 9
"""The version before is the same without the names that tombstones of renamed accounts have, and is
read."""

WITHOUT_TOMBSTONES: Final = 8
"""The version before that is the same without any, and is read."""

PART_BYTES = 262_144

_LEVEL: Final = 1
_GROUP_BITS: Final = 32
_MANIFEST: Final = b"manifest/"
_PAGE: Final = b"page/"


class StateError(PulseError):
    """The state in the changelog cannot be used."""


class Context(msgspec.Struct, array_like=True, frozen=True):
    """An offset of the input, and all that reading on from it must know of what lies before."""

    offset: int
    clock_ms: int | None
    first_tick_ms: int | None
    historical: bool
    config: str | None
    summed_day: int
    summed_config: str
    told_ms: int
    lines: tuple[FleetLine, ...]
    outages: tuple[Outage, ...] = ()
    heard: dict[str, Heard] = {}
    digested: int = 0
    loads: dict[str, int] = {}

    @classmethod
    def of(cls, state: PartitionState) -> Context:
        """Where the state stands now."""
        return cls(
            state.position,
            state.clock_ms,
            state.first_tick_ms,
            state.historical,
            state.config,
            state.summed_day,
            state.summed_config,
            state.told_ms,
            tuple(state.lines),
            state.outages.found,
            state.heard,
            state.digested,
            state.loads,
        )

    def put(self, state: PartitionState) -> None:
        """Let the state read on from here."""
        state.position, state.clock_ms = self.offset, self.clock_ms
        state.first_tick_ms, state.historical = self.first_tick_ms, self.historical
        state.config, state.told_ms, state.lines = self.config, self.told_ms, list(self.lines)
        state.summed_day, state.summed_config = self.summed_day, self.summed_config
        state.outages, state.heard = Outages(self.outages), self.heard
        state.digested, state.loads = self.digested, self.loads


class PageVersion(msgspec.Struct, array_like=True, frozen=True):
    """One page as one writer wrote it."""

    number: int
    writer: int
    applied: int
    slot: int
    parts: int
    accounts: int


class Part(msgspec.Struct, array_like=True):
    """The value of one page record: a piece of a page's compressed accounts.

    `context` is that of the offset up to which the page holds the log.
    """

    version: int
    context: Context
    accounts: int
    part: int
    parts: int
    body: bytes


class Manifest(msgspec.Struct, array_like=True):
    """What a partition's state consists of.

    `position` is the input offset up to which everything the input caused was acknowledged when
    this was written. The pages hold all of the input before `read_on`. `forwarded` are the events
    that were handed on to the partition: partition, offset and line of each, and where it arrived.
    """

    partitions: int
    config_version: str
    position: int
    read_on: Context
    pages: list[PageVersion]
    forwarded: list[tuple[int, int, int, int]]


class _Envelope(msgspec.Struct, array_like=True):
    version: int
    body: bytes


class ChangelogRecord(NamedTuple):
    """A record to write to the changelog; value None deletes."""

    key: bytes
    value: bytes | None


class PageKey(NamedTuple):
    """What the key of a page record says."""

    number: int
    writer: int
    slot: int
    part: int

    def encode(self) -> bytes:
        """The key's bytes.

        >>> PageKey(number=14, writer=5, slot=0, part=1).encode()
        b'page/14/5/0/1'
        """
        return b"page/%d/%d/%d/%d" % self

    @classmethod
    def decode(cls, key: bytes) -> PageKey | None:
        """The inverse; None for the key of anything else."""
        if not key.startswith(_PAGE):
            return None
        try:
            number, writer, slot, part = map(int, key[len(_PAGE) :].split(b"/"))
        except ValueError:
            return None
        return cls(number, writer, slot, part)


_encode = msgspec.msgpack.Encoder().encode
_head = msgspec.msgpack.Decoder(list[Any])
_decode_part = msgspec.msgpack.Decoder(Part)
_decode_envelope = msgspec.msgpack.Decoder(_Envelope)
_decode_manifest = msgspec.msgpack.Decoder(Manifest)
_decode_accounts = msgspec.msgpack.Decoder(list[bytes])


def generation_after(highest: int | None, group_generation: int) -> int:
    """The generation of a take-up, higher than all before.

    `highest` is the highest that the changelog knows. The group counts its generations, and begins
    anew when it was forgotten; then what lies above the lower 32 bits counts on.

    >>> generation_after(None, 4), generation_after(4, 7)
    (4, 7)
    >>> generation_after(7, 1) == (1 << 32) + 1
    True
    """
    if highest is None:
        return group_generation
    life, last = divmod(highest, 1 << _GROUP_BITS)
    return ((life if group_generation > last else life + 1) << _GROUP_BITS) + group_generation


def encode_accounts(accounts: list[bytes]) -> bytes:
    """Packed accounts as the body of a page."""
    return bytes(cramjam.zstd.compress(_encode(accounts), _LEVEL))


def decode_accounts(body: bytes) -> list[bytes]:
    """The accounts of a page, in the order in which they joined it."""
    return _decode_accounts.decode(cramjam.zstd.decompress(body))


def page_records(version: PageVersion, context: Context, body: bytes) -> Iterator[ChangelogRecord]:
    """The records of one version of a page, part after part."""
    for part in range(version.parts):
        piece = body[part * PART_BYTES : (part + 1) * PART_BYTES]
        value = Part(STATE_VERSION, context, version.accounts, part, version.parts, piece)
        key = PageKey(version.number, version.writer, version.slot, part)
        yield ChangelogRecord(key.encode(), _encode(value))


def keys_of(version: PageVersion) -> list[bytes]:
    """The keys of the records of one version of a page."""
    number, writer, slot = version.number, version.writer, version.slot
    return [PageKey(number, writer, slot, part).encode() for part in range(version.parts)]


def manifest_record(generation: int, manifest: Manifest) -> ChangelogRecord:
    """The manifest of a generation, to be written after every page that it names."""
    body = bytes(cramjam.zstd.compress(_encode(manifest), _LEVEL))
    return ChangelogRecord(manifest_key(generation), _encode(_Envelope(STATE_VERSION, body)))


def manifest_key(generation: int) -> bytes:
    """The key of the manifest of a generation."""
    return _MANIFEST + b"%d" % generation


def manifest_generation(key: bytes) -> int | None:
    """The generation whose manifest has this key, None if it is no manifest's."""
    generation = key.removeprefix(_MANIFEST)
    return int(generation) if key != generation and generation.isdigit() else None


def is_written_by(key: bytes, generation: int) -> bool:
    """Whether it is the key of a record that this generation writes."""
    page = PageKey.decode(key)
    return (page.writer if page else manifest_generation(key)) == generation


def decode_part(value: bytes) -> Part:
    """A part of a page. Raises `StateError` for another version."""
    check_version(value)
    return _decode_part.decode(value)


def decode_manifest(value: bytes) -> Manifest:
    """A manifest. Raises `StateError` for another version."""
    check_version(value)
    body = _decode_envelope.decode(value).body
    return _decode_manifest.decode(cramjam.zstd.decompress(body))


def check_version(value: bytes) -> None:
    """Raise `StateError` where a record was written in another version."""
    try:
        version = _head.decode(value)[0]
    except (msgspec.DecodeError, IndexError):
        version = "1 or 2"  # whose manifests had another form
    if version not in (STATE_VERSION, WITHOUT_RENAMES, WITHOUT_TOMBSTONES):
        raise StateError(
            f"the state was written in version {version}, this pulse reads {STATE_VERSION}",
            hint="run the pulse that wrote it, or delete the changelog topic and the consumer "
            "group's offsets, and count again from the events that are kept",
        )
