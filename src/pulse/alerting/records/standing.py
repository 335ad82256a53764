"""How an alert stands with each receiver: told, still to be told, held, or not told, and why."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from pulse.alerting.records.delivery import Delivery, State, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pulse.alerting.records.reader import Deliveries, RecordedAlert

_HOLDS: Final = frozenset({"inhibit", "silence", "hours"})
_WORDS: Final[Mapping[str, str]] = {
    "pending": "about to be sent",
    "retrying": "tried again",
    "succeeded": "sent",
    "failed": "failed",
    "disabled": "not sent",
    "superseded": "given up",
    "skipped": "not sent",
}
_STATES: Final[Mapping[str, str]] = {
    "resolved_before_sent": "it ended before its beginning was ever attempted",
    "resolved_before_delivered": "an alert of it ended between two attempts; its end is sent",
    "overtaken": "what came meanwhile is told with it",
    "held": "something holds its alerts",
    "endpoint_disabled": "the receiver gets nothing any more",
    "receiver_removed": "the configuration has no such receiver any more",
    "no_such_receiver": "the configuration of the notifier has no such receiver",
    "alert_lost": "its alerts are nowhere any more",
    "recipients_refused": "but some of the recipients were refused",
}
_REASONS: Final[Mapping[str, str]] = {
    "historical": "from a history: nobody is told",
    "load": "it began or ended within a load; the digest tells of what stands at its end",
    "configuration": "other rules or another line caused it; one alert tells of all",
    "holdout": "its account is held out: nobody is told, to see what telling does",
    "reason_not_wanted": "the receiver's `reasons` do not match",
    "routed_before": "the receiver has it by an earlier route",
    "least_loaded": "who has the fewest accounts was chosen to look after it",
    "round_robin": "whose turn it was looks after it",
    "repeat": "nothing new",
    "already_resolved": "its beginning came after its end",
    "resolved_before_sent": "it ended before its beginning was ever attempted: neither is sent",
    "resolved_not_wanted": "the receiver wants no ends (send_resolved: false)",
    "firing_unknown": "the end of what nobody was told of",
    "firing_not_sent": "the end of what nobody was told of",
    "fleet_falls": "held while the fleet falls together",
    "end_heard": "held for a moment: its end is about to be read",
    "snoozed": "a person snoozed it",
    "acknowledged": "a person took it over",
    "over_budget": "its owner was told enough this week: it is in the digest",
    "told": "it is in a notification",
    "told_again": "it is in a notification once more",
}


class Standing(NamedTuple):
    """How it stands with one receiver (empty: with all), since `at_ms`.

    `what`: `sent`, `failed`, `not sent`, `held`, `waits`, `about to be sent`, `tried again`, `given
    up`. `why` is a sentence, empty where there is nothing to say. `until_ms`: when it is looked at
    again, where that is known.
    """

    receiver: str
    what: str
    why: str
    at_ms: int
    until_ms: int | None = None


def by_alert(notifications: Iterable[Delivery]) -> Mapping[str, list[Delivery]]:
    """The notifications of each alert, oldest first."""
    found: dict[str, list[Delivery]] = defaultdict(list)
    for each in sorted(notifications, key=lambda each: (each.created_ms, each.id)):
        for alert_id, _ in each.alerts:
            found[alert_id].append(each)
    return found


def standings(alert: RecordedAlert, told: Iterable[Delivery], known: Deliveries) -> list[Standing]:
    """How an alert's newest state stands with every receiver; `told` is of `by_alert`."""
    brief, path = alert.entry.brief, alert.beside.path
    last_of: dict[str, Delivery] = {each.receiver: each for each in told if not each.replay_of}
    steps: dict[str, Step] = {each.receiver: each for each in path if each.stage != "owner"}
    waits = {
        group.receiver: telling.at_ms
        for name, telling in alert.entry.told.items()
        if (group := known.groups.get(name)) is not None
    }
    found: list[Standing] = []
    for receiver in sorted({*last_of, *steps, *waits}):
        step, last = steps.get(receiver), last_of.get(receiver)
        is_newer = step is not None and (last is None or step.at_ms > last.at_ms)
        if step is not None and step.stage != "deduplicate" and (last is None or is_newer):
            found.append(_of_step(step))
        elif last is not None and (brief.id, brief.status) in last.alerts:
            found.append(_of_delivery(last))
        elif receiver in waits:
            why = "for others of its group, or for its interval"
            found.append(Standing(receiver, "waits", why, waits[receiver]))
        elif last is not None:
            found.append(_of_delivery(last))
    return found


def _of_step(step: Step) -> Standing:
    if step.stage in _HOLDS:
        what = "held"
    elif step.stage == "budget":
        what = "waits"
    else:
        what = "not sent"
    return Standing(step.receiver, what, in_words(step), step.at_ms, step.until_ms)


def _of_delivery(last: Delivery) -> Standing:
    return Standing(last.receiver, _WORDS[last.state], why(last), last.at_ms, last.next_ms)


def in_words(step: Step) -> str:
    """What a decision means.

    >>> in_words(Step(0, "cs", "silence", "silenced:si_1"))
    'a person silenced it (si_1)'
    """
    reason, _, name = step.reason.partition(":")
    if reason == "silenced":
        return f"a person silenced it ({name})"
    if step.stage == "hours":
        return f"the hours of its route ({reason.removeprefix('not ')})"
    if step.stage == "inhibit" and reason not in _REASONS:
        return f"held while `{reason}` holds"
    return _REASONS.get(reason, reason)


def why(delivery: Delivery) -> str:
    """Why a notification is in its state; empty where there is nothing to say."""
    if delivery.state is State.PENDING:
        return ""
    return _STATES.get(delivery.reason, delivery.reason)
