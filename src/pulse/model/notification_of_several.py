"""The body of a webhook that tells several alerts at once: Standard Webhooks, below 20 KB."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Final, Literal

from pydantic import Field

from pulse.model.account import Outbound
from pulse.model.alert import Alert, AlertId, Severity, Status
from pulse.model.fields import Number, PlainText, Timestamp
from pulse.model.notification import MAX_BODY_BYTES

MAX_SUMMARY: Final = 300
_SHORT: Final = 100

Count = Annotated[int, Field(ge=0)]


class AlertInGroup(Outbound):
    """What is said of one of several alerts; the alert itself has more."""

    id: AlertId
    account_id: PlainText
    name: str | None = Field(description="The account's name for people, where it is known.")
    owner: str | None = Field(description="Who looks after the account, where somebody does.")
    reason: str
    status: Status
    severity: Severity
    score: Number | None
    started_at: Timestamp
    at: Timestamp
    summary: str = Field(description="One sentence, up to 300 characters of it.")
    play: str = Field(description="What to do next, up to 300 characters of it.")
    links: dict[str, str] = Field(
        description="Address by name; empty where there are none. Of many alerts only `alert` may "
        "be there: `acknowledge`, `snooze` and `close` are that address and `/` with the name."
    )
    scores: tuple[int | None, ...] = Field(
        default=(),
        description="The scores of the 28 days before, as the alert has them; empty where it has "
        "none, or they did not fit.",
    )


class GroupNotice(Outbound):
    """Alerts that are told together, the worst first."""

    group: dict[str, str] = Field(
        description="What they have in common, by the route's `group_by`; may be empty."
    )
    also_firing: Count = Field(description="Alerts of the group that fire and are not named here.")
    again: bool = Field(description="Nothing in it is new: all of it was told before.")
    late: bool = Field(description="It comes long after its alerts began.")
    left_out: Count = Field(description="Alerts that did not fit any more; almost always 0.")
    alerts: list[AlertInGroup]


class GroupBody(Outbound):
    """What is posted to a webhook receiver where a route groups alerts, or a budget makes digests.

    `timestamp` is the latest `at` of the alerts, not the attempt's.
    """

    type: Literal["alerts.firing", "alerts.resolved", "alerts.digest"] = Field(
        description="`alerts.firing`: at least one of them fires. `alerts.digest`: what was over "
        "its owner's budget."
    )
    timestamp: Timestamp
    data: GroupNotice


def group_body(
    alerts: Sequence[Alert],
    *,
    group: Sequence[tuple[str, str]] = (),
    also_firing: int = 0,
    is_digest: bool = False,
    again: bool = False,
    is_late: bool = False,
    links: Mapping[str, Mapping[str, str]] | None = None,
) -> bytes:
    """The JSON body for several alerts, always below 20 KB. `links`: by alert id, then by name.

    Where it would be larger, these are given up one after the other until it fits: the scores of
    the days before, the ends of plays and of sentences, the links besides `alert`, that one too,
    the names, the last alerts (`left_out` counts them).
    """
    firing = any(each.status == "firing" for each in alerts)
    notice = GroupNotice(
        group=dict(group),
        also_firing=also_firing,
        again=again,
        late=is_late,
        left_out=0,
        alerts=[_said(each, dict((links or {}).get(each.id, {}))) for each in alerts],
    )
    body = GroupBody(
        type="alerts.digest" if is_digest else "alerts.firing" if firing else "alerts.resolved",
        timestamp=max(each.at for each in alerts),
        data=notice,
    )
    for smaller in _TRIMS:
        if len(_encode(body)) < MAX_BODY_BYTES:
            break
        kept = [each.model_copy(update=smaller(each)) for each in notice.alerts]
        notice = notice.model_copy(update={"alerts": kept})
        body = body.model_copy(update={"data": notice})
    while len(_encode(body)) >= MAX_BODY_BYTES and len(notice.alerts) > 1:
        left = {"alerts": notice.alerts[:-1], "left_out": notice.left_out + 1}
        notice = notice.model_copy(update=left)
        body = body.model_copy(update={"data": notice})
    return _encode(body)


def _said(alert: Alert, links: dict[str, str]) -> AlertInGroup:
    return AlertInGroup(
        id=alert.id,
        account_id=alert.account_id,
        name=alert.profile.name,
        owner=alert.profile.owner,
        reason=alert.reason,
        status=alert.status,
        severity=alert.severity,
        score=alert.score,
        started_at=alert.started_at,
        at=alert.at,
        summary=cut(alert.summary, MAX_SUMMARY),
        play=cut(alert.play, MAX_SUMMARY),
        links=links,
        scores=alert.scores,
    )


def cut(text: str, most: int) -> str:
    """At most so many characters, which say where something is missing.

    >>> cut("nothing meaningful", 18), cut("nothing meaningful", 9)
    ('nothing meaningful', 'nothing…')
    """
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _encode(body: GroupBody) -> bytes:
    return body.model_dump_json().encode()


_TRIMS: Final[tuple[Callable[[AlertInGroup], dict[str, object]], ...]] = (
    lambda each: {"scores": ()},
    lambda each: {"play": cut(each.play, _SHORT)},
    lambda each: {"summary": cut(each.summary, _SHORT)},
    lambda each: {"links": {name: url for name, url in each.links.items() if name == "alert"}},
    lambda each: {"links": {}},
    lambda each: {"name": None},
)
