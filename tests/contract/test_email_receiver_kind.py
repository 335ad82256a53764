"""The receiver kind `email`: a real SMTP server, with TLS, and a mail read as mail clients do."""

import asyncio
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP as Server
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from pulse.notifier.kinds import make_receiver
from pulse.notifier.messages.templates import Style, Templates
from pulse.notifier.receiver import Attempt, Notification, Outcome, ReceiverSettings, Verdict
from pulse.notifier.receivers.email import EmailOptions
from pulse.processes import free_port
from pulse.testing.alerts import sample_alert

PASSWORD = "hunter2hunter2"


class Mailbox:
    """What was taken; answers as told, by command."""

    def __init__(self, **answers: str) -> None:
        self.answers = answers
        self.mails: list[EmailMessage] = []
        self.envelopes: list[Envelope] = []
        self.peers: list[Session] = []

    async def handle_RCPT(  # aiosmtpd calls it so
        self, server: Server, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        answer = self.answers.get(address.partition("@")[0], self.answers.get("rcpt", "250 OK"))
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Server, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        answer = self.answers.get("data", "250 queued")
        if answer.startswith("250"):
            mail = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(mail, EmailMessage)
            self.mails.append(mail)
            self.envelopes.append(envelope)
            self.peers.append(session)
        return answer


def tls_of(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    return context


@contextmanager
def serving(mailbox: Mailbox, **settings: Any) -> Iterator[int]:
    """A real SMTP server in a thread; its port."""
    controller = Controller(
        mailbox, hostname="127.0.0.1", port=free_port(), ready_timeout=60, **settings
    )
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def options(port: int, **changes: Any) -> EmailOptions:
    given = EmailOptions(
        host="localhost",
        port=port,
        security="none",
        sender="pulse <pulse@example.com>",
        recipients=("kim@example.com", "Lee <lee@example.com>"),
        allow_private=True,
        text=Templates(Style.TEXT),
        html=Templates(Style.HTML),
    )
    return replace(given, **changes)


async def send(given: EmailOptions, *notices: Notification, timeout_s: float = 30) -> Outcome:
    settings = ReceiverSettings(name="mail", kind="email", timeout_s=timeout_s, options=given)
    receiver = make_receiver(settings)
    outcome = None
    for each in notices or (Notification(id="n1", alerts=(sample_alert("acme"),)),):
        outcome = await receiver.send(each, Attempt(1, time.time_ns() // 1_000_000))
    await receiver.close()
    assert outcome is not None
    return outcome


def parts_of(mail: EmailMessage) -> tuple[str, str, list[EmailMessage]]:
    """The plain part, the HTML part, the pictures."""
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    pictures = [
        each
        for each in mail.walk()
        if each.get_content_type() == "image/png" and isinstance(each, EmailMessage)
    ]
    return text.get_content(), html.get_content(), pictures


async def test_a_mail_says_who_why_and_what_to_do_with_the_score_as_a_picture() -> None:
    alert = sample_alert("acme", scores=(62, 58, None, 44, 37))
    links = {alert.id: {"alert": "https://pulse.example/a?b=1&c=2"}}
    mailbox = Mailbox()
    with serving(mailbox) as port:
        given = Notification(id="n1", alerts=(alert,), links=links)
        outcome = await send(options(port), given)

    assert (outcome.verdict, outcome.reason) == (Verdict.DELIVERED, "ok")
    (mail,) = mailbox.mails
    assert mail["Subject"] == "[critical] Acme: below the danger line"
    assert mail["From"] == "pulse <pulse@example.com>"
    assert mail["To"] == "kim@example.com, Lee <lee@example.com>"
    assert mail["Message-ID"] == "<n1@example.com>"
    assert mailbox.envelopes[0].rcpt_tos == ["kim@example.com", "lee@example.com"]
    assert mailbox.envelopes[0].mail_from == "pulse@example.com"
    assert mailbox.peers[0].host_name == "example.com"
    text, html, (picture,) = parts_of(mail)
    assert "Acme is in danger: its score fell to 31." in text
    assert "▆▆·▅▄▄ score 31.2, danger below 40 (▁▂▃▄)" in text
    assert "Open: https://pulse.example/a?b=1&c=2" in text
    assert '<a href="https://pulse.example/a?b=1&amp;c=2">Open</a>' in html
    assert f'src="cid:{picture["Content-ID"].strip("<>")}"' in html
    assert picture.get_content().startswith(b"\x89PNG")
    assert picture.get_content_disposition() == "inline"


async def test_an_end_stands_below_its_beginning_and_a_repeat_has_the_same_id() -> None:
    mailbox = Mailbox()
    first = Notification(id="n1", alerts=(sample_alert("acme"),))
    last = Notification(id="n2", alerts=(sample_alert("acme", "resolved"),))
    with serving(mailbox) as port:
        await send(options(port), first, first, last)

    ids = [each["Message-ID"] for each in mailbox.mails]
    assert ids == ["<n1@example.com>", "<n1@example.com>", "<n2@example.com>"]
    assert len({each["References"] for each in mailbox.mails}) == 1


async def test_a_name_is_no_markup_and_no_header() -> None:
    evil = '<script>alert("x")</script>\r\nBcc: all@example.com'
    alert = sample_alert("acme", summary=evil)
    name = alert.profile.model_copy(update={"name": evil})
    alert = alert.model_copy(update={"profile": name})
    mailbox = Mailbox()
    with serving(mailbox) as port:
        await send(options(port), Notification(id="n", alerts=(alert,)))

    (mail,) = mailbox.mails
    assert mail["Bcc"] is None
    assert mailbox.envelopes[0].rcpt_tos == ["kim@example.com", "lee@example.com"]
    html = parts_of(mail)[1]
    assert "<script" not in html
    assert "&lt;script&gt;alert(&quot;x&quot;)" in html


async def test_several_alerts_are_one_mail_with_a_picture_each() -> None:
    alerts = tuple(sample_alert(f"a{number}") for number in range(25))
    mailbox = Mailbox()
    with serving(mailbox) as port:
        given = Notification(id="n", alerts=alerts, group=(("owner", "kim"),), is_digest=True)
        await send(options(port), given)

    (mail,) = mailbox.mails
    assert mail["Subject"] == "Digest of 25 alerts for owner kim: A0, A1, A2 and 22 more"
    assert len(parts_of(mail)[2]) == 25
    assert len(bytes(mail)) < 200_000


# Where all is encrypted from the first byte on, aiosmtpd does not know that it is.
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize("trusted", [True, False])
async def test_mail_goes_encrypted_to_a_server_that_is_known_or_not_at_all(
    security: Any, trusted: bool, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    mailbox, passwords = Mailbox(), []

    def authenticate(*given: Any) -> AuthResult:
        login = given[-1]
        assert isinstance(login, LoginPassword)
        passwords.append(login.password)
        return AuthResult(success=login.password == PASSWORD.encode(), handled=False)

    tls = {"tls_context" if security == "starttls" else "ssl_context": tls_of(certificate)}
    login = {"username": "pulse", "password": PASSWORD}
    with serving(
        mailbox,
        authenticator=authenticate,
        auth_required=True,
        auth_require_tls=security == "starttls",
        **tls,
    ) as port:
        outcome = await send(options(port, security=security, **login))
        wrong = await send(options(port, security=security, **login | {"password": "wrong-wrong"}))

    if trusted:
        assert outcome.verdict is Verdict.DELIVERED
        assert len(mailbox.mails) == 1
        assert (wrong.verdict, wrong.reason) == (Verdict.RETRY, "smtp_535")
    else:
        assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, "tls")
        assert passwords == []


async def test_a_server_without_starttls_gets_nothing() -> None:
    mailbox = Mailbox()
    with serving(mailbox) as port:
        outcome = await send(options(port, security="starttls"))

    assert outcome.verdict is Verdict.RETRY
    assert mailbox.mails == []


@pytest.mark.parametrize(
    ("answers", "verdict", "reason"),
    [
        ({"data": "250 queued as 1"}, Verdict.DELIVERED, "ok"),
        ({"kim": "550 5.1.1 no such user"}, Verdict.DELIVERED, "recipients_refused"),
        ({"rcpt": "550 5.1.1 no such user"}, Verdict.RETRY, "smtp_550"),
        ({"rcpt": "450 4.2.0 greylisted"}, Verdict.THROTTLED, "smtp_450"),
        ({"data": "452 4.3.1 full"}, Verdict.THROTTLED, "smtp_452"),
        ({"data": "421 4.7.0 slow down"}, Verdict.THROTTLED, "smtp_421"),
        ({"data": "554 5.7.1 spam"}, Verdict.RETRY, "smtp_554"),
    ],
)
async def test_what_its_answers_mean(
    answers: dict[str, str], verdict: Verdict, reason: str
) -> None:
    mailbox = Mailbox(**answers)
    with serving(mailbox) as port:
        outcome = await send(options(port))

    assert (outcome.verdict, outcome.reason) == (verdict, reason)
    assert len(mailbox.mails) == (verdict is Verdict.DELIVERED)
    if "kim" in answers:
        assert outcome.detail.startswith("1 of the recipients were refused: 5")


async def test_what_a_server_says_is_not_repeated_with_addresses_or_passwords() -> None:
    mailbox = Mailbox(data=f"554 kim@example.com with {PASSWORD} is refused")
    with serving(mailbox) as port:
        outcome = await send(options(port, username=None, password=PASSWORD))

    assert "refused" in outcome.detail
    assert "kim@" not in outcome.detail
    assert "hunter2" not in outcome.detail


async def test_a_server_that_hangs_is_given_up() -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    began_s = time.monotonic()
    outcome = await send(options(server.sockets[0].getsockname()[1]), timeout_s=0.3)
    server.close()

    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, "timeout")
    assert time.monotonic() - began_s < 30  # the server takes a minute


async def test_a_server_that_never_ends_a_line_is_given_up() -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(b"220-" + b"x" * 65536)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(flood, "127.0.0.1", 0)
    outcome = await send(options(server.sockets[0].getsockname()[1]), timeout_s=2)
    server.close()

    assert outcome.verdict is Verdict.RETRY
    assert len(outcome.detail) < 300


async def test_a_closed_port_and_a_name_there_is_not_are_tried_again() -> None:
    mailbox = Mailbox()
    with serving(mailbox) as port:
        pass

    assert (await send(options(port))).reason == "connect"
    assert (await send(options(25, host="no-such-host.invalid"))).reason == "dns"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::ffff:127.0.0.1", "127.1", "0x7f.1"])
async def test_an_inner_address_is_refused_unless_it_is_allowed(host: str) -> None:
    mailbox = Mailbox()
    with serving(mailbox) as port:
        outcome = await send(options(port, host=host, allow_private=False))

    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, "address_refused")
    assert mailbox.mails == []
