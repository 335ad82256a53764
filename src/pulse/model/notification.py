"""The body of a webhook: Standard Webhooks around one alert, below 20 KB."""

from collections.abc import Callable
from typing import Final, Literal

from pydantic import Field

from pulse.model.account import Outbound
from pulse.model.alert import Alert, Status
from pulse.model.fields import Timestamp

MAX_BODY_BYTES: Final = 20_000
_MAX_SENTENCE: Final = 500


class AlertNotice(Alert):
    """The alert, with links for the person who reads it."""

    links: dict[str, str] = Field(description="Address by name; empty where there are none.")
    late: bool = Field(
        default=False, description="It comes long after the alert began; absent where it does not."
    )


class WebhookBody(Outbound):
    """What is posted to a webhook receiver. `timestamp` is the alert's `at`, not the attempt's."""

    type: Literal["alert.firing", "alert.resolved"]
    timestamp: Timestamp
    data: AlertNotice


def notification_id(alert_id: str, receiver: str, status: Status) -> str:
    """The `webhook-id` of an alert's state for a receiver: the same over retries, without a `.`.

    >>> notification_id("al_aaaaaaaaaaaaaaaaaaaaaaaaaa", "customer-success", "firing")
    'al_aaaaaaaaaaaaaaaaaaaaaaaaaa_customer-success_firing'
    """
    return f"{alert_id}_{receiver}_{status}"


def webhook_body(
    alert: Alert, links: dict[str, str] | None = None, *, is_late: bool = False
) -> bytes:
    """The JSON body for an alert, always below 20 KB.

    Where it would be larger, these are given up one after the other until it fits: the scores of
    the days before (an empty list stands there instead), the evidence (`{"trimmed": true}` stands
    there), the measures of then, the ends of long sentences, the contributions, the links.
    """
    said = {name: getattr(alert, name) for name in alert.model_fields_set}
    late = {"late": True} if is_late else {}
    notice = AlertNotice.model_validate({**said, "links": links or {}, **late})
    body = _encode(notice)
    for smaller in _TRIMS:
        if len(body) < MAX_BODY_BYTES:
            break
        notice = smaller(notice)
        body = _encode(notice)
    return body


def _encode(notice: AlertNotice) -> bytes:
    body = WebhookBody(type=f"alert.{notice.status}", timestamp=notice.at, data=notice)
    return body.model_dump_json(exclude_unset=True).encode()


def _without_scores(notice: AlertNotice) -> AlertNotice:
    return notice.model_copy(update={"scores": ()}) if notice.scores else notice


def _without_evidence(notice: AlertNotice) -> AlertNotice:
    return notice.model_copy(update={"evidence": {"trimmed": True}})


def _without_then(notice: AlertNotice) -> AlertNotice:
    now_only = notice.measures.model_copy(update={"then": None, "then_at": None})
    return notice.model_copy(update={"measures": now_only})


def _with_short_sentences(notice: AlertNotice) -> AlertNotice:
    return notice.model_copy(
        update={"summary": notice.summary[:_MAX_SENTENCE], "play": notice.play[:_MAX_SENTENCE]}
    )


def _without_contributions(notice: AlertNotice) -> AlertNotice:
    return notice.model_copy(update={"contributions": {}})


def _without_links(notice: AlertNotice) -> AlertNotice:
    return notice.model_copy(update={"links": {}})


_TRIMS: Final[tuple[Callable[[AlertNotice], AlertNotice], ...]] = (
    _without_scores,
    _without_evidence,
    _without_then,
    _with_short_sentences,
    _without_contributions,
    _without_links,
)
