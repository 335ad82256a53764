"""The receiver kind `slack`: an incoming webhook of Slack's, with Block Kit.

A section for the title, one for each alert and one for what is to be said of all: 27 of the 50
blocks that a message may have. What does not fit into the whole is told by its first line and a
link, then counted. Links are in the text: a button of an incoming webhook shows a warning where no
app answers for it.
"""

import json
import re
from http import HTTPStatus
from typing import Any, Final

from pulse.notifier.messages.facts import AlertFacts, facts_of
from pulse.notifier.messages.templates import Rendered, Templates
from pulse.notifier.receiver import Attempt, Notification, Outcome, ReceiverSettings, Verdict
from pulse.notifier.receivers.http import JSON, Answer, HttpClient, read_answer

MAX_TEXT: Final = 2_000
"""Characters of a section; Slack takes 3,000 in its text and 2,000 in a field."""
MAX_BLOCKS: Final = 12_000
"""Characters of all blocks as JSON. Slack documents no such limit, and answers
`msg_blocks_too_long` from 13,200 on (https://github.com/slackapi/bolt-js/issues/2509)."""
_MAX_TITLE: Final = 300
_MAX_LINE: Final = 200
_UNFINISHED: Final = re.compile(r"(&[a-z]{0,4}|<[^<>]*)$")
_NO_MORE: Final = frozenset(
    {
        "channel_is_archived",
        "invalid_token",
        "no_active_hooks",
        "no_service",
        "no_team",
        "team_disabled",
    }
)
"""What it answers where nothing will ever be taken again until somebody mends it."""


class Slack:
    """Posts to one incoming webhook, whose address is the secret."""

    def __init__(self, settings: ReceiverSettings, templates: Templates) -> None:
        self._settings = settings
        self._templates = templates
        self._http = HttpClient(settings)

    async def send(self, notification: Notification, attempt: Attempt) -> Outcome:
        facts = facts_of(notification, self._settings.timezone)
        body = slack_body(self._templates.render(facts), facts.alerts)
        answer = await self._http.post(self._settings.url, _json(body).encode(), JSON)
        return answer if isinstance(answer, Outcome) else _outcome(answer, attempt)

    async def close(self) -> None:
        await self._http.close()


def slack_body(message: Rendered, alerts: tuple[AlertFacts, ...]) -> dict[str, Any]:
    """The message, within Slack's limits. `text` is what notifications of a phone show."""
    texts = [cut(each, MAX_TEXT) for each in message.alerts]
    body = _body(message, texts)
    for number in reversed(range(len(texts))):
        if len(_json(body["blocks"])) <= MAX_BLOCKS:
            break
        texts[number] = _in_short(texts[number], alerts[number])
        body = _body(message, texts)
    while len(_json(body["blocks"])) > MAX_BLOCKS and texts:
        texts.pop()
        body = _body(message, texts)
    return body


def _body(message: Rendered, texts: list[str]) -> dict[str, Any]:
    title = cut(message.title, _MAX_TITLE)
    left_out = len(message.alerts) - len(texts)
    more = f"… and {left_out} more" if left_out else ""
    blocks: list[dict[str, Any]] = [
        {"type": "section", "text": _text(each)} for each in (title, *texts, more) if each
    ]
    if message.footer:
        blocks.append({"type": "context", "elements": [_text(cut(message.footer, MAX_TEXT))]})
    return {"text": title, "blocks": blocks}


def _in_short(text: str, alert: AlertFacts) -> str:
    """The first line, and the first link, where there is one."""
    line = cut(text.partition("\n")[0], _MAX_LINE)
    link = ""
    if alert.links:
        opens = alert.links[0]
        link = f"<{opens.url.replace('&', '&amp;')}|{opens.label}>"
    return "\n".join(each for each in (line, link) if each)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


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
