"""Jira's webhooks of issues, and what they mean."""

from __future__ import annotations

from typing import Any

import pytest

from .deliveries import NOW_MS, events, lines, meant

FIELD = "issue.fields.customfield_10050.value"
HEADERS = {"x-atlassian-webhook-identifier": "d1b9c8a0-8f2e-4c57-9d54-1f0e4c2a7b11"}


def webhook(
    kind: str, *changes: dict[str, Any], type_: str = "Bug", status: str = "new", **said: Any
) -> dict[str, Any]:
    fields = {
        "summary": "the report is empty",
        "created": "2024-10-20T08:00:00.000+0000",
        "issuetype": {"id": "10004", "name": type_, "subtask": False},
        "status": {"name": "…", "statusCategory": {"id": 2, "key": status}},
        "customfield_10050": {"self": "…", "value": "acme", "id": "10020"},
    }
    found = {
        "timestamp": NOW_MS,
        "webhookEvent": f"jira:{kind}",
        "issue_event_type_name": "issue_generic",
        "user": {"accountId": "99:27935d01", "displayName": "Ada"},
        "issue": {"id": "10002", "key": "ED-1", "fields": fields},
        **said,
    }
    if changes:
        found["changelog"] = {"id": "10124", "items": list(changes)}
    return found


def change(field: str, before: str | None, now: str | None) -> dict[str, Any]:
    return {"field": field, "fieldtype": "jira", "fromString": before, "toString": now}


DONE = change("resolution", None, "Done")
AGAIN = change("resolution", "Done", None)
MOVED = change("Key", "OLD-9", "ED-1")
REPORTED, CLOSED = ("bug_reported", {"id": "ED-1"}), ("bug_closed", {"id": "ED-1"})
OLD_CLOSED = ("bug_closed", {"id": "OLD-9"})


@pytest.mark.parametrize(
    ("said", "facts"),
    [
        (webhook("issue_created"), [REPORTED]),
        (webhook("issue_created", type_="Story"), []),
        (webhook("issue_created", status="done"), []),
        (webhook("issue_deleted"), [CLOSED]),
        (webhook("issue_deleted", type_="Story"), []),
        (webhook("issue_updated", change("status", "Open", "Done"), DONE, status="done"), [CLOSED]),
        (webhook("issue_updated", change("status", "Open", "Done"), status="done"), [CLOSED]),
        (webhook("issue_updated", DONE, type_="Story", status="done"), []),
        # A comment on a bug that is closed, and work on one that is open, change nothing.
        (webhook("issue_updated", change("summary", "a", "b"), status="done"), []),
        (webhook("issue_updated", change("status", "Open", "Working"), status="new"), []),
        (webhook("issue_updated", change("status", "Done", "Open"), AGAIN), [REPORTED]),
        (webhook("issue_updated", issue_event_type_name="issue_reopened"), [REPORTED]),
        (webhook("issue_updated", change("issuetype", "Story", "Bug")), [REPORTED]),
        (webhook("issue_updated", change("issuetype", "Bug", "Story"), type_="Story"), [CLOSED]),
        (webhook("issue_updated", MOVED), [OLD_CLOSED, REPORTED]),
        (webhook("issue_updated", MOVED, status="done"), [OLD_CLOSED, CLOSED]),
        (webhook("issue_updated", MOVED, type_="Story"), []),
        (
            webhook("issue_updated", MOVED, change("issuetype", "Bug", "Story"), type_="Story"),
            [OLD_CLOSED],
        ),
        (webhook("sprint_started"), []),
        ({"webhookEvent": "jira:issue_updated", "changelog": {"items": [7, {"field": []}]}}, []),
    ],
)
def test_what_webhooks_mean(said: dict[str, Any], facts: list[tuple[str, dict[str, Any]]]) -> None:
    found = meant("jira", said, HEADERS, account=[FIELD])

    assert events(found) == facts
    assert found.passed_over == (0 if facts else 1)
    assert len({line["id"] for line in lines(found)}) == len(facts)


def test_its_id_its_instant_and_whose_it_is() -> None:
    line = lines(meant("jira", webhook("issue_created"), HEADERS, account=[FIELD]))[0]

    assert (line["id"], line["ts"]) == (HEADERS["x-atlassian-webhook-identifier"], NOW_MS)
    assert (line["account_id"], line["source"]) == ("acme", "jira")


def test_the_types_that_are_bugs_may_have_other_names() -> None:
    said = webhook("issue_created", type_="Fehler")

    assert events(meant("jira", said, account=[FIELD], bug_types=["Fehler"])) == [REPORTED]
    assert not meant("jira", said, account=[FIELD]).lines


def test_a_bug_of_no_customer_is_kept() -> None:
    found = meant("jira", webhook("issue_created"), account=["issue.fields.customfield_7"])

    assert [each.reason for each in found.letters] == ["unlinked"]
