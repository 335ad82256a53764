"""PostHog's capture API.

https://posthog.com/docs/api/capture
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from pulse.collector.body import as_json
from pulse.collector.dialects import traits
from pulse.collector.meaning import Meant, bounded
from pulse.collector.refusals import BadEvent, Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulse.collector.links import Links

USES: Final = {
    "$pageview": "page viewed",
    "$screen": "screen viewed",
    "$autocapture": "$autocapture",
}
"""PostHog's own events that are use, and what they are called here."""

_PROFILE: Final = "$groupidentify"
_KEYS: Final = ("api_key", "token")
_KEPT: Final = ("$pathname", "$screen_name")
"""Of the properties that PostHog's clients add; the others say who has which browser and where."""

_TIMES: Final = ("timestamp", "offset")
_SENDING: Final = ("sent_at", "offset")
"""What a retry says otherwise: how long ago it was is another by then."""

_MILLISECONDS: Final = re.compile(r"[0-9]{13}\Z")
_JSON: Final = (b"{", b"[")
_FORM_FIELDS: Final = 16


def said_by(body: bytes, content_type: str, compression: str) -> Any:
    """What a body says: JSON, also in base64, also as `data` of a form. Raises `Refusal` (400)."""
    text = body.strip()
    if not text.startswith(_JSON) and ("form" in content_type or text.startswith(b"data=")):
        form = _form(text)
        text = form.get("data", "").encode()
        compression = form.get("compression", "" if text.startswith(_JSON) else "base64")
    if compression == "base64":
        # A "+" that nobody has escaped is a space in a form.
        text = text.replace(b" ", b"+")
        try:
            text = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
        except binascii.Error as error:
            raise Refusal(400, "not_base64", str(error)) from None
    return as_json(text)


def _form(text: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(text.decode(), max_num_fields=_FORM_FIELDS))
    except ValueError as error:
        raise Refusal(400, "not_a_form", str(error)) from None


def key_in(said: Any, query: Mapping[str, str]) -> str:
    """The write key: around the events, in the first of them, or in the query. Empty if nowhere."""
    found = said.get("batch") if isinstance(said, dict) else said
    first = traits.mapping(found[0]) if isinstance(found, list) and found else traits.mapping(said)
    for place in (traits.mapping(said), first, traits.mapping(first.get("properties")), query):
        for name in _KEYS:
            key = place.get(name)
            if isinstance(key, str) and key:
                return key
    return ""


def events_of(said: Any, query: Mapping[str, str]) -> list[Any]:
    """The events in a body: one, an array of them, or `batch`; each says when it was sent.

    Write keys are taken out: they are kept nowhere. Raises `Refusal` (400, 413).
    """
    found, asked = said, query.get("_", "")
    sent_ms = int(asked) if _MILLISECONDS.match(asked) else None
    if isinstance(said, dict):
        found = said.get("batch", [said])
        said_ms = traits.instant(said.get("sent_at"))
        sent_ms = sent_ms if said_ms is None else said_ms
    if not isinstance(found, list):
        raise Refusal(400, "invalid", "the body is no event, no array of them and has no `batch`")
    around = {} if sent_ms is None else {"sent_at": sent_ms}
    return [
        around | _without_keys(each) if isinstance(each, dict) else each for each in bounded(found)
    ]


def _without_keys(event: dict[str, Any]) -> dict[str, Any]:
    event = {name: value for name, value in event.items() if name not in _KEYS}
    properties = event.get("properties")
    if isinstance(properties, dict):
        event["properties"] = {name: properties[name] for name in properties if name != "token"}
    return event


def meaning_of(events: list[Any], source: str, links: Links, group: str, received_ms: int) -> Meant:
    """What events mean; groups of the type `group` are accounts.

    Links between users and accounts are learnt on the way, in order.
    """
    meant = Meant(source)
    for index, event in enumerate(events):
        if not isinstance(event, dict):
            meant.refused.append(BadEvent(index, "invalid", "", "is no object"))
            continue
        name, properties = event.get("event"), traits.mapping(event.get("properties"))
        if not isinstance(name, str) or not name:
            meant.refused.append(BadEvent(index, "missing", "event", "an event has a name"))
            continue
        user, account = _user(event, properties), _account(name, properties, group)
        if user is not None and account is not None:
            links.learn(source, user, account)
        elif user is not None and name != _PROFILE:
            account = links.account_of(source, user)
        if user is not None:
            _learn_ids(links, source, name, user, properties)
        said = _said(name, properties, group)
        if said is None:
            meant.passed_over += 1
        elif account is None:
            detail = f"nobody has said whose it is: $groups.{group} does, here or once before"
            meant.keep(event, "unlinked", detail)
        else:
            known = traits.text(event.get("uuid"))
            if known is None:
                known = traits.made_id(event, _TIMES, _SENDING, (received_ms, index))
            said |= {"id": known, "account_id": account}
            if user is not None and "event" in said:
                said["user_id"] = user
            meant.add(index, said | {"ts": _happened_ms(event, received_ms)})
    return meant


def _account(name: str, properties: Mapping[str, Any], group: str) -> str | None:
    """The account that an event names itself."""
    if name == _PROFILE and properties.get("$group_type") == group:
        return traits.text(properties.get("$group_key"))
    return traits.text(traits.mapping(properties.get("$groups")).get(group))


def _user(event: Mapping[str, Any], properties: Mapping[str, Any]) -> str | None:
    if properties.get("$process_person_profile") is False:
        # Nobody in particular; servers make up an id for each such event.
        return None
    return traits.text(event.get("distinct_id")) or traits.text(properties.get("distinct_id"))


def _learn_ids(
    links: Links, source: str, name: str, user: str, properties: Mapping[str, Any]
) -> None:
    """Learn whose a user is who was known by another id so far."""
    if name == "$identify":
        former = traits.text(properties.get("$anon_distinct_id"))
        if former is not None:
            links.inherit(source, user, former)
    elif name == "$create_alias":
        other = traits.text(properties.get("alias"))
        if other is not None:
            # Which of the two is the new one apps hold differently.
            links.inherit(source, other, user)
            links.inherit(source, user, other)


def _said(name: str, properties: Mapping[str, Any], group: str) -> dict[str, Any] | None:
    """The fields of a profile or of a usage event; None where it is neither."""
    if name == _PROFILE:
        is_accounts = properties.get("$group_type") == group
        profile = traits.profile(
            traits.mapping(properties.get("$group_set")) if is_accounts else {}
        )
        return {"type": "profile", "profile": profile} if profile else None
    if name.startswith("$") and name not in USES:
        return None
    kept = traits.countable(properties)
    for each in properties:
        if each == "distinct_id" or (each.startswith("$") and each not in _KEPT):
            del kept[each]
    if name == "$screen" and "$screen_name" in kept:
        kept.setdefault("feature", kept["$screen_name"])
    return {"event": USES.get(name, name), "properties": kept}


def _happened_ms(event: Mapping[str, Any], received_ms: int) -> int:
    said, ago = traits.instant(event.get("timestamp")), traits.number(event.get("offset"))
    if said is None and ago is not None and 0 <= ago <= received_ms:
        return received_ms - int(ago)
    return traits.happened_ms(said, traits.instant(event.get("sent_at")), received_ms)
