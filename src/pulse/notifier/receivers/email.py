"""The receiver kind `email`: SMTP, a text and an HTML part, each score drawn as a picture inside.

`Message-ID` is that of the notification, the same over all attempts, by which a mailbox recognises
a repeat; what is of one alert refers to it, so its end stands below its beginning. The socket is
opened here, to an address that was checked, and handed to the client.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, parseaddr
from typing import Final, Literal

import aiosmtplib

from pulse.notifier.messages.facts import MessageFacts, facts_of
from pulse.notifier.messages.sparkline import picture, scores_of
from pulse.notifier.messages.templates import Rendered, Templates
from pulse.notifier.receiver import Attempt, Notification, Outcome, ReceiverSettings, Verdict
from pulse.notifier.receivers import address
from pulse.notifier.receivers.http import USER_AGENT, brief, without_secrets

Security = Literal["starttls", "tls", "none"]

_MAX_SUBJECT: Final = 200
_BUSY: Final = frozenset({421, 450, 451, 452})
"""It has too much to do, or wants to see whether the sender comes again (greylisting)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailOptions:
    """Where mail is handed in, by whom, from whom and to whom."""

    host: str
    port: int
    security: Security
    sender: str
    recipients: tuple[str, ...]
    username: str | None = None
    password: str = field(default="", repr=False)
    allow_private: bool = False
    text: Templates
    html: Templates


class Email:
    """Sends mail by one server."""

    def __init__(self, settings: ReceiverSettings, options: EmailOptions) -> None:
        self._settings = settings
        self._options = options
        self._tls = ssl.create_default_context()

    async def send(self, notification: Notification, attempt: Attempt) -> Outcome:
        message = self.message(notification, attempt.at_ms)
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                return await self._hand_in(message)
        except (aiosmtplib.SMTPException, TimeoutError, OSError, ValueError) as error:
            return self._failure(error)

    async def close(self) -> None:
        """Nothing is kept open between two messages."""

    def message(self, notification: Notification, at_ms: int) -> EmailMessage:
        """The mail of a notification."""
        options = self._options
        facts, pictures = _with_pictures(notification, self._settings.timezone)
        text, html = options.text.render(facts), options.html.render(facts)
        message = EmailMessage(policy=SMTP_POLICY)
        message["From"] = options.sender
        message["To"] = ", ".join(options.recipients)
        message["Subject"] = text.title[:_MAX_SUBJECT]
        message["Date"] = format_datetime(datetime.fromtimestamp(at_ms / 1000, UTC))
        message["Message-ID"] = f"<{notification.id}@{_domain(options.sender)}>"
        if len(notification.alerts) == 1:
            message["References"] = f"<{notification.alert.id}@{_domain(options.sender)}>"
        message["Auto-Submitted"] = "auto-generated"
        message["X-Mailer"] = USER_AGENT
        message.set_content(_text_page(text))
        message.add_alternative(_html_page(html), subtype="html")
        page = message.get_payload()[1]  # type: ignore[index]  # the two alternatives
        for cid, data in pictures.items():
            page.add_related(  # type: ignore[union-attr]  # a part is a message, and no text
                data, "image", "png", cid=f"<{cid}>", disposition="inline"
            )
        return message

    async def _hand_in(self, message: EmailMessage) -> Outcome:
        options = self._options
        connected = await address.connected_socket(
            options.host, options.port, allow_private=options.allow_private
        )
        client = aiosmtplib.SMTP(
            hostname=options.host,
            port=None,
            sock=connected,
            use_tls=options.security == "tls",
            start_tls=options.security == "starttls",
            tls_context=self._tls,
            # What the sender is called, not what this machine is.
            local_hostname=_domain(options.sender),
            timeout=self._settings.timeout_s,
        )
        try:
            await client.connect()
            if options.username is not None:
                await client.login(options.username, options.password)
            refused, said = await client.send_message(
                message, sender=parseaddr(options.sender)[1], recipients=_bare(options.recipients)
            )
        finally:
            client.close()  # with the socket, which is the client's from `connect` on
        if refused:
            codes = ", ".join(sorted({str(code) for code, _ in refused.values()}))
            return Outcome(
                Verdict.DELIVERED,
                "recipients_refused",
                detail=f"{len(refused)} of the recipients were refused: {codes}",
            )
        return Outcome(Verdict.DELIVERED, "ok", detail=self._said(said))

    def _failure(self, error: Exception) -> Outcome:
        refused = address.refused_in(error)
        if refused is not None:
            return Outcome(Verdict.RETRY, "address_refused", detail=str(refused))
        code, said = _answer_in(error)
        if code is not None:
            verdict = Verdict.THROTTLED if code in _BUSY else Verdict.RETRY
            return Outcome(verdict, f"smtp_{code}", detail=self._said(said))
        reason = _reason(error)
        return Outcome(Verdict.RETRY, reason, detail=self._said(brief(error)))

    def _said(self, text: str) -> str:
        options = self._options
        line = re.sub(r"[^ -~]+", " ", text)[:200].strip()
        # What a server says may have the addresses that it speaks of.
        return without_secrets(
            line, (options.password, options.username or "", *_bare(options.recipients))
        )


def _answer_in(error: Exception) -> tuple[int | None, str]:
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        first = error.recipients[0]
        return first.code, first.message
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return error.code, error.message
    return None, ""


def _reason(error: Exception) -> str:
    match error:
        case TimeoutError():  # aiosmtplib's are, too
            return "timeout"
        case ssl.SSLError():
            return "tls"
        case aiosmtplib.SMTPServerDisconnected() | ConnectionResetError():
            return "disconnected"
        case aiosmtplib.SMTPConnectError():
            return "tls" if "ssl" in str(error).lower() else "connect"
        case aiosmtplib.SMTPException():
            return "smtp"
        case OSError():
            return "dns" if isinstance(error, socket.gaierror) else "connect"
        case _:
            return "bad_message"


def _with_pictures(
    notification: Notification, timezone: str
) -> tuple[MessageFacts, dict[str, bytes]]:
    """The facts with the addresses of the pictures, and the pictures by them."""
    facts = facts_of(notification, timezone)
    alerts, pictures = [], {}
    for alert, said in zip(notification.alerts, facts.alerts, strict=True):
        if scores := scores_of(alert):
            cid = f"{alert.id}.{alert.status}@pulse"
            pictures[cid] = picture(scores, alert.line.enter, alert.line.approach)
            said = replace(said, picture=f"cid:{cid}")
        alerts.append(said)
    return replace(facts, alerts=tuple(alerts)), pictures


def _text_page(message: Rendered) -> str:
    parts = [*message.alerts, message.footer]
    return "\n\n".join(each for each in parts if each) + "\n"


def _html_page(message: Rendered) -> str:
    parts = "\n<hr>\n".join(each for each in (*message.alerts, message.footer) if each)
    return (
        '<!doctype html>\n<html><head><meta charset="utf-8">'
        f"</head><body>\n<h2>{message.title}</h2>\n{parts}\n</body></html>\n"
    )


def _domain(sender: str) -> str:
    return parseaddr(sender)[1].rpartition("@")[2] or "localhost"


def _bare(recipients: Iterable[str]) -> list[str]:
    return [parseaddr(each)[1] for each in recipients]
