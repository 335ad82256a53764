"""One line → state: check it, place it, know it if it was there before, count it.

All that a line can be refused for is read before anything changes, so an event is counted whole or
not at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from librt.strings import read_i64_le
from xxhash import xxh3_64_digest, xxh3_64_intdigest

from pulse.engagement.account import Account
from pulse.engagement.days import DAY_MS, HOUR_MS, MINUTE_MS, NO_INSTANT, Calendar, day_of
from pulse.engagement.facts import BILLING, STEP, FactLog
from pulse.engagement.line import zone_of
from pulse.engagement.load import LoadMark
from pulse.engagement.patching import Ways, patch
from pulse.engagement.sources import KEY_MASK
from pulse.engagement.usage import BadUsageError, Said, UsageReader
from pulse.engine.admission import (
    FUTURE_MS,
    LATE_MS,
    MisplacedError,
    RenamedError,
    check_id,
    check_names,
    check_time,
    instant,
    profile_fields,
)
from pulse.engine.columns import FIRST_PIECE, LOAD_HEADER
from pulse.engine.timekeeper import AHEAD_MS, DUPLICATE_MS, GRACE_MS, Timekeeper, forget_seen
from pulse.model.wire import MAX_TS_MS, Decoder, Line, said

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulse.engine.columns import Columns
    from pulse.engine.policy import Policy
    from pulse.engine.state import Effects, Page, PartitionState

_MOST_SOURCES: Final = 1_000
_MOST_PATCHES: Final = 16
"""An account with more events than that since it was folded is worth unpacking."""
_MOST_FORWARDED: Final = 10_000
"""Records handed on from elsewhere that are remembered: a worker that crashed hands on again what
it did in its last seconds."""


class Intake:
    """Takes lines into partition states by one policy.

    `place` gives an account's partition; None where there are no partitions. `has_headers` is said
    of the records at hand before their lines are taken: whether some have headers that matter to
    lines.
    """

    def __init__(
        self,
        policy: Policy,
        decoder: Decoder,
        time: Timekeeper,
        place: Callable[[str], int] | None,
    ) -> None:
        self.has_headers = False
        self.is_printable = False
        # As attributes: what is not compiled is found at once then.
        self._told = said
        self._digest = xxh3_64_digest
        self._place = place
        self._time = time
        self._timezone = policy.timezone
        self._usage = UsageReader(policy.usage, decoder)
        self._feature_field = decoder.field(policy.usage.feature) or ""
        self._value_field = decoder.field(policy.usage.value) or ""
        """Where the feature and the value stand in `properties`; empty if deeper."""
        self._get_feature = decoder.getter(policy.usage.feature)
        self._get_value = decoder.getter(policy.usage.value)
        self._sources: set[str] = set()
        """Sources that are known to be printable."""
        self._seeds: dict[str, int] = {}
        self._heard: set[str] = set()
        """The sources of the records at hand."""
        self._source = ""
        """The last line's, which is mostly also the next one's."""
        self._seed_now = 0
        self._key_now = 0
        self._activity = policy.activity
        self._dormant_after_ms: int = policy.lifecycle.dormant_after_ms
        self._ways = Ways(self._dormant_after_ms, DUPLICATE_MS, GRACE_MS, AHEAD_MS)

    def begin_run(self, is_printable: bool) -> None:
        """Lines come; whether it is known that all texts of theirs can be printed."""
        self.is_printable = is_printable
        self._heard = set()

    def end_run(self) -> set[str]:
        """They have come; from these sources."""
        self.is_printable = False
        return self._heard

    def take(
        self, state: PartitionState, columns: Columns, at: int, line: Line, fx: Effects
    ) -> None:
        """Count one line. Raises `BadUsageError` or `MisplacedError` before anything changes."""
        offset: int = columns.offsets[at]
        says: tuple[str, str, Any, str | None, str | None, str, str | None, Any, Any] = self._told(
            line
        )
        line_id, account_id, ts, event, user, source, kind, _, properties = says
        load = ""
        if self.has_headers and state.loads:
            load = _load_of(state, columns, at)
        if source != self._source or not self._heard:
            # Before anything is passed over: who reads it again is to hear the same.
            self._turn_to(source, load)
        if self.has_headers and at in columns.headers and not self.is_first(state, columns, at):
            fx.counts["duplicates"] += 1
            return
        now_ms = state.clock_ms
        is_profile = kind == "profile"
        account, folded = state.live.get(account_id), None
        if account is None:
            folded = state.folded.get(account_id)
            if folded is not None:
                if offset < state.guarded and offset < folded.page.guard:
                    fx.counts["skipped"] += 1
                    return
                if (
                    is_profile
                    or now_ms is None
                    or not self.is_printable
                    or folded.patches >= _MOST_PATCHES
                ):
                    account, folded = state.find(account_id), None
            elif state.forgotten:
                buried = state.tombstone_of(account_id)
                if buried is not None:
                    if buried.to and offset < buried.offset:
                        # It was counted before the account went.
                        fx.counts["skipped"] += 1
                        return
                    if not buried.to or state.is_user_forgotten(account_id, user, offset):
                        fx.counts["forgotten"] += 1
                        return
                    raise RenamedError(buried.to)
        else:
            if offset < state.guarded:
                home: Page = account.page
                if offset < home.guard:
                    fx.counts["skipped"] += 1
                    return
        at_ms = instant("ts", ts)
        clock = NO_INSTANT if now_ms is None else now_ms
        feature, weight, value = "", 0, 0
        facts: dict[str, Any] | None = None
        said: list[Said] | None = None
        if is_profile:
            user = None
        elif event is None:
            raise BadUsageError("wrong_shape", "neither `event` nor `type: profile`")
        if not self.is_printable:
            if not line_id.isprintable() or source not in self._sources:
                self._check_id(line_id, source)
            # What the account has taken before was printable then.
            if account is None or (user is not None and not account.users.holds(user)):
                check_names(account_id, user)
        if not 0 <= clock - LATE_MS <= at_ms <= clock + FUTURE_MS <= MAX_TS_MS:
            check_time(at_ms, now_ms, columns.timestamps[at])
        if (
            account is None
            and folded is None
            and self._place is not None
            and self._place(account_id) != state.partition
        ):
            raise MisplacedError
        # Read before anything changes: an event is counted whole or not at all.
        if is_profile:
            facts = profile_fields(line)
        else:
            if self._usage.has_ignore_rules and self._usage.ignores(line):
                fx.counts["ignored"] += 1
                return
            name, amount = self._feature_field, self._value_field
            feature, weight, value = self._usage.read(
                event or "",
                getattr(properties, name) if name else self._get_feature(line),
                getattr(properties, amount) if amount else self._get_value(line),
                is_printable=self.is_printable,
            )
            if not weight or self._usage.says_something:
                said = self._usage.facts(event or "", line)

        key = read_i64_le(self._digest(line_id.encode(), self._seed_now), 0)
        if folded is not None:
            if weight and value >= 0 and said is None and not load:
                present = patch(
                    folded.present, folded.past, folded.soon_at, key, clock, at_ms, weight, value,
                    user, feature, self._key_now, self._ways,
                )  # fmt: skip
                if present is not None:
                    state.patch(account_id, folded, present)
                    return
            account = state.find(account_id)
        if (
            user is not None
            and state.forgets_users
            and (account is None or not account.users.holds(user))
            and state.is_user_forgotten(account_id, user, offset)
        ):
            fx.counts["forgotten"] += 1
            return
        if account is None:
            account = self._new_account(state, account_id, at_ms, offset)
        account.used = True
        page: Page = account.page
        if (
            account.forget_ms
            and clock >= account.forget_ms
            and forget_seen(account, clock, state.first_tick_ms or 0)
        ):
            page.dirty = True
        # First the longer memory: what it knows counts from when it came first.
        if said is not None and _is_repeat(state, account, said, key):
            page.dirty = True
            fx.counts["duplicates"] += 1
            return
        if not account.seen.add(key, 0 if now_ms is None else clock):
            fx.counts["duplicates"] += 1
            return
        if not account.forget_ms:
            account.forget_ms = 1 if now_ms is None else clock + DUPLICATE_MS

        minute_ms = at_ms - at_ms % MINUTE_MS
        self._time.advance(state, account, minute_ms, fx)
        closed_ms = account.front_ms
        if closed_ms + MINUTE_MS <= clock - GRACE_MS:
            closed_ms = (clock - GRACE_MS) // MINUTE_MS * MINUTE_MS
        if minute_ms < closed_ms:
            late_ms = closed_ms - at_ms
            fx.counts[
                "late_minutes" if late_ms < HOUR_MS
                else "late_hours" if late_ms < DAY_MS
                else "late_days"
            ] += 1  # fmt: skip
            # A late event changes no past evaluation; it counts at the close of the minute at hand.
            minute_ms = closed_ms
        account.front_ms = account.open_ms = minute_ms
        if load:
            _mark(account, load)

        if facts is None:
            if weight:
                self._count(account, at_ms, weight, value, user, feature)
                account.sources.see(self._key_now)
            elif said is None:
                fx.counts["weightless"] += 1
            if said is not None:
                if not weight:
                    fx.counts["facts"] += 1
                for each in said:
                    self._say(account, each, at_ms, line_id)
        else:
            fx.counts["profiles"] += 1
            if account.merge(at_ms, line_id, facts):
                account.force = True
        state.touch(account)
        self._time.schedule(state, account)

    def is_first(self, state: PartitionState, columns: Columns, at: int) -> bool:
        """Whether a record was not handed on before, however long ago by the log's clock."""
        origin = columns.origin(at)
        if origin is None:
            return True
        arrived, forwarded = columns.offsets[at], state.forwarded
        known = forwarded.get(origin)
        if known is not None:
            return known == arrived
        if len(forwarded) >= _MOST_FORWARDED:
            _forget_oldest(forwarded)
        forwarded[origin] = arrived
        return True

    def _turn_to(self, source: str, load: str) -> None:
        """Lines of this source come now; what is loaded says nothing of whether it runs."""
        if not load:
            self._heard.add(source)
        seed = self._seeds.get(source)
        if seed is None:
            if len(self._seeds) >= _MOST_SOURCES:
                self._seeds.clear()
            # It makes one id of two sources two.
            seed = self._seeds[source] = xxh3_64_intdigest(source.encode())
        self._source, self._seed_now, self._key_now = source, seed, seed & KEY_MASK
        if load:
            self._source = ""

    def _check_id(self, line_id: str, source: str) -> None:
        check_id(line_id, source)
        if len(self._sources) >= _MOST_SOURCES:
            self._sources.clear()
        self._sources.add(source)

    def _count(
        self, account: Account, at_ms: int, weight: int, value: int, user: str | None, feature: str
    ) -> None:
        last_ms, minute_ms = account.last_ms, at_ms - at_ms % MINUTE_MS
        if last_ms != NO_INSTANT and minute_ms - last_ms >= self._dormant_after_ms:
            account.resurrected_ms = minute_ms
            found = zone_of(account.danger, account.approach)
            if found != "healthy" and found not in account.alerts:
                # It had left, which ended its alerts. It begins again: what was found before says
                # nothing now.
                account.danger.reset()
                account.approach.reset()
                account.force = True
        if value < 0:
            account.force = True
        account.add(at_ms, weight, value, user, feature, self._activity)

    def _say(self, account: Account, said: Said, at_ms: int, line_id: str) -> None:
        known = account.facts
        if said.matter.startswith(STEP) and known is not None and known.word(said.matter):
            return  # reached once is reached
        if account.say(said.matter, at_ms, line_id, said.value):
            account.force = True

    def _new_account(
        self, state: PartitionState, account_id: str, at_ms: int, offset: int
    ) -> Account:
        timezone = self._timezone
        clock = state.clock_ms
        now_ms = at_ms if clock is None else max(at_ms, clock - GRACE_MS)
        account = Account(account_id, Calendar(timezone, day_of(now_ms, timezone)))
        state.adopt(account, state.page_for_new(offset))
        return account


def _load_of(state: PartitionState, columns: Columns, at: int) -> str:
    """The load that a record is of, if it goes on; else empty."""
    name = columns.header(at, LOAD_HEADER)
    load = "" if name is None else name.decode(errors="replace")
    return load if load in state.loads else ""


def _mark(account: Account, load: str) -> None:
    """Note that a load touches an account, which was brought up to what is due before."""
    if account.load is None:
        account.load = LoadMark(load)
    else:
        account.load.touch(load)


def _forget_oldest(forwarded: dict[tuple[int, int, int], int]) -> None:
    """Forget where an event came from. What a renamed account left, which has no line, stays: it
    would be counted twice, where an event would be known by its id.
    """
    for _ in range(len(forwarded)):
        oldest = next(iter(forwarded))
        arrived = forwarded.pop(oldest)
        if oldest[2] < FIRST_PIECE:
            return
        forwarded[oldest] = arrived


def _is_repeat(state: PartitionState, account: Account, said: list[Said], key: int) -> bool:
    """Whether a billing fact came before, longer ago than other records are remembered."""
    if said[0].matter not in BILLING:
        return False
    if account.facts is None:
        account.facts = FactLog()
    return account.facts.is_repeat(key, state.clock_ms or 0, state.first_tick_ms or 0)
