"""Records in log order → state and effects.

Results are a function of the log alone. How records were batched, when a worker restarted and how
much work a tick left for later change nothing, because an account is brought up to the log's
clock before a record touches it, and everything due is worked off in the order of time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from xxhash import xxh3_64_intdigest

from pulse.engagement.account import Account
from pulse.engagement.days import DAY_MS, MINUTE_MS, day_of
from pulse.engagement.line import zone_of
from pulse.engagement.measures import readable
from pulse.engagement.packing import pack, unpack
from pulse.engagement.usage import BadUsageError, UsageReader
from pulse.engine.admission import check_texts, check_time, profile_fields
from pulse.engine.evaluate import Evaluator
from pulse.engine.state import DeadLetter, Effects, Misplaced, Page, PartitionState
from pulse.engine.timekeeper import GRACE_MS, LEAST_SLICE, Timekeeper, forget_seen
from pulse.model.time import format_ms
from pulse.model.wire import MAX_TS_MS, BadLine, Decoder, Entry, Line, to_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pulse.engine.policy import Policy
    from pulse.model.alert import Alert

CONTROL_HEADER = "pulse-control"
"""Header that marks a control record; its value is the kind (`tick`, `history`, `live`)."""

FORWARDED_HEADER = "pulse-forwarded-from"
"""Header of an event that was handed to another partition: where it came from."""

TICK_AHEAD_MS = 5_000
"""A tick further ahead of the broker's append time is refused."""

_HOUR_MS = 3_600_000


class LogRecord(Protocol):
    """A record of the events topic, as Kafka clients give it and as a replay makes it."""

    @property
    def offset(self) -> int: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...
    @property
    def timestamp(self) -> int | None:
        """When the broker appended it, in ms; None or negative if it does not say."""


class _Control(msgspec.Struct):
    ts: int | None = None


class _MisplacedError(Exception):
    """The line's account belongs to another partition."""


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
        self._evaluator = Evaluator(policy)
        self._time = Timekeeper(policy, self._evaluator, least_slice)
        self._control = msgspec.json.Decoder(_Control)

    def partition_of(self, account_id: str) -> int | None:
        """The account's partition; None where there are none."""
        return None if self._place is None else self._place(account_id)

    # -- records -------------------------------------------------------------------------------

    def apply(self, state: PartitionState, records: Iterable[LogRecord]) -> Effects:
        """Apply records in log order; the state is changed in place.

        Records before `state.position` are skipped: an account may not be known because its lines
        were refused, and by a later clock they would not be.
        """
        fx = Effects()
        run: list[LogRecord] = []
        position = state.position
        for record in records:
            if record.offset < position:
                fx.counts["skipped"] += 1
                continue
            position = record.offset + 1
            if record.headers:
                kind = _header(record, CONTROL_HEADER)
                if kind is not None:
                    self._apply_run(state, run, fx)
                    run = []
                    self._apply_control(state, kind, record, fx)
                    continue
            run.append(record)
        self._apply_run(state, run, fx)
        state.position = position
        return fx

    def tick(self, state: PartitionState, at_ms: int, fx: Effects) -> None:
        """It is `at_ms`, as a tick record says it."""
        self._time.tick(state, at_ms, fx)

    def settle(self, state: PartitionState) -> list[Alert]:
        """Work off everything that the last tick left for later; for an end or a comparison."""
        fx = Effects()
        self._time.work_off(state, fx, limit=None)
        return fx.alerts

    def _apply_run(self, state: PartitionState, run: list[LogRecord], fx: Effects) -> None:
        if not run:
            return
        values = [record.value or b"" for record in run]
        lines = self._decoder.decode_singles(values)
        if lines is not None:
            fx.counts["events"] += len(lines)
            for record, line in zip(run, lines, strict=True):
                try:
                    self._apply_line(state, record, line, fx)
                except (BadUsageError, _MisplacedError):
                    entry = Entry(1, record.value or b"", line)
                    self._apply_or_refuse(state, record, entry, line, fx)
            return
        for record, value in zip(run, values, strict=True):
            entries = self._decoder.decode_record(value)
            fx.counts["events"] += len(entries)
            for entry in entries:
                if isinstance(entry.line, BadLine):
                    self._refuse(state, record, entry, entry.line, fx)
                else:
                    self._apply_or_refuse(state, record, entry, entry.line, fx)

    def _apply_or_refuse(
        self, state: PartitionState, record: LogRecord, entry: Entry, line: Line, fx: Effects
    ) -> None:
        try:
            self._apply_line(state, record, line, fx)
        except BadUsageError as bad:
            self._refuse(state, record, entry, BadLine(bad.reason, bad.detail), fx)
        except _MisplacedError:
            self._hand_on(state, record, entry, line, fx)

    def _apply_line(
        self, state: PartitionState, record: LogRecord, line: Line, fx: Effects
    ) -> None:
        """Count one line. Raises `BadUsageError` or `_MisplacedError` before anything changes."""
        offset, counts = record.offset, fx.counts
        account = state.accounts.get(line.account_id)
        if account is not None and offset < account.page.guard:
            counts["skipped"] += 1
            return
        at_ms = to_ms(line.ts)
        is_profile = line.type == "profile"
        check_texts(line, is_new=account is None, is_profile=is_profile)
        check_time(at_ms, state.clock_ms, record.timestamp)
        if (
            account is None
            and self._place is not None
            and self._place(line.account_id) != state.partition
        ):
            raise _MisplacedError
        if self._usage.has_ignore_rules and not is_profile and self._usage.ignores(line):
            counts["ignored"] += 1
            return
        # Read before anything changes: an event is counted whole or not at all.
        usage = None if is_profile else self._usage.read(line)
        facts = profile_fields(line) if is_profile else None

        clock = state.clock_ms
        if account is None:
            account = self._new_account(state, line.account_id, at_ms, offset)
        key = xxh3_64_intdigest(f"{line.source}\0{line.id}".encode())
        if account.seen:
            forget_seen(account, state)
            if key in account.seen:
                counts["duplicates"] += 1
                return
        account.seen[key] = clock or 0

        minute_ms = at_ms - at_ms % MINUTE_MS
        self._time.advance(state, account, minute_ms, fx)
        closed_ms = account.front_ms
        if clock is not None:
            closed_ms = max(closed_ms, (clock - GRACE_MS) // MINUTE_MS * MINUTE_MS)
        if minute_ms < closed_ms:
            late_ms = closed_ms - at_ms
            counts[
                "late_minutes" if late_ms < _HOUR_MS
                else "late_hours" if late_ms < DAY_MS
                else "late_days"
            ] += 1  # fmt: skip
        # A late event changes no past evaluation; it counts at the close of the minute at hand.
        account.front_ms = account.open_ms = max(minute_ms, closed_ms)

        if usage is not None:
            if usage.weight:
                self._count(account, line, at_ms, usage.weight, usage.value, usage.feature)
            else:
                counts["weightless"] += 1
        elif facts is not None:
            counts["profiles"] += 1
            for field, value in facts.items():
                if account.merge(field, at_ms, line.id, value):
                    account.force = True
        state.touch(account)
        self._time.schedule(state, account)

    def _count(
        self, account: Account, line: Line, at_ms: int, weight: int, value: int, feature: str
    ) -> None:
        last_ms, minute_ms = account.last_ms, at_ms - at_ms % MINUTE_MS
        if last_ms is not None and minute_ms - last_ms >= self.policy.lifecycle.dormant_after_ms:
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
        account.add(at_ms, weight, value, line.user_id, feature, self.policy.activity)

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
        self, state: PartitionState, record: LogRecord, entry: Entry, line: Line, fx: Effects
    ) -> None:
        if _header(record, FORWARDED_HEADER) is not None:
            detail = "handed on once already and still in the wrong partition"
            self._refuse(state, record, entry, BadLine("misplaced", detail), fx)
        elif record.offset < state.settled:
            fx.counts["skipped"] += 1
        else:
            fx.counts["misplaced"] += 1
            fx.misplaced.append(Misplaced(record.offset, entry.number, entry.raw, line.account_id))

    def _refuse(
        self, state: PartitionState, record: LogRecord, entry: Entry, why: BadLine, fx: Effects
    ) -> None:
        if record.offset < state.settled:
            fx.counts["skipped"] += 1
        else:
            fx.dead_letters.append(DeadLetter(record.offset, entry.number, entry.raw, *why))

    # -- time ----------------------------------------------------------------------------------

    def _apply_control(
        self, state: PartitionState, kind: bytes, record: LogRecord, fx: Effects
    ) -> None:
        if kind == b"tick":
            try:
                ts = self._control.decode(record.value or b"").ts
            except (msgspec.DecodeError, UnicodeDecodeError):
                ts = None
            if ts is None or not 0 <= ts <= _latest_tick_ms(record):
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
        account = unpack(packed)
        state.adopt(account, page)
        self._time.schedule(state, account)

    # -- seen from outside ---------------------------------------------------------------------

    def status(self, account: Account, as_of_ms: int) -> dict[str, Any]:
        """The account as of an instant not before its last record: a line of `--accounts-out`.

        Everything due by then is taken as done, also what waits for a tick; the account itself
        does not change.
        """
        if self._time.due_ms(account) <= as_of_ms:
            account = self._copy_as_of(account, as_of_ms)
        view = self._evaluator.view(account, as_of_ms)
        score = view.score.value
        status: dict[str, Any] = {
            "account_id": account.account_id,
            "as_of": format_ms(as_of_ms),
            "last_active_at": None if account.last_ms is None else format_ms(account.last_ms),
            "lifecycle": view.lifecycle,
            "zone": account.zone,
            "score": None if score is None else round(score, 2),
            "contributions": {n: round(p, 2) for n, p in view.score.contributions.items()},
            "measures": readable(view.measures),
            "line": {
                "enter": view.line.enter,
                "exit": view.line.exit,
                "approach": view.line.approach,
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


def _latest_tick_ms(record: LogRecord) -> int:
    appended_ms = record.timestamp
    if appended_ms is None or appended_ms < 0:
        return MAX_TS_MS
    return min(appended_ms + TICK_AHEAD_MS, MAX_TS_MS)


def _header(record: LogRecord, name: str) -> bytes | None:
    return next((value for key, value in record.headers if key == name), None)
