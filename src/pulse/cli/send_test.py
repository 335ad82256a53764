"""`pulse send-test RECEIVER`: a sample alert, really sent, and what was answered."""

import asyncio
import time
from pathlib import Path
from typing import Annotated, Final

import typer

from pulse import logs
from pulse.config import Config
from pulse.config.receivers import Receiver
from pulse.config.suggestions import did_you_mean
from pulse.errors import PulseError
from pulse.notifier.kinds import make_receiver, settings_of
from pulse.notifier.messages.sample import sample_notification
from pulse.notifier.receiver import Attempt, Notification, Outcome, ReceiverSettings, Verdict

_HINTS: Final = {
    "address_refused": "if it shall stand inside your network, set allow_private: true",
    "apprise": "try the same address with apprise's own command: apprise -vv -b test ADDRESS",
    "bad_answer": "what listens there does not speak HTTP: is the port right?",
    "bad_url": "look at the address: it cannot be understood",
    "connect": "nothing listens there, or a firewall is between: are host and port right?",
    "disconnected": "it hung up without an answer: does it want TLS (https://, security: tls)?",
    "dns": "the name is not known here: is it spelt right, does this machine's DNS know it?",
    "http_400": "it did not understand what it was sent: is it what `kind` says?",
    "http_401": "it does not know the secret: is the right one in the variable or file?",
    "http_403": "it does not permit this: look at the secret, and at what it may do",
    "http_404": "there is nothing at this address: is the whole of it in the setting?",
    "http_405": "it takes no POST: is this the address for webhooks?",
    "http_410": "it wants nothing any more: make a new address, then pulse notify --enable",
    "http_429": "it has too much to do: try again later",
    "smtp": "the server could not do it: does it know STARTTLS? else security: tls or none",
    "smtp_530": "it wants a login, or encryption first: set username and security",
    "smtp_535": "it does not know the user or the password",
    "smtp_550": "it does not take mail for these recipients from this sender",
    "timeout": "no answer in time: is a firewall between? timeout_s says how long is waited",
    "tls": "its certificate is not trusted here, or not of this name: SSL_CERT_FILE names others",
}
_OTHERWISE: Final = {
    Verdict.RETRY: "what was answered is all that is known; its own log may say more",
    Verdict.THROTTLED: "it has too much to do, or is down: try again later",
    Verdict.GONE: "it wants nothing any more: make a new address",
}


def command(
    receiver: Annotated[str, typer.Argument(metavar="RECEIVER", help="Its name in the file.")],
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The configuration, like pulse.yaml.")
    ] = None,
    resolved: Annotated[
        bool, typer.Option("--resolved", help="The end of what an earlier test of today began.")
    ] = False,
    several: Annotated[
        bool, typer.Option("--several", help="Three alerts at once, as a group tells them.")
    ] = False,
) -> None:
    """Send a sample alert to a receiver, and say what it answered.

    The alert says that it is a test and is about no customer. It is sent as real ones are, in one
    attempt, whatever routes, hours and silences say. Ends with exit code 1 where it was not taken.

    Example: pulse send-test customer-success --config pulse.yaml
    """
    settings = settings_for(Config.load(config), receiver)
    logs.to_stderr()
    now_ms = time.time_ns() // 1_000_000
    notice = sample_notification(receiver, now_ms, resolved=resolved, several=several)
    began_s = time.monotonic()
    outcome = asyncio.run(_send(settings, notice, now_ms))
    print(in_words(settings, outcome, time.monotonic() - began_s))
    if outcome.verdict is not Verdict.DELIVERED:
        raise PulseError("the test did not arrive", hint=hint_of(outcome))


def settings_for(config: Config, name: str) -> ReceiverSettings:
    """The receiver of that name. Raises `PulseError`; secrets of others may be missing."""
    return settings_of(receiver_of(config, name), config.timezone)


def receiver_of(config: Config, name: str) -> Receiver:
    """The receiver of that name as it is configured. Raises `PulseError`."""
    for each in config.receivers:
        if each.name == name:
            return each
    names = [each.name for each in config.receivers]
    known = f"there are {', '.join(names)}" if names else "it has no receivers at all"
    raise PulseError(
        f'the configuration has no receiver "{name}"', hint=did_you_mean(name, names) or known
    )


def in_words(settings: ReceiverSettings, outcome: Outcome, took_s: float) -> str:
    """What was answered, in one line without secrets."""
    answer = [f"HTTP {outcome.http_status}"] if outcome.http_status else []
    if outcome.reason not in ("ok", f"http_{outcome.http_status}"):
        answer.append(outcome.reason)
    if outcome.detail and outcome.detail not in answer:
        answer.append(outcome.detail)
    if outcome.retry_after_s is not None:
        answer.append(f"come again in {outcome.retry_after_s:g} s")
    what = "delivered" if outcome.verdict is Verdict.DELIVERED else "not delivered"
    said = f" ({', '.join(answer)})" if answer else ""
    return f"{settings.name} ({settings.kind}): {what}{said}, after {took_s:.2f} s"


def hint_of(outcome: Outcome) -> str:
    """What to do about an outcome that is no delivery."""
    return _HINTS.get(outcome.reason) or _OTHERWISE[outcome.verdict]


async def _send(settings: ReceiverSettings, notice: Notification, now_ms: int) -> Outcome:
    receiver = make_receiver(settings)
    try:
        return await receiver.send(notice, Attempt(1, now_ms))
    finally:
        await receiver.close()
