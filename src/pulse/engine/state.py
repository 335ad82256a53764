"""The state of one partition, and what a batch of records asks to be done outside."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from pulse.engagement.codec import Reader, Writer
from pulse.engagement.days import NEVER
from pulse.engagement.packing import join, pack, unpack
from pulse.engine.outages import Outages
from pulse.engine.tombstones import OF_ACCOUNT, OF_USER, Tombstone, tombstone_key

if TYPE_CHECKING:
    from pulse.alerting.alert import AlertRecord
    from pulse.engagement.account import Account
    from pulse.engagement.lifecycle import Lifecycle
    from pulse.engine.fleet import FleetLine, Summary
    from pulse.engine.heard import Heard


LIVE_ACCOUNTS: Final = 6_000
"""Accounts of a partition that are kept ready to be worked on; the others are kept packed."""


class Page:
    """The unit in which state is written: a few accounts of one partition.

    `guard` is the offset (exclusive) up to which the page already holds the log: records below it
    are skipped for the page's accounts when the log is read again.
    """

    __slots__ = ("accounts", "dirty", "guard", "number", "size_bytes")

    def __init__(self, number: int, guard: int = 0) -> None:
        self.number = number
        self.guard = guard
        self.accounts: list[str] = []
        self.dirty = False
        self.size_bytes = 0
        """As last written; 0 before the first time."""


class Folded:
    """An account that nothing has touched for a while: packed, with where a tick finds it."""

    __slots__ = ("day_at", "page", "past", "patches", "present", "soon_at")

    def __init__(self, present: bytes, past: bytes, page: Page, soon_at: int, day_at: int) -> None:
        self.present = present
        self.past = past
        self.page = page
        self.soon_at = soon_at
        self.day_at = day_at
        self.patches = 0
        """Events that were counted without unpacking it."""

    def unfold(self) -> Account:
        """The account, ready to be worked on."""
        account = unpack(self.present, self.past)
        account.page = self.page
        account.soon_at, account.day_at = self.soon_at, self.day_at
        return account


class PartitionState:
    """All that is known of one partition of the events topic.

    `partition` is None where there are no partitions (a replay). `position` is the offset of the
    next record to be applied, `settled` the offset below which dead letters and misplaced events
    were already handed on before a restart.
    """

    def __init__(
        self,
        partition: int | None = None,
        *,
        page_accounts: int = 64,
        page_bytes: int = 262_144,
        live_accounts: int = LIVE_ACCOUNTS,
    ) -> None:
        self.partition = partition
        self.page_accounts = page_accounts
        self.page_bytes = page_bytes
        self.live_accounts = live_accounts
        self.live: dict[str, Account] = {}
        self.folded: dict[str, Folded] = {}
        self.forgotten: dict[str, Tombstone] = {}
        """What was forgotten or renamed, by `tombstone_key`; these keys stand in pages as accounts
        do."""
        self.forgets_users = False
        """Whether users are among it."""
        self.gone: set[str] = set()
        """Accounts that were forgotten or renamed and may still stand where people look."""
        self.gone_before = False
        """Whether there may be more of these, since before this state was read back: then
        nobody has their names any more."""
        self._turn: deque[str] = deque()
        """The live accounts, in the order in which they are considered for folding."""
        self.pages: list[Page] = []
        self.next_page = 0
        self.position = 0
        self.guarded = 0
        """No page's guard lies beyond this offset or the position."""
        self.settled = 0
        self.clock_ms: int | None = None
        """The largest tick seen."""
        self.first_tick_ms: int | None = None
        self.lines: list[FleetLine] = []
        """The lines of the fleet that may still hold for an account, in the order of their days."""
        self.summed_day = 0
        """The last UTC day whose scores were counted here."""
        self.summed_config = ""
        """The last configuration whose crossings were counted here."""
        self.digested = 0
        """The number of the last digest that was counted here."""
        self.told_ms = 0
        """When crossings that rules caused were last counted here."""
        self.config: str | None = None
        """The version of the configuration that is in force; None before the log says one."""
        self.held_by: str | None = None
        """Where nothing more is applied: the version of the configuration that should be."""
        self.historical = False
        """Between a `history` and a `live` record: alerts are recorded and never sent."""
        self.loads: dict[str, int] = {}
        """Loads that go on → the clock when that was said last, 0 where it was not known."""
        self.outages = Outages()
        """Sources that stopped."""
        self.heard: dict[str, Heard] = {}
        """From which sources events came lately."""
        self.forwarded: dict[tuple[int, int, int], int] = {}
        """Where the last events that were handed on came from (partition, offset, line) → the
        offset at which each arrived first."""
        self.soon: list[tuple[int, str]] = []
        """Heap of (due, account): minutes that close and deadlines."""
        self.days: dict[int, list[str]] = {}
        """Due → accounts whose day starts then; most share one of a few midnights."""
        self.midnights: list[int] = []
        """Heap of the keys of `days`, which are worked off in slices."""
        self.touched: set[str] = set()
        """Accounts that changed since they were last taken from here."""
        self._round = 1
        """Goes up as they are taken, so that an account knows whether it is among them: a set of
        thousands is far away in memory."""

    def is_held(self) -> bool:
        """Whether nothing more is applied: another configuration is in force."""
        return self.held_by is not None

    def __len__(self) -> int:
        """How many accounts there are."""
        return len(self.live) + len(self.folded)

    @property
    def in_use(self) -> int:
        """About how many accounts were used in the last 84 days: those whose next day is due."""
        return min(sum(map(len, self.days.values())), len(self))

    def knows(self, account_id: str) -> bool:
        """Whether there is such an account."""
        return account_id in self.live or account_id in self.folded

    def ids(self) -> list[str]:
        """The ids of all accounts."""
        return [*self.live, *self.folded]

    def account(self, account_id: str) -> Account:
        """An account to look at, not to change. KeyError if there is none."""
        account = self.live.get(account_id)
        return self.folded[account_id].unfold() if account is None else account

    def is_ahead(self, account_id: str, offset: int) -> bool:
        """Whether the account holds the record at an offset already."""
        account = self.live.get(account_id)
        page = self.folded[account_id].page if account is None else account.page
        return bool(page.guard > offset)

    def packed(self, account_id: str) -> bytes:
        """An account as bytes, for a page, or the tombstone that stands for one."""
        buried = self.forgotten.get(account_id)
        if buried is not None:
            out = Writer()
            out.data(b"")
            out.text(account_id)
            out.number(buried.offset)
            out.number(buried.at_ms)
            out.text(buried.to)
            return out.done()
        account = self.live.get(account_id)
        if account is not None:
            return pack(account).joined()
        folded = self.folded[account_id]
        return join(folded.present, folded.past)

    def find(self, account_id: str) -> Account | None:
        """An account to work on, None if it is not known."""
        account = self.live.get(account_id)
        if account is None:
            folded = self.folded.pop(account_id, None)
            if folded is None:
                return None
            account = folded.unfold()
            self.live[account_id] = account
            self._turn.append(account_id)
        return account

    def fold(self, account: Account) -> None:
        """Keep an account packed that is not among the live ones."""
        packed = pack(account)
        self.folded[account.account_id] = Folded(
            packed.present, packed.past, account.page, account.soon_at, account.day_at
        )

    def patch(self, account_id: str, folded: Folded, present: bytes) -> None:
        """Give a folded account, which an event has changed, its new bytes."""
        folded.present = present
        folded.patches += 1
        folded.page.dirty = True
        self.touched.add(account_id)

    def fold_idle(self) -> None:
        """Fold accounts that nothing has touched for the longest, down to `live_accounts`."""
        live, turn = self.live, self._turn
        while len(live) > self.live_accounts:
            account_id = turn.popleft()
            account = live[account_id]
            if account.used:
                account.used = False
                turn.append(account_id)
            else:
                del live[account_id]
                self.fold(account)

    def page_for_new(self, offset: int) -> Page:
        """The page that takes an account first seen at `offset`.

        Never one that is ahead of the log: its guard would hide the account's own events.
        """
        page = self.pages[-1] if self.pages else None
        if (
            page is None
            or page.guard > offset
            or len(page.accounts) >= self.page_accounts
            or page.size_bytes >= self.page_bytes // 2
        ):
            page = Page(self.next_page)
            self.next_page += 1
            self.pages.append(page)
        return page

    def adopt(self, account: Account, page: Page) -> None:
        """Put a new account into a page."""
        account.page = page
        page.accounts.append(account.account_id)
        self.live[account.account_id] = account
        self._turn.append(account.account_id)

    def adopt_packed(self, account_id: str, present: bytes, past: bytes, page: Page) -> Folded:
        """Put an account that was read back into a page, packed as it is."""
        page.accounts.append(account_id)
        self.guarded = max(self.guarded, page.guard)
        folded = self.folded[account_id] = Folded(present, past, page, NEVER, NEVER)
        return folded

    def bury(self, key: str, tombstone: Tombstone, page: Page) -> None:
        """Put a tombstone into a page."""
        self._remember(key, tombstone)
        page.accounts.append(key)
        page.dirty = True

    def page_of(self, key: str) -> Page:
        """The page in which a tombstone stands."""
        return next(page for page in self.pages if key in page.accounts)

    def replace(self, account: Account, key: str, tombstone: Tombstone) -> None:
        """Let a tombstone stand where a live account stood."""
        page: Page = account.page
        page.accounts[page.accounts.index(account.account_id)] = key
        page.dirty = True
        self._remember(key, tombstone)
        self.touched.discard(account.account_id)
        del self.live[account.account_id]
        self._turn.remove(account.account_id)

    def bury_packed(self, packed: bytes, page: Page) -> bool:
        """Put what was read back into a page, if it is a tombstone."""
        reader = Reader(packed, 0)
        if len(reader.data()):
            return False
        key, offset, at_ms = reader.text(), reader.number(), reader.number()
        to = reader.text() if reader.place() < len(packed) else ""
        self._remember(key, Tombstone(offset, at_ms, to))
        self.gone_before |= key.startswith(OF_ACCOUNT)
        page.accounts.append(key)
        self.guarded = max(self.guarded, page.guard)
        return True

    def _remember(self, key: str, tombstone: Tombstone) -> None:
        self.forgotten[key] = tombstone
        self.forgets_users |= key.startswith(OF_USER)

    def tombstone_of(self, account_id: str) -> Tombstone | None:
        """What stands for an account that was forgotten or renamed, None if it was not."""
        return self.forgotten.get(tombstone_key(account_id, None))

    def is_user_forgotten(self, account_id: str, user: str | None, offset: int) -> bool:
        """Whether what stands at an offset is of a user who was forgotten before.

        Costs too much to be asked of every event: whom an account knows was not forgotten.
        """
        if user is None or not self.forgets_users:
            return False
        for whose in (account_id, ""):
            found = self.forgotten.get(tombstone_key(whose, user))
            if found is not None and found.offset < offset:
                return True
        return False

    def touch(self, account: Account) -> None:
        """Mark an account as changed, for its page and for readers."""
        page: Page = account.page
        page.dirty = True
        if account.touched_in != self._round:
            account.touched_in = self._round
            self.touched.add(account.account_id)

    def take_touched(self) -> set[str]:
        """The accounts that changed since this was last called."""
        touched, self.touched = self.touched, set()
        self._round += 1
        return touched


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A line that could not be counted: where it stood, its bytes, and why.

    `line` counts from 1 within the record at `offset`.
    """

    offset: int
    line: int
    raw: bytes
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Misplaced:
    """What is to be written again, alone, to the partition of its account: an event that arrived
    in another one, or what a renamed account leaves to its new name (`pulse.engine.renaming`).
    """

    offset: int
    line: int
    raw: bytes
    account_id: str
    headers: tuple[tuple[str, bytes], ...] = ()
    """Besides the one that says where it comes from."""


class Move(NamedTuple):
    """An account that went from one stage of its life to another."""

    at_ms: int
    account_id: str
    segment: str
    """Empty where it is not known."""
    before: Lifecycle | None
    """None for an account that is new to pulse."""
    after: Lifecycle


@dataclass(slots=True)
class Effects:
    """What a batch asks to be done outside, and what it counted."""

    alerts: list[AlertRecord] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    misplaced: list[Misplaced] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    summaries: list[Summary] = field(default_factory=list)
    """What is to be handed on to the next partition, or made into a line (`fleet.onward`)."""
    counts: Counter[str] = field(default_factory=Counter)
    """events, duplicates, ignored, profiles, ticks, ticks_refused, ticks_passed_over, skipped,
    late_minutes, late_hours, late_days, weightless, facts, lines, sources, forgotten, renamed,
    arrivals, unknown_control."""
