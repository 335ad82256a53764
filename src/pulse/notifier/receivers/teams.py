"""The receiver kind `teams`: an Adaptive Card, posted to the URL of a workflow of Microsoft Teams.

All text is in runs (`TextRun`), which have no Markdown: a name cannot become a link or a heading,
and nothing has to be escaped. A link is a run that opens an address.
"""

import json
from typing import Any, Final

from pulse.notifier.messages.facts import AlertFacts, facts_of
from pulse.notifier.messages.templates import Rendered, Templates
from pulse.notifier.receiver import Attempt, Notification, Outcome, ReceiverSettings
from pulse.notifier.receivers.http import JSON, HttpClient, read_answer

SCHEMA: Final = "http://adaptivecards.io/schemas/adaptive-card.json"
VERSION: Final = "1.4"
MAX_BODY_BYTES: Final = 27_000
"""Teams takes 28 KB."""
_MAX_LINE: Final = 1_000


class Teams:
    """Posts to one workflow, whose address is the secret."""

    def __init__(self, settings: ReceiverSettings, templates: Templates) -> None:
        self._settings = settings
        self._templates = templates
        self._http = HttpClient(settings)

    async def send(self, notification: Notification, attempt: Attempt) -> Outcome:
        facts = facts_of(notification, self._settings.timezone)
        body = teams_body(self._templates.render(facts), facts.alerts)
        answer = await self._http.post(self._settings.url, body, JSON)
        if isinstance(answer, Outcome):
            return answer
        return read_answer(answer.status, answer.retry_after, attempt, answer.said)

    async def close(self) -> None:
        await self._http.close()


def teams_body(message: Rendered, alerts: tuple[AlertFacts, ...]) -> bytes:
    """The message with its card. What does not fit is told by its first line, then not at all."""
    texts = list(message.alerts)
    number = len(texts) - 1
    body = _encode(message, texts, alerts)
    while len(body) > MAX_BODY_BYTES and number >= 0:
        texts[number] = texts[number].partition("\n")[0][:200]
        number -= 1
        body = _encode(message, texts, alerts)
    while len(body) > MAX_BODY_BYTES and texts:
        texts.pop()
        body = _encode(message, texts, alerts)
    return body


def _encode(message: Rendered, texts: list[str], alerts: tuple[AlertFacts, ...]) -> bytes:
    items: list[dict[str, Any]] = [
        _lines(message.title, style={"weight": "Bolder", "size": "Medium"})
    ]
    for text, alert in zip(texts, alerts, strict=False):
        shown = [_lines(text)] if text else []
        if alert.links:
            shown.append(_links(alert))
        items.append({"type": "Container", "separator": True, "items": shown})
    if message.footer:
        items.append(_lines(message.footer, style={"isSubtle": True}))
    card = {
        "$schema": SCHEMA,
        "type": "AdaptiveCard",
        "version": VERSION,
        "fallbackText": message.title[:_MAX_LINE],
        "msteams": {"width": "Full"},
        "body": items,
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    whole = {"type": "message", "attachments": [attachment]}
    return json.dumps(whole, ensure_ascii=False).encode()


def _lines(text: str, style: dict[str, Any] | None = None) -> dict[str, Any]:
    lines = [line[:_MAX_LINE] for line in text.splitlines() if line] or [" "]
    runs: list[dict[str, Any]] = []
    for number, line in enumerate(lines):
        end = "\n" if number < len(lines) - 1 else ""
        runs.append({"type": "TextRun", "text": line + end, **(style or {})})
    return {"type": "RichTextBlock", "inlines": runs}


def _links(alert: AlertFacts) -> dict[str, Any]:
    runs: list[dict[str, Any]] = []
    for each in alert.links:
        if runs:
            runs.append({"type": "TextRun", "text": " · "})
        opens = {"type": "Action.OpenUrl", "url": each.url}
        runs.append({"type": "TextRun", "text": each.label, "selectAction": opens})
    return {"type": "RichTextBlock", "inlines": runs}
