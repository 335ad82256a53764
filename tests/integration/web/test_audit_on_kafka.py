"""Every command that changes something says so in the audit log first; users, on a real Kafka."""

from __future__ import annotations

import asyncio
import fcntl
import os
import subprocess
import sys
import termios
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import httpx
import pytest

from pulse.cli import _COMMANDS
from pulse.model import AuditEntry, Change
from pulse.readmodel import ReadModel
from pulse.testing.system import System
from tests.integration.collecting import wait_for
from tests.integration.web.process import Webbing
from tests.integration.web.webbing import SAME_ORIGIN, document, forms, plain

if TYPE_CHECKING:
    from pathlib import Path

    from pulse.model import Alert
    from pulse.testing.kafka import KafkaServer
    from pulse.testing.valkey import ValkeyServer

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(480)]

PASSWORD = "a horse and a staple"

LOOKS = {
    "account", "accounts", "alerts", "audit", "backtest", "calibrate", "check", "collect", "demo",
    "doctor", "export", "history", "replay", "send-test", "simulate", "try-route", "web", "work",
}  # fmt: skip
"""They look, run something, or work on files."""
ELSEWHERE = {
    "deliveries": "test_replays_on_kafka",
    "notify": "test_replays_on_kafka",
    "repartition": "test_repartition",
}
"""What becomes of these in the audit log is in other tests."""
UNSAID = {"emit", "topics"}
"""What they write is seen where they write it: events, and topics by their plan."""


class Typed(NamedTuple):
    """A command, and what the audit log says of it."""

    words: list[str]
    change: Change
    account_id: str | None = None
    subject: str | None = None


def changes(alert: Alert) -> dict[str, list[Typed]]:
    """Every command that changes something, by its name; in an order in which all can be done."""
    of = alert.id
    return {
        "silence": [
            Typed(["add", "--reason", "x", "--for", "2d", "--because", "y"], Change.silence_made),
            Typed(["end", "<silence>"], Change.silence_ended),
        ],
        "snooze": [
            Typed([of, "--for", "3d"], Change.alert_snoozed, "acme", of),
            Typed([of, "--lift"], Change.alert_lifted, "acme", of),
        ],
        "ack": [
            Typed([of], Change.alert_acknowledged, "acme", of),
            Typed([of, "--back"], Change.alert_lifted, "acme", of),
        ],
        "feedback": [Typed([of, "saved", "--note", "y"], Change.alert_closed, "acme", of)],
        "note": [
            Typed(["acme", "a secret"], Change.note_written, "acme"),
            Typed(["acme", "--erase", "<note>"], Change.note_erased, "acme"),
        ],
        "users": [
            Typed(["add", "kim", "--role", "member"], Change.user_added, None, "kim"),
            Typed(["role", "kim", "admin"], Change.user_role_set, None, "kim"),
            Typed(["password", "kim"], Change.user_password_set, None, "kim"),
            Typed(["remove", "kim"], Change.user_removed, None, "kim"),
        ],
        "tokens": [
            Typed(["make", "lee", "--role", "responder"], Change.token_made),
            Typed(["revoke", "<made>"], Change.token_revoked),
        ],
        "keys": [
            Typed(["make", "web-app"], Change.key_made),
            Typed(["revoke", "<made>"], Change.key_revoked),
        ],
        "source": [
            Typed(["stopped", "web-app"], Change.source_stopped, None, "web-app"),
            Typed(["running", "web-app"], Change.source_running, None, "web-app"),
        ],
        "rename": [Typed(["globex", "initech"], Change.account_renamed, "globex")],
        "forget": [
            Typed(["account", "umbrella"], Change.erased),
            Typed(["user", "ada-of-acme"], Change.erased),
            Typed(["user", "bob-of-acme", "--account", "acme"], Change.erased, "acme"),
        ],
        "activate": [Typed([], Change.configuration_activated)],
    }


async def put(account_id: str, webbing: Webbing) -> None:
    async with ReadModel(webbing.redis["url"], webbing.redis["prefix"]) as accounts:
        await accounts.write([document(account_id)])


def audited(webbing: Webbing) -> list[AuditEntry]:
    return [AuditEntry.model_validate_json(each.value) for each in webbing.system.read("audit")]


def test_every_command_that_changes_something_is_in_the_audit_log(webbing: Webbing) -> None:
    asyncio.run(put("acme", webbing))
    typed = changes(webbing.raises("acme"))
    assert set(_COMMANDS) == {*typed, *LOOKS, *ELSEWHERE, *UNSAID}
    assert [each.change for each in audited(webbing)] == [Change.token_made]  # by which we ask
    for name, commands in typed.items():
        made = ""
        for each in commands:
            words = [made.strip() if word.startswith("<") else word for word in each.words]
            made = webbing.pulse(name, *words, "--author", f"who-{name}", said=f"{PASSWORD}\n")
            told = audited(webbing)[-1]
            assert (told.change, told.account_id) == (each.change, each.account_id), words
            assert (told.who, told.way) == (f"who-{name}", "command_line")
            assert each.subject in (None, told.subject)
    kept = b"".join(each.value for each in webbing.system.read("audit"))
    count = sum(map(len, typed.values()))
    assert len(audited(webbing)) == 1 + count
    assert len({each.id for each in audited(webbing)}) == 1 + count
    # Neither secrets, nor what was erased.
    for word in (PASSWORD, "argon2", "umbrella", "ada-of-acme", "bob-of-acme", "a secret"):
        assert word.encode() not in kept

    # It is read: by a command, by the API, and a new entry within a second.
    shown = webbing.pulse("audit", "--what", "user_added")
    assert " ".join(shown.splitlines()[1].split()[3:]).endswith("user added kim, role: member")
    of_acme = webbing.pulse("audit", "--account", "acme", "--json", "--limit", "0").splitlines()
    assert len(of_acme) == 8
    admin = webbing.pulse("tokens", "make", "mo", "--role", "admin").strip()
    headers = {"Authorization": f"Bearer {admin}"}

    def newest() -> dict[str, object]:
        answered = webbing.http.get("/api/v1/audit?limit=1", headers=headers)
        return dict(answered.json()["items"][0]) if answered.status_code == 200 else {}

    wait_for(lambda: newest().get("details") == {"name": "mo", "role": "admin"})
    assert webbing.http.get("/api/v1/audit").status_code == 403


def test_without_the_audit_log_a_command_changes_nothing(
    kafka: KafkaServer, tmp_path: Path, unique: str
) -> None:
    system = System(kafka.bootstrap, tmp_path, prefix=unique, partitions=1)
    names = [name for name, _ in system.config.kafka.topics if name != "audit"]
    for name in names:
        system.create_topic(name)
    silence = ["silence", "add", "--reason", "x", "--for", "2d", "--because", "y"]
    for words in (["users", "add", "kim"], ["forget", "account", "acme"], silence):
        assert f"{unique}.audit" in system.command(*words, said=f"{PASSWORD}\n", fails=True)
    assert not [each for name in names for each in system.read(name)]


# -- users -----------------------------------------------------------------------------------------


def come(webbing: Webbing, name: str, password: str) -> tuple[httpx.Client, int]:
    """A browser that has sent the form, and what it was told."""
    headers = {**SAME_ORIGIN, "Origin": webbing.url}
    browser = httpx.Client(base_url=webbing.url, headers=headers, timeout=60)
    form = forms(browser.get("/sign-in"))["/sign-in"]["form"]
    said = {"form": form, "next": "/", "name": name, "password": password}
    return browser, browser.post("/sign-in", data=said).status_code


def test_users_sign_in_and_changes_hold_without_a_restart(webbing: Webbing) -> None:
    danger = webbing.raises("acme")
    assert "pulse users add" in webbing.http.get("/sign-in").text
    refused = webbing.pulse("users", "add", "kim", fails=True, said="too short\n")
    assert "at least 12 characters" in refused
    assert not webbing.system.read("users")
    webbing.pulse("users", "add", "kim", "--role", "member", "--name", "Kim L", said=PASSWORD)
    # Not by trying: who comes before the process has heard of it has a name that is wrong.
    wait_for(lambda: "pulse users add" not in webbing.http.get("/sign-in").text)
    browser, status = come(webbing, "kim", PASSWORD)
    assert status == 303
    shown = browser.get("/accounts/acme")
    assert "kim, member" in plain(shown)
    form = forms(shown)[f"/alerts/{danger.id}/acknowledge"]
    assert browser.post(f"/alerts/{danger.id}/acknowledge", data=form).status_code == 303
    (told,) = [each for each in audited(webbing) if each.change is Change.alert_acknowledged]
    assert (told.who, told.way) == ("kim", "user")

    assert "there is a user kim already" in webbing.pulse(
        "users", "add", "kim", fails=True, said=PASSWORD
    )
    assert "no user lee" in webbing.pulse("users", "remove", "lee", fails=True)
    webbing.pulse("users", "role", "kim", "admin")
    wait_for(lambda: "kim, admin" in plain(browser.get("/silences")))
    assert webbing.pulse("users", "list").split()[2:] == ["admin", "Kim", "L"]
    webbing.pulse("users", "password", "kim", said="another horse and staple\n")
    wait_for(lambda: browser.get("/silences").status_code == 303)
    assert come(webbing, "kim", PASSWORD)[1] == 401
    browser, status = come(webbing, "kim", "another horse and staple")
    assert status == 303
    webbing.pulse("users", "remove", "kim")
    wait_for(lambda: browser.get("/silences").status_code == 303)
    assert webbing.pulse("users", "list") == ""
    kept = b"".join(record.value or b"" for record in webbing.system.read("users"))
    assert b"horse" not in kept


def test_at_a_terminal_a_password_is_asked_for_twice_and_not_shown(webbing: Webbing) -> None:
    def typed(*lines: str) -> tuple[int, str]:
        """What a command says at a terminal where these are typed."""
        ours, theirs = os.openpty()
        command = [sys.executable, "-c", "import pulse.cli; pulse.cli.main()", "users", "add", "mo"]
        process = subprocess.Popen(
            [*command, "--config", str(webbing.system.folder / "pulse.yaml")],
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(theirs)
        shown = ""
        for prompt, line in zip(("characters: ", "again: "), lines, strict=False):
            deadline = time.monotonic() + 60
            while prompt not in shown:
                assert time.monotonic() < deadline, shown
                shown += os.read(ours, 1_000).decode()
            os.write(ours, f"{line}\n".encode())
        code = process.wait(60)
        with suppress(OSError):  # as Linux says that there is no more
            while said := os.read(ours, 10_000):
                shown += said.decode()
        os.close(ours)
        return code, shown

    code, shown = typed(PASSWORD, "another horse")
    assert (code, "that was not twice the same" in shown) == (1, True)
    code, shown = typed(PASSWORD, PASSWORD)
    assert (code, "added: mo, viewer" in shown, "horse" in shown) == (0, True, False), shown
    assert [each.change for each in audited(webbing)] == [Change.token_made, Change.user_added]


def test_a_proxy_lets_people_in_through_a_real_server(
    kafka: KafkaServer, valkey: ValkeyServer, tmp_path: Path, unique: str
) -> None:
    webbing = Webbing(
        kafka.bootstrap, valkey, tmp_path, unique,
        proxy_auth={"header": "X-User", "trusted": ["127.0.0.2"], "default_role": "member"},
    )  # fmt: skip
    try:
        proxy = httpx.HTTPTransport(local_address="127.0.0.2")
        said = {**SAME_ORIGIN, "Origin": webbing.url, "X-User": "kim"}
        behind = httpx.Client(base_url=webbing.url, transport=proxy, headers=said, timeout=60)
        # Whoever is near may say whose address it was, which makes it no proxy that is trusted.
        claims = httpx.Client(
            base_url=webbing.url, headers={**said, "X-Forwarded-For": "127.0.0.2"}, timeout=60
        )
        shown = behind.get("/silences")
        assert "kim, member" in plain(shown)
        assert claims.get("/silences").status_code == 303
        made = behind.post(
            "/silences",
            data={**forms(shown)["/silences"], "reasons": "x", "reason": "y", "for": "1d"},
        )
        assert made.status_code == 303
        (told,) = [each for each in audited(webbing) if each.change is Change.silence_made]
        assert (told.who, told.way) == ("kim", "proxy")
        assert webbing.process.metric("pulse_web_untrusted_headers_total") == 1
    finally:
        webbing.system.stop()
