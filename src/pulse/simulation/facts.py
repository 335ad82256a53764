"""What billing, support and surveys say of an account, and its onboarding.

What is to come is kept in `Account.due`, by day; on its day it is said, and then what follows from
it is due.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pulse.simulation.accounts import Fact
from pulse.simulation.product import STEPS, date_of, weekday

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulse.simulation.accounts import Account

_TICKETS: Final = 0.4 / 21
"""How likely somebody asks support on a weekday."""
_BUGS: Final = 0.06 / 21
_FAILURES: Final = 0.04 / 21
"""How likely a payment fails that is soon made good."""


def begin(account: Account, day: int) -> None:
    """What is known on the account's first day in the history of days to come."""
    rng, story, is_new = account.rng, account.story, account.started == day
    _in(account, day, Fact("billing", "card_updated", {}))
    if account.plan.is_yearly:
        _in(account, day + rng.randint(10, 60), Fact("crm", "check_in", {}))
    _in(account, day + rng.randint(30, 90), Fact("surveys", "nps", {}))
    if is_new:
        # Who never adopts it gets no further than the first step.
        steps = STEPS[:1] if story.cause == "never_adopted" else STEPS
        for event, soonest, latest in steps:
            step = Fact("app", event, {}, account.users[0].user_id)
            account.due.setdefault(day + rng.randint(soonest, latest), []).append(step)
    began, over = story.began, story.over
    if story.cause == "payment_failed":
        for again in range(began, over, 4):
            _in(account, again, Fact("billing", "payment_failed", {}))
    elif story.cause == "payment_recovered":
        _in(account, began, Fact("billing", "payment_failed", {}))
        _in(account, over, Fact("billing", "payment_recovered", {}))
    elif story.cause == "support_unanswered":
        for n, after in enumerate((0, 5, 12)):
            ticket = {"id": f"{account.account_id}-late-{n}"}
            _in(account, began + after, Fact("support", "support_opened", ticket))
        _in(account, began + 16, Fact("surveys", "nps", {}))
    elif story.cause == "bug_open":
        _in(account, began, Fact("support", "bug_reported", {"id": f"{account.account_id}-bug"}))


def said(account: Account, day: int) -> Iterator[Fact]:
    """What is said on a day, in order; what was due before it began is left out."""
    rng = account.rng
    if weekday(day) < 5:
        if rng.random() < _TICKETS:
            ticket = {"id": f"{account.account_id}-t{day}"}
            yield Fact("support", "support_opened", ticket)
            answer = Fact("support", "support_answered", ticket)
            # The most are answered on the same day.
            if rng.random() < 0.85:
                yield answer
            else:
                _in(account, day + 1, answer)
        if rng.random() < _BUGS:
            bug = {"id": f"{account.account_id}-b{day}"}
            yield Fact("support", "bug_reported", bug)
            _in(account, day + rng.randint(1, 9), Fact("support", "bug_closed", bug))
        if rng.random() < _FAILURES and not account.story.has_begun(day):
            yield Fact("billing", "payment_failed", {})
            _in(account, day + rng.randint(1, 4), Fact("billing", "payment_recovered", {}))
    for fact in account.due.pop(day, ()):
        yield from _with_what_follows(account, day, fact)


def _with_what_follows(account: Account, day: int, fact: Fact) -> Iterator[Fact]:
    rng, is_leaving = account.rng, account.story.leaves and account.story.has_begun(day)
    if fact.event == "nps":
        user = rng.choice(account.users[: max(1, len(account.users) - 1)])
        scores = (0, 1, 3, 4, 6, 7, 8) if is_leaving else (6, 7, 8, 8, 9, 9, 9, 10, 10, 10)
        _in(account, day + rng.randint(80, 110), Fact("surveys", "nps", {}))
        if user.joined <= day < user.left:
            yield Fact("surveys", "nps", {"score": rng.choice(scores)}, user.user_id)
        return
    if fact.event == "card_updated":
        # Who stays gives another card in time.
        if not is_leaving:
            months = rng.randint(3, 36)
            _in(account, day + 30 * months - rng.randint(5, 40), fact)
            yield fact._replace(properties=_card(day, months))
        return
    yield fact
    if fact.event == "check_in":
        # Nobody calls those any more who do not answer.
        if not is_leaving:
            _in(account, day + rng.randint(35, 75), fact)
    elif fact.event == "support_answered" and rng.random() < 0.3:
        yield Fact("surveys", "csat", {"score": rng.choice((1, 2, 3) if is_leaving else (3, 4, 5))})


def _card(day: int, months: int) -> dict[str, str]:
    """The month, so many from a day on, after which a card expires.

    >>> _card(20089, 13)
    {'expires_at': '2026-02'}
    """
    today = date_of(day)
    year, month = divmod(today.year * 12 + today.month - 1 + months, 12)
    return {"expires_at": f"{year:04}-{month + 1:02}"}


def _in(account: Account, day: int, fact: Fact) -> None:
    """Say something on a day, or on the Monday after it."""
    while weekday(day) >= 5:
        day += 1
    account.due.setdefault(day, []).append(fact)
