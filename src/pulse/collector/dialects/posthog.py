"""PostHog's capture API.

https://posthog.com/docs/api/capture
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

import msgspec
from xxhash import xxh3_128_hexdigest

from pulse.collector.body import as_json
from pulse.collector.dialects import traits
from pulse.collector.dialects.native import MAX_BATCH
from pulse.collector.meaning import Meant
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
    first = _object(found[0]) if isinstance(found, list) and found else _object(said)
    for place in (_object(said), first, _object(first.get("properties")), query):
        for name in _KEYS:
            key = place.get(name)
            if isinstance(key, str) and key:
                return key
    return ""


def events_of(said: Any, query: Mapping[str, str]) -> list[Any]:
    """The events in a body: one, an array of them, or `batch`; each says when it was sent.

    Write keys are taken out: they are kept nowhere. Raises `Refusal` (400, 413).
    """
    found, sent_at = said, query.get("_", "")
    around: dict[str, Any] = {"sent_at": int(sent_at)} if _MILLISECONDS.match(sent_at) else {}
    if isinstance(said, dict):
        found = said.get("batch", [said])
        around |= {name: said[name] for name in ("sent_at",) if name in said}
    if not isinstance(found, list):
        raise Refusal(400, "invalid", "the body is no event, no array of them and has no `batch`")
    if len(found) > MAX_BATCH:
        raise Refusal(413, "too_many", f"{len(found)} events, at most {MAX_BATCH} are taken")
    return [around | _without_keys(each) if isinstance(each, dict) else each for each in found]


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
        name, properties = event.get("event"), _object(event.get("properties"))
        if not isinstance(name, str) or not name:
            meant.refused.append(BadEvent(index, "missing", "event", "an event has a name"))
            continue
        user, account = _user(event, properties), _account(name, properties, group)
        if user is not None and account is not None:
            links.learn(source, user, account)
        elif user is not None and name != _PROFILE:
            account = links.account_of(source, user)
        said = _said(name, properties, group)
        if said is None:
            meant.passed_over += 1
        elif account is None:
            detail = f"no $groups.{group}, and no event of the user with it before"
            meant.keep(event, "unlinked", detail)
        else:
            said |= {"id": _id(event, index, received_ms), "account_id": account}
            if user is not None and "event" in said:
                said["user_id"] = user
            meant.add(index, said | {"ts": _happened_ms(event, received_ms)})
    return meant


def _account(name: str, properties: Mapping[str, Any], group: str) -> str | None:
    """The account that an event names itself."""
    if name == _PROFILE and properties.get("$group_type") == group:
        return traits.text(properties.get("$group_key"))
    return traits.text(_object(properties.get("$groups")).get(group))


def _user(event: Mapping[str, Any], properties: Mapping[str, Any]) -> str | None:
    if properties.get("$process_person_profile") is False:
        # Nobody in particular; servers make up an id for each such event.
        return None
    return traits.text(event.get("distinct_id")) or traits.text(properties.get("distinct_id"))


def _said(name: str, properties: Mapping[str, Any], group: str) -> dict[str, Any] | None:
    """The fields of a profile or of a usage event; None where it is neither."""
    if name == _PROFILE:
        is_accounts = properties.get("$group_type") == group
        profile = traits.profile(_object(properties.get("$group_set")) if is_accounts else {})
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


def _id(event: Mapping[str, Any], index: int, received_ms: int) -> str:
    known = traits.text(event.get("uuid"))
    if known is not None:
        return known
    # Its retry says the same, and is the same then; how long ago it was is another by then.
    said = {name: event[name] for name in sorted(event) if name not in ("sent_at", "offset")}
    if "timestamp" not in event and "offset" not in event:
        # Nothing tells it from the next one of its kind.
        said["received"] = [received_ms, index]
    return xxh3_128_hexdigest(msgspec.json.encode(said))


def _happened_ms(event: Mapping[str, Any], received_ms: int) -> int:
    said, ago = _instant(event.get("timestamp")), traits.number(event.get("offset"))
    if said is None and ago is not None and 0 <= ago <= received_ms:
        return received_ms - int(ago)
    return traits.happened_ms(said, _instant(event.get("sent_at")), received_ms)


def _instant(value: Any) -> int | None:
    """An instant; where it has no offset it is UTC."""
    found = traits.instant(value)
    if found is None and isinstance(value, str):
        found = traits.instant(f"{value}Z")
    return found


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
