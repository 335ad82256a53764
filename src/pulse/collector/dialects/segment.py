"""Segment's tracking API, which RudderStack's clients speak too.

https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from xxhash import xxh3_128_hexdigest

from pulse.collector.dialects import traits
from pulse.collector.meaning import Meant
from pulse.collector.refusals import BadEvent, Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulse.collector.links import Links

CALLS: Final = ("track", "identify", "group", "page", "screen", "alias")

SHORT: Final = {"t": "track", "i": "identify", "g": "group", "p": "page", "s": "screen",
                "a": "alias", "b": "batch"}  # fmt: skip
"""Paths of the browser's client."""


def calls_of(call: str, body: Any) -> list[Any]:
    """The calls in a body; what stands around a batch holds for each of them.

    Raises `Refusal` (400) where it is none.
    """
    if not isinstance(body, dict):
        raise Refusal(400, "invalid", "the body is no object")
    if call != "batch":
        return [{**body, "type": call}]
    batch = body.get("batch")
    if not isinstance(batch, list):
        raise Refusal(400, "invalid", "`batch` is no array")
    around = {name: body[name] for name in ("context", "integrations", "sentAt") if name in body}
    return [_within(around, each) if isinstance(each, dict) else each for each in batch]


def _within(around: Mapping[str, Any], call: dict[str, Any]) -> dict[str, Any]:
    merged = {**around, **call}
    outer, own = around.get("context"), call.get("context")
    if isinstance(outer, dict) and isinstance(own, dict):
        merged["context"] = {**outer, **own}
    return merged


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
            # Who a user is does not matter here.
            meant.passed_over += 1
        else:
            meant.refused.append(BadEvent(index, "invalid", "type", f"there is no call {kind!r}"))
    return meant


def _group(meant: Meant, index: int, call: dict[str, Any], links: Links, received_ms: int) -> None:
    account, said = traits.text(call.get("groupId")), call.get("traits")
    if account is None:
        meant.refused.append(BadEvent(index, "missing", "groupId", "a group call names its group"))
        return
    for user in _users(call):
        links.learn(meant.source, user, account)
    profile = traits.profile(said if isinstance(said, dict) else {})
    if not profile:
        meant.passed_over += 1
        return
    meant.add(index, _head(call, account, received_ms) | {"type": "profile", "profile": profile})


def _use(meant: Meant, index: int, call: dict[str, Any], links: Links, received_ms: int) -> None:
    context = call.get("context")
    account = traits.text(context.get("groupId")) if isinstance(context, dict) else None
    users = _users(call)
    if account is None:
        known = (links.account_of(meant.source, user) for user in users)
        account = next((each for each in known if each is not None), None)
    if account is None:
        detail = "no context.groupId, and no group call of the user before"
        meant.keep(call, "unlinked", detail)
        return
    kind, name = call["type"], call.get("name")
    event = call.get("event") if kind == "track" else f"{kind} viewed"
    properties = traits.countable(call.get("properties"))
    if kind != "track" and name and "feature" not in properties:
        properties["feature"] = name
    fields = _head(call, account, received_ms) | {"event": event, "properties": properties}
    if users:
        fields["user_id"] = users[0]
    meant.add(index, fields)


def _head(call: Mapping[str, Any], account: str, received_ms: int) -> dict[str, Any]:
    message = traits.text(call.get("messageId"))
    if message is None:
        # Its retry says the same, and is the same then.
        said = {name: call[name] for name in sorted(call) if name not in ("sentAt", "writeKey")}
        message = xxh3_128_hexdigest(msgspec.json.encode(said))
    return {"id": message, "account_id": account, "ts": _happened_ms(call, received_ms)}


def _happened_ms(call: Mapping[str, Any], received_ms: int) -> int:
    said = traits.instant(call.get("originalTimestamp")) or traits.instant(call.get("timestamp"))
    return traits.happened_ms(said, traits.instant(call.get("sentAt")), received_ms)


def _users(call: Mapping[str, Any]) -> list[str]:
    """Who did it, the known name first."""
    found = (traits.text(call.get(name)) for name in ("userId", "anonymousId"))
    return [each for each in found if each is not None]
