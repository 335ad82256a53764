"""Accounts into the partitions that are theirs by another number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulse.engagement.days import NO_INSTANT
from pulse.engagement.packing import pack, split, unpack
from pulse.engagement.recent import RecentIds
from pulse.engine.timekeeper import DUPLICATE_MS
from pulse.engine.tombstones import Tombstone, tombstone_key
from pulse.placement import partition_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pulse.engine import Engine, PartitionState
    from pulse.stream.state.pages import Context

BEFORE_ALL = 0
"""The offset of tombstones: what comes in the new log comes behind them."""


def move(
    engine: Engine,
    olds: Sequence[PartitionState],
    context: Context,
    news: Sequence[PartitionState],
) -> None:
    """Fill empty states, by number, with the accounts and tombstones of others.

    `context` is what `merging.merged` makes of these. The bytes of an account stay as they are
    where its partition went by the clock that is now everybody's. The olds are not changed.
    """
    for new in news:
        context.put(new)
    for old in olds:
        for account_id, packed in _accounts(old, context):
            new = news[partition_of(account_id, len(news))]
            page = new.page_for_new(new.position)
            engine.restore(new, page, packed)
            page.size_bytes += len(packed)
    living = {tombstone_key(name, None) for new in news for name in new.ids()}
    stones = tombstones(olds, living)
    # A tombstone has no name by which it could be placed, and harms nobody where it is not needed.
    for new in news:
        for key in sorted(stones):
            new.bury(key, stones[key], new.page_for_new(new.position))


def tombstones(olds: Iterable[PartitionState], living: set[str]) -> dict[str, Tombstone]:
    """All that is known of who was forgotten or renamed, for a log that begins after it.

    Of several, that of an erasure holds, else the latest. `living` are the keys of the accounts
    that there are: one that was renamed and came back may have left its tombstone elsewhere, where
    this was done before.
    """
    found: dict[str, Tombstone] = {}
    for old in olds:
        for key, stone in old.forgotten.items():
            if stone.to and key in living:
                continue
            known = found.get(key)
            if known is None or _weight(stone) > _weight(known):
                found[key] = Tombstone(BEFORE_ALL, stone.at_ms, stone.to)
    return found


def _weight(stone: Tombstone) -> tuple[bool, int, str]:
    return not stone.to, stone.at_ms, stone.to


def _accounts(old: PartitionState, context: Context) -> Iterator[tuple[str, bytes]]:
    """Each account as bytes that are right by the common clock."""
    same_clock = old.first_tick_ms == context.first_tick_ms
    same_word = old.told_ms == context.told_ms
    for page in old.pages:
        for account_id in page.accounts:
            if account_id in old.forgotten:
                continue
            if same_clock and same_word:
                yield account_id, old.packed(account_id)
            else:
                yield account_id, _by_another_clock(old, account_id, context)


def _by_another_clock(old: PartitionState, account_id: str, context: Context) -> bytes:
    account = unpack(*split(old.packed(account_id)))
    if account.moved_ms != NO_INSTANT and account.moved_ms <= old.told_ms:
        account.moved_ms = NO_INSTANT  # it was told
    if old.first_tick_ms != context.first_tick_ms:
        # What came before the first tick there: when that was, here.
        began_ms = old.first_tick_ms or context.clock_ms or 0
        seen = RecentIds()
        seen.unite(account.seen, began_ms, 0)
        account.seen = seen
        if account.facts is not None:
            account.facts.go_by(began_ms, 0)
        if len(seen):
            account.forget_ms = seen.oldest_ms(context.first_tick_ms or 0) + DUPLICATE_MS
    return pack(account).joined()
