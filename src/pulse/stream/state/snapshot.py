"""Reading state back: the changelog of a partition, and the pages that its manifest names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pulse.engine import Page
from pulse.stream.state.pages import (
    Manifest,
    PageKey,
    PageVersion,
    Part,
    StateError,
    check_version,
    decode_accounts,
    decode_manifest,
    decode_part,
    manifest_generation,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulse.engine import Engine, PartitionState

_FORMER_MANIFEST = b"manifest"
"""Key of the manifest before state version 3."""


@dataclass
class Restored:
    """What was read back, for who writes on: each page as it stands in the changelog."""

    versions: dict[int, PageVersion] = field(default_factory=dict)
    """By the number of the page."""
    replaced: dict[int, list[bytes]] = field(default_factory=dict)
    """The keys that nobody needs once the page stands under another writer's."""
    garbage: list[bytes] = field(default_factory=list)
    """The keys that nobody needs."""
    behind: int = 0
    """Pages that hold less than the manifest says."""
    until: int = 0
    """The offset up to which the input was applied, wherever it must be read on from."""


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

    @property
    def generation(self) -> int | None:
        """The highest generation that has a manifest."""
        found = (manifest_generation(key) for key in self._values)
        return max((each for each in found if each is not None), default=None)

    def manifest(self, partitions: int) -> Manifest | None:
        """The manifest that holds, None if the partition has no state yet.

        Raises `StateError` for a version, or a number of partitions, that is not ours.
        """
        highest = self.generation
        if highest is None:
            if _FORMER_MANIFEST in self._values:
                check_version(self._values[_FORMER_MANIFEST])
            return None
        manifest = decode_manifest(self._values[b"manifest/%d" % highest])
        if manifest.partitions != partitions:
            raise StateError(
                f"the state was made with {manifest.partitions} partitions, "
                f"the events topic has {partitions}",
                hint="the number of partitions is fixed when the topic is made; "
                "go back to it; `pulse repartition` rewrites the state for another",
            )
        return manifest

    def restore(self, engine: Engine, state: PartitionState, manifest: Manifest) -> Restored:
        """Fill an empty state; `state.position` is where the input must be read on from."""
        restored, read_on = Restored(), manifest.read_on
        by_page = self._keys_by_page()
        needed: set[bytes] = set()
        for named in sorted(manifest.pages, key=lambda page: page.number):
            keys = by_page.get((named.number, named.writer), {})
            parts, slot = self._furthest(named, keys)
            context = parts[0].context
            if context.offset < named.applied:
                restored.behind += 1
                read_on = min(read_on, context, key=lambda each: each.offset)
            page = Page(named.number, context.offset)
            state.next_page = named.number + 1
            state.pages.append(page)
            body = b"".join(part.body for part in parts)
            page.size_bytes = len(body)
            accounts = decode_accounts(body)[: named.accounts]
            for packed in accounts:
                engine.restore(state, page, packed)
            restored.versions[page.number] = PageVersion(
                named.number, named.writer, context.offset, slot, parts[0].parts, len(accounts)
            )  # fmt: skip
            restored.replaced[page.number] = [
                key.encode() for each in keys.values() for key in each
            ]
            # A crash kept a former version from being deleted. Whoever wrote it may write still, so
            # the page is written anew, and then they all go.
            page.dirty = len(restored.replaced[page.number]) > parts[0].parts
            needed.update(restored.replaced[page.number])
        restored.garbage = [key for key in self._values if key not in needed]
        read_on.put(state)
        # What arrived later arrives again.
        state.forwarded = {
            (partition, offset, line): arrived
            for partition, offset, line, arrived in manifest.forwarded
            if arrived < read_on.offset
        }
        state.settled = max(manifest.position, state.position)
        restored.until = max([state.settled, *(page.guard for page in state.pages)])
        return restored

    def _keys_by_page(self) -> dict[tuple[int, int], dict[int, list[PageKey]]]:
        """The keys of each (number, writer) by slot."""
        found: dict[tuple[int, int], dict[int, list[PageKey]]] = {}
        for key in map(PageKey.decode, self._values):
            if key is not None:
                found.setdefault(key[:2], {}).setdefault(key.slot, []).append(key)
        return found

    def _furthest(
        self, named: PageVersion, keys: dict[int, list[PageKey]]
    ) -> tuple[list[Part], int]:
        """The parts of the version that holds most of the log, and its slot."""
        found: tuple[list[Part], int] | None = None
        for slot in keys:
            parts = list(self._whole(sorted(keys[slot])))
            if parts and (found is None or parts[0].context.offset > found[0][0].context.offset):
                found = parts, slot
        if found is None:
            raise StateError(
                f"page {named.number} of the state is missing from the changelog",
                hint="delete the changelog topic and the consumer group's offsets, and count "
                "again from the events that are kept",
            )
        return found

    def _whole(self, keys: list[PageKey]) -> Iterator[Part]:
        """The parts of one slot, none if they are not those of one version."""
        parts = [decode_part(self._values[key.encode()]) for key in keys]
        first = parts[0]
        same = [p for p in parts[: first.parts] if p.context == first.context]
        if [p.part for p in same] == list(range(first.parts)):
            yield from same
