"""Segment's tracking API, which RudderStack's clients speak too.

https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pulse.collector.dialects import traits
from pulse.collector.meaning import Meant, bounded
from pulse.collector.refusals import BadEvent, Refusal
from pulse.model.fields import is_plain_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulse.collector.links import Links

CALLS: Final = ("track", "identify", "group", "page", "screen", "alias")

SHORT: Final = {"t": "track", "i": "identify", "g": "group", "p": "page", "s": "screen",
                "a": "alias", "b": "batch"}  # fmt: skip
"""Paths of the browser's client."""

_TIMES: Final = ("originalTimestamp", "timestamp")
_SENDING: Final = ("sentAt",)
"""What a retry says otherwise."""

_TOLD: Final = 64
"""Characters of what a client says that stand in a dead letter's detail."""


def calls_of(call: str, body: Any) -> list[Any]:
    """The calls in a body; what is read of what stands around a batch stands in each of them.

    Write keys are taken out: they are kept nowhere. Raises `Refusal` (400, 413).
    """
    if not isinstance(body, dict):
        raise Refusal(400, "invalid", "the body is no object")
    if call != "batch":
        return [_without_key(body) | {"type": call}]
    batch = body.get("batch")
    if not isinstance(batch, list):
        raise Refusal(400, "invalid", "`batch` is no array")
    sent_ms = traits.instant(body.get("sentAt"))
    account = traits.text(traits.mapping(body.get("context")).get("groupId"))
    if account is not None and not is_plain_text(account):
        account = None  # it would stand in every call
    return [
        _within(sent_ms, account, each) if isinstance(each, dict) else each
        for each in bounded(batch)
    ]


def _within(sent_ms: int | None, account: str | None, call: dict[str, Any]) -> dict[str, Any]:
    """A call of a batch, with what is said around it where the call does not say it."""
    found = _without_key(call)
    if sent_ms is not None:
        found.setdefault("sentAt", sent_ms)
    if account is not None:
        found["context"] = {"groupId": account} | traits.mapping(call.get("context"))
    return found


def _without_key(call: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in call.items() if name != "writeKey"}


def meaning_of(calls: list[Any], source: str, links: Links, received_ms: int) -> Meant:
    """What calls mean. Links between users and accounts are learnt on the way, in order."""
    meant = Meant(source)
    for index, call in enumerate(calls):
        if not isinstance(call, dict):
            meant.refused.append(BadEvent(index, "invalid", "", "is no object"))
            continue
        kind = call.get("type")
        if kind == "group":
            _group(meant, index, call, links, received_ms)
        elif kind in ("track", "page", "screen"):
            _use(meant, index, call, links, received_ms)
        elif kind in CALLS:
            # Who a user is does not matter here, but whose it is.
            _learn_ids(meant.source, call, links)
            meant.passed_over += 1
        else:
            detail = f"there is no call {kind!r:.{_TOLD}}"
            meant.refused.append(BadEvent(index, "invalid", "type", detail))
    return meant


def _learn_ids(source: str, call: Mapping[str, Any], links: Links) -> None:
    """Learn whose a user is who was known by another id so far."""
    user = traits.text(call.get("userId"))
    for name in ("previousId", "anonymousId"):
        former = traits.text(call.get(name))
        if user is not None and former is not None:
            links.inherit(source, user, former)


def _group(meant: Meant, index: int, call: dict[str, Any], links: Links, received_ms: int) -> None:
    account = traits.text(call.get("groupId"))
    if account is None:
        meant.refused.append(BadEvent(index, "missing", "groupId", "a group call names its group"))
        return
    for user in _users(call):
        links.learn(meant.source, user, account)
    profile = traits.profile(traits.mapping(call.get("traits")))
    if not profile:
        meant.passed_over += 1
        return
    fields = _head(index, call, account, received_ms) | {"type": "profile", "profile": profile}
    meant.add(index, fields)


def _use(meant: Meant, index: int, call: dict[str, Any], links: Links, received_ms: int) -> None:
    account = traits.text(traits.mapping(call.get("context")).get("groupId"))
    users = _users(call)
    if account is None:
        known = (links.account_of(meant.source, user) for user in users)
        account = next((each for each in known if each is not None), None)
    if account is None:
        detail = "nobody has said whose it is: a group call of the user, or context.groupId, does"
        meant.keep(call, "unlinked", detail)
        return
    kind, name = call["type"], call.get("name")
    event = call.get("event") if kind == "track" else f"{kind} viewed"
    properties = traits.countable(call.get("properties"))
    if kind != "track" and name and "feature" not in properties:
        properties["feature"] = name
    fields = _head(index, call, account, received_ms) | {"event": event, "properties": properties}
    if users:
        fields["user_id"] = users[0]
    meant.add(index, fields)


def _head(index: int, call: Mapping[str, Any], account: str, received_ms: int) -> dict[str, Any]:
    message = traits.text(call.get("messageId"))
    if message is None:
        message = traits.made_id(call, _TIMES, _SENDING, (received_ms, index))
    return {"id": message, "account_id": account, "ts": _happened_ms(call, received_ms)}


def _happened_ms(call: Mapping[str, Any], received_ms: int) -> int:
    said = traits.instant(call.get("originalTimestamp")) or traits.instant(call.get("timestamp"))
    return traits.happened_ms(said, traits.instant(call.get("sentAt")), received_ms)


def _users(call: Mapping[str, Any]) -> list[str]:
    """Who did it, the known name first."""
    found = (traits.text(call.get(name)) for name in ("userId", "anonymousId"))
    return [each for each in found if each is not None]
