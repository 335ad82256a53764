"""Jira's webhooks of issues.

https://developer.atlassian.com/cloud/jira/platform/webhooks/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pulse.collector.dialects.traits import instant, text
from pulse.collector.dialects.webhooks import signing
from pulse.collector.dialects.webhooks.reading import Delivery, Fact, Told, at

if TYPE_CHECKING:
    from pulse.config.webhooks import JiraWebhook

_CHANGES: Final = ("status", "resolution", "issuetype", "Key")
"""The fields whose change may say something."""


def check(delivery: Delivery, secret: str) -> None:
    """`X-Hub-Signature: sha256=…`: hexadecimal HMAC-SHA256 of the body, without an instant."""
    made = signing.digest(secret, delivery.body).hex()
    signing.expect(f"sha256={made}", [delivery.headers.get("x-hub-signature", "")])


def told(said: dict[str, Any], delivery: Delivery, settings: JiraWebhook) -> Told:
    """What a webhook of Jira says. Its id is a header's."""
    record = delivery.headers.get("x-atlassian-webhook-identifier") or None
    return Told(record, instant(said.get("timestamp")), _facts(said, settings.bug_types))


def _facts(said: dict[str, Any], bug_types: tuple[str, ...]) -> list[Fact]:
    kind, key = said.get("webhookEvent"), text(at(said, "issue.key"))
    is_bug = at(said, "issue.fields.issuetype.name") in bug_types
    is_done = at(said, "issue.fields.status.statusCategory.key") == "done"
    reported, closed = Fact("bug_reported", {"id": key}), Fact("bug_closed", {"id": key})
    if kind == "jira:issue_created":
        return [reported] if is_bug and not is_done else []
    if kind == "jira:issue_deleted":
        return [closed] if is_bug else []
    if kind != "jira:issue_updated":
        return []
    changes = _changes(said)
    facts = []
    was_bug = changes["issuetype"][0] in bug_types if "issuetype" in changes else is_bug
    if was_bug and "Key" in changes:
        # It was moved to another project: the old name is closed, the new one stays open.
        facts.append(Fact("bug_closed", {"id": text(changes["Key"][0])}))
    if not is_bug:
        return [*facts, closed] if was_bug and not facts else facts
    if is_done:
        return [*facts, closed] if changes else facts
    if facts or not was_bug or _is_open_again(said, changes):
        facts.append(reported)
    return facts


def _changes(said: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What has changed, by the names of fields: from what, to what."""
    items = at(said, "changelog.items")
    return {
        each["field"]: (each.get("fromString"), each.get("toString"))
        for each in (items if isinstance(items, list) else ())
        if isinstance(each, dict) and each.get("field") in _CHANGES
    }


def _is_open_again(said: dict[str, Any], changes: dict[str, tuple[Any, Any]]) -> bool:
    """Another status alone does not say it: a bug in progress is as old as it was before."""
    if said.get("issue_event_type_name") == "issue_reopened":
        return True
    before, now = changes.get("resolution", (None, None))
    return bool(before) and not now
