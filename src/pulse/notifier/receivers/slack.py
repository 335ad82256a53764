"""The receiver kind `slack`: an incoming webhook of Slack's, with Block Kit.

A section for the title, one for each alert and one for what is to be said of all: 27 of the 50
blocks that a message may have. Links are in the text: a button of an incoming webhook shows a
warning where no app answers for it.
"""

import json
import re
from http import HTTPStatus
from typing import Any, Final

from pulse.notifier.messages.facts import facts_of
from pulse.notifier.messages.templates import Rendered, Templates
from pulse.notifier.receiver import Attempt, Notification, Outcome, ReceiverSettings, Verdict
from pulse.notifier.receivers.http import JSON, Answer, HttpClient, read_answer

MAX_TEXT: Final = 2_000
"""Characters of a section; Slack takes 3,000 in its text and 2,000 in a field."""
_MAX_TITLE: Final = 300
_UNFINISHED: Final = re.compile(r"(&[a-z]{0,4}|<[^<>]*)$")
_NO_MORE: Final = frozenset({"no_service", "no_team", "team_disabled", "channel_is_archived"})
"""What it answers where nothing will ever be taken again until somebody mends it."""


class Slack:
    """Posts to one incoming webhook, whose address is the secret."""

    def __init__(self, settings: ReceiverSettings, templates: Templates) -> None:
        self._settings = settings
        self._templates = templates
        self._http = HttpClient(settings)

    async def send(self, notification: Notification, attempt: Attempt) -> Outcome:
        facts = facts_of(notification, self._settings.timezone)
        body = json.dumps(slack_body(self._templates.render(facts)), ensure_ascii=False).encode()
        answer = await self._http.post(self._settings.url, body, JSON)
        return answer if isinstance(answer, Outcome) else _outcome(answer, attempt)

    async def close(self) -> None:
        await self._http.close()


def slack_body(message: Rendered) -> dict[str, Any]:
    """The message, within Slack's limits. `text` is what notifications of a phone show."""
    texts = [cut(message.title, _MAX_TITLE), *(cut(each, MAX_TEXT) for each in message.alerts)]
    blocks: list[dict[str, Any]] = [
        {"type": "section", "text": _text(each)} for each in texts if each
    ]
    if message.footer:
        blocks.append({"type": "context", "elements": [_text(cut(message.footer, MAX_TEXT))]})
    return {"text": texts[0], "blocks": blocks}


def cut(text: str, most: int) -> str:
    """The text, shortened where it is longer, never within a link or an entity.

    >>> cut("see <https://pulse.example|Open>", 20), cut("Q &amp; A", 6)
    ('see…', 'Q…')
    """
    if len(text) <= most:
        return text
    return _UNFINISHED.sub("", text[: most - 1]).rstrip() + "…"


def _text(text: str) -> dict[str, Any]:
    # Verbatim: what looks like an address or a channel in a name does not become a link.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _outcome(answer: Answer, attempt: Attempt) -> Outcome:
    # https://api.slack.com/messaging/webhooks#handling_errors
    gone = answer.status in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
    if gone and answer.said in _NO_MORE:
        return Outcome(Verdict.GONE, answer.said, answer.status, answer.said)
    return read_answer(answer.status, answer.retry_after, attempt, answer.said)
