"""Records in log order → state and effects.

Results are a function of the log alone. How records were batched, when a worker restarted and how
much work a tick left for later change nothing, because an account is brought up to the log's
clock before a record touches it, and everything due is worked off in the order of time.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any

from pulse.engagement.days import NO_INSTANT
from pulse.engagement.measures import readable
from pulse.engagement.packing import pack, unpack
from pulse.engagement.usage import BadUsageError
from pulse.engine.admission import MisplacedError, RenamedError
from pulse.engine.columns import FORWARDED_HEADER, Columns
from pulse.engine.control import CONFIG, CONTROL_HEADER, config_version
from pulse.engine.controls import Controls
from pulse.engine.evaluate import Evaluator, Observer
from pulse.engine.heard import hear
from pulse.engine.intake import Intake
from pulse.engine.outages import AS_THEY_WERE
from pulse.engine.renaming import Renaming
from pulse.engine.rounds import Rounds
from pulse.engine.state import DeadLetter, Effects, Misplaced, Page, PartitionState
from pulse.engine.timekeeper import LEAST_SLICE, Timekeeper
from pulse.model.time import format_ms
from pulse.model.wire import BadLine, Decoder, Entry, Line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pulse.alerting.alert import AlertRecord
    from pulse.engagement.account import Account
    from pulse.engagement.holidays import Holidays
    from pulse.engagement.lifecycle import Lifecycle
    from pulse.engagement.line import Zone
    from pulse.engine.columns import LogRecord
    from pulse.engine.fleet import FleetLine
    from pulse.engine.policy import Policy


class Engine:
    """Applies records to partition states by one policy.

    `place` gives an account's partition; None where there are no partitions. `least_slice` is how
    many day starts a tick works off at least; it changes no result. `observe` is told of every day
    start that is evaluated.
    """

    def __init__(
        self,
        policy: Policy,
        place: Callable[[str], int] | None = None,
        *,
        least_slice: int = LEAST_SLICE,
        observe: Observer | None = None,
    ) -> None:
        self.policy = policy
        self._place = place
        self._decoder = Decoder(policy.usage.paths())
        self._evaluator = Evaluator(policy, observe)
        self._time = Timekeeper(policy, self._evaluator, least_slice)
        self._rounds = Rounds(policy, self._evaluator, self._time)
        self._renaming = Renaming(policy, self._evaluator, self._time, place)
        self._intake = Intake(policy, self._decoder, self._time, place)
        self._controls = Controls(
            policy, self._evaluator, self._time, self._rounds, self._renaming, self._intake
        )

    def partition_of(self, account_id: str) -> int | None:
        """The account's partition; None where there are none."""
        return None if self._place is None else self._place(account_id)

    # -- records -------------------------------------------------------------------------------

    def apply(self, state: PartitionState, records: Iterable[LogRecord]) -> Effects:
        """Apply records in log order; the state is changed in place.

        Records before `state.position` are skipped: an account may not be known because its lines
        were refused, and by a later clock they would not be.

        Nothing is applied where another configuration is in force than that of this engine:
        `state.held_by` names it, and the position stays there.
        """
        return self.apply_columns(state, Columns.of(records))

    def apply_columns(self, state: PartitionState, columns: Columns) -> Effects:
        """`apply` for records that come by column, as a fetch gives them."""
        fx = Effects()
        if state.is_held():
            return fx
        offsets = columns.offsets
        start = bisect_left(offsets, state.position)
        if start:
            fx.counts["skipped"] += start
        controls = [
            (at, kind)
            for at in sorted(columns.headers)
            if at >= start and (kind := columns.header(at, CONTROL_HEADER)) is not None
        ]
        self._intake.has_headers = len(columns.headers) > len(controls)
        for at, kind in controls:
            if start < at and self._is_held(state):
                break
            self._apply_run(state, columns, start, at, fx)
            start = at
            if kind == CONFIG:
                if not self._activate(state, columns.values[at] or b"", offsets[at], fx):
                    break
            elif self._is_held(state):
                break
            else:
                self._controls.take(state, kind, columns, at, fx)
            start = at + 1
        else:
            if start == len(offsets) or not self._is_held(state):
                self._apply_run(state, columns, start, len(offsets), fx)
                state.position = max(state.position, columns.end)
        if state.is_held():
            state.position = max(state.position, offsets[start])
        state.fold_idle()
        return fx

    def is_in_force(self, state: PartitionState) -> bool:
        """Whether no other configuration is in force where the state stands."""
        return state.config is None or state.config == self.policy.version

    def _is_held(self, state: PartitionState) -> bool:
        """Whether nothing is to be applied; says why in the state."""
        if not self.is_in_force(state):
            state.held_by = state.config
        return state.is_held()

    def _activate(self, state: PartitionState, value: bytes, offset: int, fx: Effects) -> bool:
        """Take a record that puts a configuration in force; False where it is another one's."""
        version = config_version(value)
        if version is None:
            fx.counts["unknown_control"] += 1
        elif version == self.policy.version:
            self._rounds.activate(state, version, offset, fx)
        else:
            if not self._is_held(state):
                # What was due before belongs to the rules that were in force.
                self._time.work_off(state, fx, limit=None)
            state.held_by = version
            return False
        return True

    def tick(self, state: PartitionState, at_ms: int, fx: Effects) -> None:
        """It is `at_ms`, as a tick record says it."""
        self._time.tick(state, at_ms, fx)

    def settle(self, state: PartitionState) -> list[AlertRecord]:
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
        values: list[Any] = columns.values[start:until]
        try:
            decoded = self._decoder.decode_lines(values)
        except TypeError:  # a record without a value: cheaper than to ask each
            values = [value or b"" for value in values]
            decoded = self._decoder.decode_lines(values)
        if decoded is None:
            stripped = [value.rstrip(b"\n") for value in values]
            if stripped != values:
                decoded = self._decoder.decode_lines(stripped)
                if decoded is not None:
                    values = stripped
        if decoded is None:
            for at, value in enumerate(values, start):
                self._apply_entries(state, columns, at, self._decoder.decode_record(value), fx)
            return
        lines = decoded.lines
        fx.counts["events"] += len(lines)
        self._intake.begin_run(decoded.is_printable)
        if len(lines) == len(values):
            at = start
            for line in lines:
                try:
                    self._intake.take(state, columns, at, line, fx)
                except (BadUsageError, MisplacedError):
                    entry = Entry(1, values[at - start], line)
                    self._apply_or_refuse(state, columns, at, entry, fx)
                at += 1
        else:
            n = 0
            for at, value in enumerate(values, start):
                first = n
                end = n + value.count(b"\n") + 1
                while n < end:
                    line = lines[n]
                    n += 1
                    try:
                        self._intake.take(state, columns, at, line, fx)
                    except (BadUsageError, MisplacedError):
                        raw = value.split(b"\n")[n - 1 - first]
                        self._apply_or_refuse(state, columns, at, Entry(n - first, raw, line), fx)
        self._hear(state, self._intake.end_run())

    def _apply_entries(
        self,
        state: PartitionState,
        columns: Columns,
        at: int,
        entries: list[Entry],
        fx: Effects,
    ) -> None:
        fx.counts["events"] += len(entries)
        self._intake.begin_run(False)
        for entry in entries:
            if isinstance(entry.line, BadLine):
                self._refuse(state, columns.offsets[at], entry, entry.line, fx)
            else:
                self._apply_or_refuse(state, columns, at, entry, fx)
        self._hear(state, self._intake.end_run())

    def _hear(self, state: PartitionState, sources: set[str]) -> None:
        if state.clock_ms is not None:
            state.heard = hear(state.heard, sources, state.clock_ms)

    def _apply_or_refuse(
        self,
        state: PartitionState,
        columns: Columns,
        at: int,
        entry: Entry,
        fx: Effects,
        times: int = 0,
    ) -> None:
        line: Any = entry.line
        try:
            self._intake.take(state, columns, at, line, fx)
        except BadUsageError as bad:
            offset = columns.offsets[at]
            if state.is_user_forgotten(line.account_id, line.user_id, offset):
                fx.counts["forgotten"] += 1  # no dead letter is to have it either
            else:
                self._refuse(state, offset, entry, BadLine(bad.reason, bad.detail), fx)
        except RenamedError as gone:
            times += 1
            why = self._renaming.follow(state, columns, at, entry, gone.to, times, fx)
            if why is not None:
                self._refuse(state, columns.offsets[at], entry, why, fx)
            elif self._place is None:
                line.account_id = gone.to
                self._apply_or_refuse(state, columns, at, entry, fx, times)
        except MisplacedError:
            self._hand_on(state, columns, at, entry, line, fx)

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
            headers = columns.load_header(at)
            fx.misplaced.append(
                Misplaced(offset, entry.number, entry.raw, line.account_id, headers)
            )

    def _refuse(
        self, state: PartitionState, offset: int, entry: Entry, why: BadLine, fx: Effects
    ) -> None:
        if offset < state.settled:
            fx.counts["skipped"] += 1
        else:
            fx.dead_letters.append(DeadLetter(offset, entry.number, entry.raw, *why))

    # -- time ----------------------------------------------------------------------------------

    def restore(self, state: PartitionState, page: Page, packed: bytes) -> None:
        """Put a packed account into a page, and schedule it."""
        self._time.schedule_packed(state, page, packed)

    # -- seen from outside ---------------------------------------------------------------------

    def status(
        self, account: Account, as_of_ms: int, lines: Sequence[FleetLine] = ()
    ) -> dict[str, Any]:
        """The account as of an instant not before its last record: a line of `--accounts-out`.

        Everything due by then is taken as done, also what waits for a tick; the account itself
        does not change. `lines` are those of its partition's state.
        """
        account = self._as_of(account, as_of_ms, lines)
        view = self._evaluator.view(account, as_of_ms)
        score, contributions = view.score()
        status: dict[str, Any] = {
            "account_id": account.account_id,
            "as_of": format_ms(as_of_ms),
            "last_active_at": None if account.last_ms == NO_INSTANT else format_ms(account.last_ms),
            "lifecycle": view.lifecycle,
            "zone": account.zone,
            "score": None if score is None else round(score, 2),
            "contributions": {n: round(p, 2) for n, p in contributions.items()},
            "measures": readable(view.now),
            "line": {
                "enter": view.rules.line.enter,
                "exit": view.rules.line.exit,
                "approach": view.rules.line.approach,
                "version": view.rules.line.version or self.policy.version,
            },
        }
        approximate = account.approximate()
        if "key_features" in status["measures"] and "features" in approximate:
            approximate.append("key_features")
        if approximate:
            status["approximate"] = approximate
        return status

    def holidays_of(self, account: Account) -> Holidays | None:
        """The holidays and unobserved days that hold for the account, None where there are none."""
        return self._evaluator.holidays_of(account)

    def standing(
        self, account: Account, as_of_ms: int, lines: Sequence[FleetLine] = ()
    ) -> tuple[Zone, Lifecycle, float | None]:
        """Zone, lifecycle and score of `status`, for a fraction of its cost."""
        account = self._as_of(account, as_of_ms, lines)
        view = self._evaluator.view(account, as_of_ms)
        return account.zone, view.lifecycle, view.score().value

    def _as_of(self, account: Account, at_ms: int, lines: Sequence[FleetLine]) -> Account:
        if self._time.due_ms(account) > at_ms:
            return account
        packed = pack(account)
        copy = unpack(packed.present, packed.past)
        state = PartitionState()
        state.lines = [*lines]
        state.outages = AS_THEY_WERE
        state.adopt(copy, state.page_for_new(0))
        self._time.advance(state, copy, at_ms, Effects())
        return copy
