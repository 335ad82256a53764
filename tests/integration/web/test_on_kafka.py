"""What is said over HTTP and on the command line, through Kafka, to whoever follows its topics."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

import msgspec
import pytest

from pulse.alerting.people.outcomes import outcome_of
from pulse.alerting.people.silences import Muted
from pulse.placement import partition_of
from pulse.processes import free_port
from pulse.readmodel import ReadModel
from pulse.testing.kafka import KafkaServer
from pulse.testing.system import System
from tests.integration.collecting import bearer, wait_for
from tests.integration.web.process import DAY_MS, Webbing
from tests.integration.web.webbing import document

if TYPE_CHECKING:
    from pathlib import Path

    from pulse.testing.valkey import ValkeyServer

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(480)]


def muted(webbing: Webbing) -> Muted:
    """What whoever reads the topic from its beginning knows."""
    found = Muted()
    for record in webbing.system.read("silences"):
        found.read(record.key.decode(), record.value)
    return found


def test_tokens_hold_and_are_revoked_without_a_restart(webbing: Webbing) -> None:
    new = webbing.pulse("tokens", "make", "lee", "--role", "admin").strip()

    def status() -> int:
        return webbing.http.get("/api/v1/alerts", headers=bearer(new)).status_code

    wait_for(lambda: status() == 200)
    listed = webbing.pulse("tokens", "list")
    assert "admin   lee" in listed
    assert new not in listed
    assert "revoked" in webbing.pulse("tokens", "revoke", new)
    wait_for(lambda: status() == 401)
    kept = b"".join(record.value or b"" for record in webbing.system.read("tokens"))
    assert new.encode() not in kept


def test_a_silence_of_either_side_is_known_on_the_other(webbing: Webbing) -> None:
    ends = {"match": {"segments": ["smb"]}, "reason": "a sale", "ends_at": "2999-01-01T00:00:00Z"}
    soon = {**ends, "ends_at": int(time.time() * 1000) + DAY_MS}
    assert webbing.http.post("/api/v1/silences", json=ends).status_code == 400
    made = webbing.http.post("/api/v1/silences", json=soon).json()["id"]
    listed = webbing.pulse("silence", "list")
    said = webbing.pulse(
        "silence", "add", "--reason", "usage_drop", "--for", "2d", "--because", "a move",
        "--author", "lee",
    ).strip()  # fmt: skip
    wait_for(lambda: webbing.http.get(f"/api/v1/silences/{said}").status_code == 200)
    webbing.pulse("silence", "end", made)
    wait_for(lambda: webbing.http.get(f"/api/v1/silences/{made}").json()["state"] == "expired")

    assert f"{made}  " in listed
    assert "segments=smb  kim: a sale" in listed
    assert set(muted(webbing).silences) == {made, said}
    assert muted(webbing).silences[said].author == "lee"
    assert made not in webbing.pulse("silence", "list")
    assert "it would hold every alert" in webbing.pulse(
        "silence", "add", "--for", "2d", "--because", "x", fails=True
    )


def test_an_alert_is_snoozed_taken_over_and_closed(webbing: Webbing) -> None:
    alert, other = webbing.raises("acme"), webbing.raises("globex", reason="silence")
    webbing.pulse("snooze", alert.id, "--for", "3d", "--because", "on leave", "--author", "lee")
    snoozed = muted(webbing).snoozes[alert.id]
    webbing.pulse("ack", alert.id, "--author", "lee")
    acknowledged = muted(webbing).snoozes[alert.id]
    webbing.pulse("ack", alert.id, "--back")
    assert alert.id not in muted(webbing).snoozes
    webbing.pulse("feedback", alert.id, "saved", "--note", "a new admin", "--author", "lee")
    closed = {"alert_id": other.id, "outcome": "false_alarm"}
    assert webbing.http.post("/api/v1/outcomes", json=closed).status_code == 201

    assert (snoozed.author, snoozed.reason, snoozed.until_ms is None) == ("lee", "on leave", False)
    assert acknowledged.until_ms is None
    events = [r for r in webbing.system.read("events") if outcome_of(r.value or b"")]
    assert {(r.key, r.partition) for r in events} == {
        (name.encode(), partition_of(name, 2)) for name in ("acme", "globex")
    }
    shown = webbing.http.get(f"/api/v1/alerts/{alert.id}").json
    wait_for(lambda: shown()["outcome"] is not None)
    assert shown()["outcome"]["note"] == "a new admin"
    report = webbing.pulse("feedback", "report", "--out", str(webbing.system.folder / "out"))
    assert [line.split() for line in report.splitlines()[1:]] == [
        ["danger", "1", "0", "0", "0", "100", "%"],
        ["silence", "0", "0", "1", "0", "0", "%"],
    ]
    written = (webbing.system.folder / "out").read_bytes().splitlines()
    assert {msgspec.json.decode(line)["account_id"] for line in written} == {"acme", "globex"}
    assert webbing.process.metric("pulse_alert_outcomes") == 2
    assert "no alert al_" in webbing.pulse("ack", "al_" + "a" * 26, fails=True)


async def test_a_note_goes_from_the_terminal_to_the_api_and_with_its_account(
    webbing: Webbing,
) -> None:
    async with ReadModel(webbing.redis["url"], webbing.redis["prefix"]) as accounts:
        await accounts.write([document("acme"), document("globex")])
    made = webbing.pulse("note", "acme", "They move\nin May", "--author", "lee").strip()
    by_api = webbing.http.post("/api/v1/notes", json={"account_id": "acme", "text": "Call them"})
    other = webbing.http.post("/api/v1/notes", json={"account_id": "globex", "text": "Fine"})

    def of(account_id: str) -> set[str]:
        answer = webbing.http.get("/api/v1/notes", params={"account": account_id})
        return {each["text"] for each in answer.json()["items"]}

    wait_for(lambda: of("acme") == {"They move\nin May", "Call them"})
    listed = webbing.pulse("note", "acme").splitlines()
    assert [line.split("  ")[2] for line in listed] == ["kim: Call them", "lee: They move in May"]
    assert 'no account "nobody"' in webbing.pulse("note", "nobody", "text", fails=True)
    assert f"erased: {made}" in webbing.pulse("note", "acme", "--erase", made)
    assert "has no note" in webbing.pulse("note", "acme", "--erase", made, fails=True)
    wait_for(lambda: of("acme") == {"Call them"})

    webbing.pulse("rename", "acme", "acme-inc")
    wait_for(lambda: (of("acme"), of("acme-inc")) == (set(), {"Call them"}))
    said = webbing.pulse("forget", "account", "acme-inc")
    wait_for(lambda: of("acme-inc") == set())
    assert "1 notes on it" in said
    assert of("globex") == {"Fine"}
    kept = {each.key.decode(): each.value for each in webbing.system.read("notes")}
    assert {key for key, value in kept.items() if value is not None} == {other.json()["id"]}
    assert kept[by_api.json()["id"]] is None


def test_after_a_restart_all_is_as_before_and_old_alerts_are_passed_over(
    kafka: KafkaServer, valkey: ValkeyServer, tmp_path: Path, unique: str
) -> None:
    webbing = Webbing(kafka.bootstrap, valkey, tmp_path, unique)
    try:
        old = webbing.raises("old", at_ms=int(time.time() * 1000) - 100 * DAY_MS)
        alert = webbing.raises("acme")
        webbing.http.put(f"/api/v1/alerts/{alert.id}/acknowledgement", json={})
        webbing.process.stop()
        webbing.process.start()
        shown = webbing.http.get(f"/api/v1/alerts/{alert.id}").json()

        assert shown["muted"]["kind"] == "acknowledged"
        assert webbing.http.get(f"/api/v1/alerts/{old.id}").status_code == 404
    finally:
        webbing.system.stop()


def test_while_kafka_is_away_it_says_so_and_goes_on_when_it_is_back(
    valkey: ValkeyServer, tmp_path: Path, unique: str
) -> None:
    (tmp_path / "kafka").mkdir()
    kafka = KafkaServer(tmp_path / "kafka")
    kafka.start()
    webbing = None
    try:
        webbing = Webbing(kafka.bootstrap, valkey, tmp_path, unique)
        alert = webbing.raises("acme")
        path = f"/api/v1/alerts/{alert.id}/acknowledgement"
        kafka.kill()
        refused = webbing.http.put(path, json={})
        assert (refused.status_code, refused.json()["error"]["reason"]) == (503, "kafka_away")
        # What is known is shown meanwhile.
        assert webbing.http.get(f"/api/v1/alerts/{alert.id}").status_code == 200
        kafka.start()
        wait_for(lambda: webbing.http.put(path, json={}).status_code == 200, 90)
        assert alert.id in muted(webbing).snoozes
    finally:
        if webbing is not None:
            webbing.system.stop()
        kafka.stop()


@pytest.mark.parametrize("command", ["collect", "web"])
def test_a_kafka_that_is_away_at_the_start_is_waited_for(
    command: str, tmp_path: Path, unique: str
) -> None:
    with KafkaServer(tmp_path / "kafka") as kafka:
        system = System(kafka.bootstrap, tmp_path, prefix=unique, partitions=2)
        system.create_topics()
        kafka.stop()
        process = system.process(command, port=free_port())
        try:
            process.launch()
            wait_for(lambda: "; waiting" in process.log_tail())
            assert process.asked("/healthz") == (200, "ok")
            assert process.asked("/readyz") == (503, "waits for Kafka and its topics")
            kafka.start()
            process.wait_until_it_answers()
            log = process.log_path.read_text()
        finally:
            system.stop()
    # Once for each time that it was away: just started, it may answer late.
    assert log.count("; waiting") == log.count("Kafka is back") >= 1
    assert "no Kafka answers at" in log
    assert "ERROR" not in log
    assert "Traceback" not in log


def test_it_serves_where_the_history_cannot_be_written_but_refuses_another_form(
    kafka: KafkaServer, valkey: ValkeyServer, tmp_path: Path, unique: str
) -> None:
    file = tmp_path / "missing" / "history.sqlite3"
    webbing = Webbing(kafka.bootstrap, valkey, tmp_path, unique, history={"file": str(file)})
    try:
        assert webbing.http.get("/api/v1/alerts").status_code == 200
        webbing.process.stop()
        file.parent.mkdir()
        with closing(sqlite3.connect(file)) as db:
            db.execute("PRAGMA user_version = 99")

        assert "was written in form 99" in webbing.pulse("web", fails=True)
    finally:
        webbing.system.stop()
