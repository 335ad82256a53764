"""Records in log order → state and effects.

Results are a function of the log alone. How records were batched, when a worker restarted and how
much work a tick left for later change nothing, because an account is brought up to the log's
clock before a record touches it, and everything due is worked off in the order of time.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any

from xxhash import xxh3_64_intdigest

from pulse.engagement.account import Account
from pulse.engagement.days import DAY_MS, MINUTE_MS, day_of, to_ms
from pulse.engagement.line import zone_of
from pulse.engagement.measures import readable
from pulse.engagement.packing import pack, unpack
from pulse.engagement.usage import BadUsageError, UsageReader
from pulse.engine.admission import (
    LATE_MS,
    MisplacedError,
    check_id,
    check_names,
    check_time,
    profile_fields,
)
from pulse.engine.columns import FORWARDED_HEADER, Columns
from pulse.engine.control import CONTROL_HEADER, tick_time
from pulse.engine.evaluate import Evaluator
from pulse.engine.state import DeadLetter, Effects, Misplaced, Page, PartitionState
from pulse.engine.timekeeper import GRACE_MS, LEAST_SLICE, Timekeeper, forget_seen
from pulse.model.time import format_ms
from pulse.model.wire import MAX_TS_MS, BadLine, Decoder, Entry, Line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pulse.engine.columns import LogRecord
    from pulse.engine.policy import Policy
    from pulse.model.alert import Alert

TICK_AHEAD_MS = 5_000
"""A tick further ahead of the broker's append time is refused."""

_HOUR_MS = 3_600_000
_MOST_SOURCES = 1_000
_MOST_FORWARDED = 10_000
"""Events handed on from elsewhere that are remembered: a worker that crashed hands on again what
it did in its last seconds."""


class Engine:
    """Applies records to partition states by one policy.

    `place` gives an account's partition; None where there are no partitions. `least_slice` is how
    many day starts a tick works off at least; it changes no result.
    """

    def __init__(
        self,
        policy: Policy,
        place: Callable[[str], int] | None = None,
        *,
        least_slice: int = LEAST_SLICE,
    ) -> None:
        self.policy = policy
        self._place = place
        self._decoder = Decoder(policy.usage.paths())
        self._usage = UsageReader(policy.usage, self._decoder)
        self._read = self._decoder.reader(policy.usage.feature, policy.usage.value)
        self._sources: set[str] = set()
        """Sources that are known to be printable."""
        self._no_features: dict[str, int] = {}
        self._activity = policy.activity
        self._dormant_after_ms: int = policy.lifecycle.dormant_after_ms
        self._evaluator = Evaluator(policy)
        self._time = Timekeeper(policy, self._evaluator, least_slice)

    def partition_of(self, account_id: str) -> int | None:
        """The account's partition; None where there are none."""
        return None if self._place is None else self._place(account_id)

    # -- records -------------------------------------------------------------------------------

    def apply(self, state: PartitionState, records: Iterable[LogRecord]) -> Effects:
        """Apply records in log order; the state is changed in place.

        Records before `state.position` are skipped: an account may not be known because its lines
        were refused, and by a later clock they would not be.
        """
        return self.apply_columns(state, Columns.of(records))

    def apply_columns(self, state: PartitionState, columns: Columns) -> Effects:
        """`apply` for records that come by column, as a fetch gives them."""
        fx = Effects()
        offsets = columns.offsets
        start = bisect_left(offsets, state.position)
        if start:
            fx.counts["skipped"] += start
        for at in sorted(columns.headers):
            if at >= start:
                kind = columns.header(at, CONTROL_HEADER)
                if kind is not None:
                    self._apply_run(state, columns, start, at, fx)
                    self._apply_control(state, kind, columns.values[at], columns.timestamps[at], fx)
                    start = at + 1
        self._apply_run(state, columns, start, len(offsets), fx)
        if offsets and offsets[-1] >= state.position:
            state.position = offsets[-1] + 1
        state.fold_idle()
        return fx

    def tick(self, state: PartitionState, at_ms: int, fx: Effects) -> None:
        """It is `at_ms`, as a tick record says it."""
        self._time.tick(state, at_ms, fx)

    def settle(self, state: PartitionState) -> list[Alert]:
        """Work off everything that the last tick left for later; for an end or a comparison."""
        fx = Effects()
        self._time.work_off(state, fx, limit=None)
        return fx.alerts

    def _apply_run(
        self, state: PartitionState, columns: Columns, start: int, until: int, fx: Effects
    ) -> None:
        """Apply the records at `start` up to `until`, none of which is a control record."""
        if start == until:
            return
        values = [value or b"" for value in columns.values[start:until]]
        lines = self._decoder.decode_lines(values)
        if lines is None:
            stripped = [value.rstrip(b"\n") for value in values]
            if stripped != values:
                lines = self._decoder.decode_lines(stripped)
                if lines is not None:
                    values = stripped
        if lines is None:
            for at, value in enumerate(values, start):
                self._apply_entries(state, columns, at, self._decoder.decode_record(value), fx)
            return
        fx.counts["events"] += len(lines)
        if len(lines) == len(values):
            for n, line in enumerate(lines):
                try:
                    self._apply_line(state, columns, start + n, line, fx)
                except (BadUsageError, MisplacedError):
                    self._apply_or_refuse(state, columns, start + n, Entry(1, values[n], line), fx)
            return
        n = 0
        for at, value in enumerate(values, start):
            first = n
            end = n + value.count(b"\n") + 1
            while n < end:
                line = lines[n]
                n += 1
                try:
                    self._apply_line(state, columns, at, line, fx)
                except (BadUsageError, MisplacedError):
                    raw = value.split(b"\n")[n - 1 - first]
                    self._apply_or_refuse(state, columns, at, Entry(n - first, raw, line), fx)

    def _apply_entries(
        self,
        state: PartitionState,
        columns: Columns,
        at: int,
        entries: list[Entry],
        fx: Effects,
    ) -> None:
        fx.counts["events"] += len(entries)
        for entry in entries:
            if isinstance(entry.line, BadLine):
                self._refuse(state, columns.offsets[at], entry, entry.line, fx)
            else:
                self._apply_or_refuse(state, columns, at, entry, fx)

    def _apply_or_refuse(
        self, state: PartitionState, columns: Columns, at: int, entry: Entry, fx: Effects
    ) -> None:
        line: Any = entry.line
        try:
            self._apply_line(state, columns, at, line, fx)
        except BadUsageError as bad:
            self._refuse(state, columns.offsets[at], entry, BadLine(bad.reason, bad.detail), fx)
        except MisplacedError:
            self._hand_on(state, columns, at, entry, line, fx)

    def _apply_line(
        self, state: PartitionState, columns: Columns, at: int, line: Line, fx: Effects
    ) -> None:
        """Count one line. Raises `BadUsageError` or `MisplacedError` before anything changes."""
        offset: int = columns.offsets[at]
        if at in columns.headers and not self._is_first(state, columns, at):
            fx.counts["duplicates"] += 1
            return
        account_id, ts, user, kind, line_id, source, event, said, said_value = self._read(line)
        account = state.live.get(account_id)
        if account is None:
            folded = state.folded.get(account_id)
            if folded is not None:
                if offset < folded.page.guard:
                    fx.counts["skipped"] += 1
                    return
                account = state.find(account_id)
        elif offset < account.page.guard:
            fx.counts["skipped"] += 1
            return
        at_ms = to_ms(ts)
        clock = state.clock_ms
        feature, weight, value = "", 0, 0
        facts: dict[str, Any] | None = None
        is_profile = kind == "profile"
        if is_profile:
            user = None
        elif event is None:
            raise BadUsageError("wrong_shape", "neither `event` nor `type: profile`")
        if not line_id.isprintable() or source not in self._sources:
            self._check_id(line_id, source)
        # What the account has taken before was printable then.
        if account is None or (user is not None and user not in account.users.days):
            check_names(account_id, user)
        if clock is None or at_ms > clock or at_ms < clock - LATE_MS or at_ms < 0:
            check_time(at_ms, clock, columns.timestamps[at])
        if (
            account is None
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
            features = self._no_features if account is None else account.features.days
            feature, weight, value = self._usage.read(event or "", said, said_value, features)

        if account is None:
            account = self._new_account(state, account_id, at_ms, offset)
        account.used = True
        key: int = xxh3_64_intdigest((source + "\0" + line_id).encode())
        seen = account.seen
        if seen:
            if (
                clock is not None
                and clock >= account.forget_ms
                and forget_seen(account, clock, state.first_tick_ms or 0)
            ):
                account.page.dirty = True
            if key in seen:
                fx.counts["duplicates"] += 1
                return
        seen[key] = 0 if clock is None else clock

        minute_ms = at_ms - at_ms % MINUTE_MS
        self._time.advance(state, account, minute_ms, fx)
        closed_ms = account.front_ms
        if clock is not None and closed_ms + MINUTE_MS <= clock - GRACE_MS:
            closed_ms = (clock - GRACE_MS) // MINUTE_MS * MINUTE_MS
        if minute_ms < closed_ms:
            late_ms = closed_ms - at_ms
            fx.counts[
                "late_minutes" if late_ms < _HOUR_MS
                else "late_hours" if late_ms < DAY_MS
                else "late_days"
            ] += 1  # fmt: skip
            # A late event changes no past evaluation; it counts at the close of the minute at hand.
            minute_ms = closed_ms
        account.front_ms = account.open_ms = minute_ms

        if facts is None:
            if weight:
                self._count(account, at_ms, weight, value, user, feature)
            else:
                fx.counts["weightless"] += 1
        else:
            fx.counts["profiles"] += 1
            for field, fact in facts.items():
                if account.merge(field, at_ms, line_id, fact):
                    account.force = True
        account.page.dirty = True
        state.touched.add(account_id)
        self._time.schedule(state, account)

    def _is_first(self, state: PartitionState, columns: Columns, at: int) -> bool:
        """Whether a record was not handed on before, however long ago by the log's clock."""
        origin = columns.origin(at)
        if origin is None:
            return True
        arrived, forwarded = columns.offsets[at], state.forwarded
        known = forwarded.get(origin)
        if known is not None:
            return known == arrived
        if len(forwarded) >= _MOST_FORWARDED:
            del forwarded[next(iter(forwarded))]
        forwarded[origin] = arrived
        return True

    def _check_id(self, line_id: str, source: str) -> None:
        check_id(line_id, source)
        if len(self._sources) >= _MOST_SOURCES:
            self._sources.clear()
        self._sources.add(source)

    def _count(
        self, account: Account, at_ms: int, weight: int, value: int, user: str | None, feature: str
    ) -> None:
        last_ms, minute_ms = account.last_ms, at_ms - at_ms % MINUTE_MS
        if last_ms is not None and minute_ms - last_ms >= self._dormant_after_ms:
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

    def _new_account(
        self, state: PartitionState, account_id: str, at_ms: int, offset: int
    ) -> Account:
        timezone = self.policy.timezone
        clock = state.clock_ms
        now_ms = at_ms if clock is None else max(at_ms, clock - GRACE_MS)
        account = Account(account_id, timezone, day_of(now_ms, timezone))
        state.adopt(account, state.page_for_new(offset))
        return account

    def _hand_on(
        self,
        state: PartitionState,
        columns: Columns,
        at: int,
        entry: Entry,
        line: Line,
        fx: Effects,
    ) -> None:
        offset = columns.offsets[at]
        if columns.header(at, FORWARDED_HEADER) is not None:
            detail = "handed on once already and still in the wrong partition"
            self._refuse(state, offset, entry, BadLine("misplaced", detail), fx)
        elif offset < state.settled:
            fx.counts["skipped"] += 1
        else:
            fx.counts["misplaced"] += 1
            fx.misplaced.append(Misplaced(offset, entry.number, entry.raw, line.account_id))

    def _refuse(
        self, state: PartitionState, offset: int, entry: Entry, why: BadLine, fx: Effects
    ) -> None:
        if offset < state.settled:
            fx.counts["skipped"] += 1
        else:
            fx.dead_letters.append(DeadLetter(offset, entry.number, entry.raw, *why))

    # -- time ----------------------------------------------------------------------------------

    def _apply_control(
        self,
        state: PartitionState,
        kind: bytes,
        value: bytes | None,
        appended_ms: int | None,
        fx: Effects,
    ) -> None:
        if kind == b"tick":
            ts = tick_time(value or b"")
            if ts is None or not 0 <= ts <= _latest_tick_ms(appended_ms):
                fx.counts["ticks_refused"] += 1
            else:
                self.tick(state, ts, fx)
        elif kind in (b"history", b"live"):
            # What was due before belongs to what was before, also where a tick left it for later.
            self._time.work_off(state, fx, limit=None)
            state.historical = kind == b"history"
        else:
            fx.counts["unknown_control"] += 1

    def restore(self, state: PartitionState, page: Page, packed: bytes) -> None:
        """Put a packed account into a page, and schedule it."""
        self._time.schedule_packed(state, page, packed)

    # -- seen from outside ---------------------------------------------------------------------

    def status(self, account: Account, as_of_ms: int) -> dict[str, Any]:
        """The account as of an instant not before its last record: a line of `--accounts-out`.

        Everything due by then is taken as done, also what waits for a tick; the account itself
        does not change.
        """
        if self._time.due_ms(account) <= as_of_ms:
            account = self._copy_as_of(account, as_of_ms)
        view = self._evaluator.view(account, as_of_ms)
        score, contributions = view.score()
        status: dict[str, Any] = {
            "account_id": account.account_id,
            "as_of": format_ms(as_of_ms),
            "last_active_at": None if account.last_ms is None else format_ms(account.last_ms),
            "lifecycle": view.lifecycle,
            "zone": account.zone,
            "score": None if score is None else round(score, 2),
            "contributions": {n: round(p, 2) for n, p in contributions.items()},
            "measures": readable(view.now),
            "line": {
                "enter": view.rules.line.enter,
                "exit": view.rules.line.exit,
                "approach": view.rules.line.approach,
            },
        }
        approximate = account.approximate()
        if approximate:
            status["approximate"] = approximate
        return status

    def _copy_as_of(self, account: Account, at_ms: int) -> Account:
        copy = unpack(pack(account))
        state = PartitionState()
        state.adopt(copy, state.page_for_new(0))
        self._time.advance(state, copy, at_ms, Effects())
        return copy


def _latest_tick_ms(appended_ms: int | None) -> int:
    if appended_ms is None or appended_ms < 0:
        return MAX_TS_MS
    return min(appended_ms + TICK_AHEAD_MS, MAX_TS_MS)
