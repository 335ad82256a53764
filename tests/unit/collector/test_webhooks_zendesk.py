"""Zendesk's events of tickets, and what they mean."""

from __future__ import annotations

from typing import Any

import pytest

from .deliveries import events, lines, meant

TICKET = {
    "actor_id": "8447388090494",
    "created_at": "2025-01-08T10:12:07Z",
    "external_id": None,
    "id": "5158",
    "is_public": True,
    "organization_id": "8447346622462",
    "requester_id": "8447388090494",
    "status": "OPEN",
    "subject": "cannot log in",
    "updated_at": "2025-01-08T10:12:07Z",
    "via": {"channel": "web_service"},
}


def event(kind: str, event: dict[str, Any] | None = None, **ticket: Any) -> dict[str, Any]:
    return {
        "account_id": 22129848,
        "detail": TICKET | ticket,
        "event": {"meta": {"sequence": {"id": "1", "position": 1}}, **(event or {})},
        "id": "cbe4028c-7239-495d-b020-f22348516046",
        "subject": "zen:ticket:5158",
        "time": "2025-01-08T10:12:07.672717030Z",
        "type": f"zen:event-type:{kind}",
        "zendesk_event_version": "2022-11-06",
    }


def comment(*, is_public: bool, is_staff: bool) -> dict[str, Any]:
    author = {"id": "8447388090494", "is_staff": is_staff, "name": "Ada"}
    said = {"author": author, "body": "…", "id": "8561", "is_public": is_public}
    return event("ticket.comment_added", {"comment": said})


def status(before: str, now: str) -> dict[str, Any]:
    return event("ticket.status_changed", {"previous": before, "current": now})


def score(said: Any) -> dict[str, Any]:
    return event("ticket.csat_received", {"satisfaction_score": {"score": said, "comment": None}})


OPENED, ANSWERED = [("support_opened", {"id": "5158"})], [("support_answered", {"id": "5158"})]


@pytest.mark.parametrize(
    ("said", "facts"),
    [
        (event("ticket.created"), OPENED),
        (comment(is_public=True, is_staff=True), ANSWERED),
        (comment(is_public=False, is_staff=True), []),
        (comment(is_public=True, is_staff=False), []),
        (status("OPEN", "SOLVED"), ANSWERED),
        (status("SOLVED", "CLOSED"), ANSWERED),
        (status("SOLVED", "OPEN"), OPENED),
        (status("NEW", "OPEN"), []),
        (status("OPEN", "PENDING"), []),
        (event("ticket.merged"), ANSWERED),
        (event("ticket.soft_deleted"), ANSWERED),
        (event("ticket.marked_as_spam"), ANSWERED),
        (event("ticket.undeleted"), OPENED),
        (event("ticket.undeleted", status="SOLVED"), []),
        (score("BAD"), [("csat", {"score": 1})]),
        (score("GOOD_WITH_COMMENT"), [("csat", {"score": 5})]),
        (score(3), [("csat", {"score": 3})]),
        (score("OFFERED"), []),
        (score(True), []),
        (event("ticket.priority_changed"), []),
        (event("organization.created"), []),
        ({"type": "zen:event-type:ticket.status_changed", "event": []}, []),
    ],
)
def test_what_events_mean(said: dict[str, Any], facts: list[tuple[str, dict[str, Any]]]) -> None:
    found = meant("zendesk", said)

    assert events(found) == facts
    assert found.passed_over == (0 if facts else 1)


def test_its_id_its_instant_and_whose_it_is() -> None:
    line = lines(meant("zendesk", event("ticket.created")))[0]

    assert (line["id"], line["ts"]) == ("cbe4028c-7239-495d-b020-f22348516046", 1_736_331_127_672)
    assert (line["account_id"], line["source"]) == ("8447346622462", "zendesk")
    assert "user_id" not in line


def test_who_answered_a_survey_is_told_apart() -> None:
    assert lines(meant("zendesk", score("BAD")))[0]["user_id"] == "8447388090494"


@pytest.mark.parametrize("organization", [None, "", "0", 0])
def test_a_ticket_of_no_organization_is_kept(organization: Any) -> None:
    found = meant("zendesk", event("ticket.created", organization_id=organization))

    assert [each.reason for each in found.letters] == ["unlinked"]
    assert not found.lines
