"""`pulse replay` as a person meets it."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pulse.model import AccountStatus, Alert

EXAMPLE = Path(__file__).parents[3] / "examples" / "contributions"
HISTORY = EXAMPLE / "contributions.ndjson.gz"


def replay(
    *arguments: str | Path, cwd: Path, given: bytes | None = None, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", "from pulse.cli import main; main()", "replay", *arguments],
        cwd=cwd,
        input=given,
        capture_output=True,
        env=os.environ | {"COLUMNS": "100"} | environment,
        timeout=100,
        check=False,
    )


def event(day: int, account_id: str = "acme") -> bytes:
    ts = f"2024-01-{day:02}T10:00:00Z"
    fields = {"id": ts, "account_id": account_id, "event": "opened", "ts": ts}
    return json.dumps(fields).encode() + b"\n"


@pytest.fixture
def events(tmp_path: Path) -> Path:
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"".join(event(day) for day in range(1, 11)) + event(5, "other") + b"{\n")
    return file


def outputs(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    results = []
    for seed in ("0", "4711"):
        folder = tmp_path / seed
        folder.mkdir()
        done = replay(
            *(HISTORY, "--config", EXAMPLE / "pulse.yaml", "--until", "2014-03-01T12:00:00Z"),
            *("--accounts-out", "accounts", "--alerts-out", "alerts", "--deadletter-out", "bad"),
            cwd=folder,
            PYTHONHASHSEED=seed,
        )
        assert done.returncode == 0, done.stderr.decode()
        results.append(outputs(folder))

    assert results[0] == results[1]
    accounts = [AccountStatus.model_validate_json(line) for line in results[0]["accounts"].split()]
    assert len(accounts) > 40
    assert [each.account_id for each in accounts] == sorted(each.account_id for each in accounts)
    alerts = [Alert.model_validate_json(line) for line in results[0]["alerts"].splitlines()]
    assert {alert.reason for alert in alerts} == {"danger", "approaching", "silence"}
    assert [alert.at for alert in alerts] == sorted(alert.at for alert in alerts)
    assert b'"as_of":"2014-03-01T12:00:00Z"' in results[0]["accounts"]
    assert results[0]["bad"] == b""


def test_it_says_what_it_did(events: Path, tmp_path: Path) -> None:
    done = replay(events, "--deadletter-out", "bad", cwd=tmp_path)
    first, *rest = done.stdout.decode().splitlines()

    assert (done.returncode, done.stderr) == (0, b"")
    assert first.startswith("11 events of 2 accounts, 2024-01-01 to 2024-01-10T10:00:00Z: ")
    assert first.endswith(" a second")
    assert rest[:3] == [
        "zones        2 unknown",
        "alerts       none",
        "late         1 by days; counted, they change no past alert",
    ]
    assert rest[3].startswith(f"dead letter  1 not_json: {events}:12: ")
    assert rest[4].startswith("short        a history of 9 days, and no account is judged before")
    assert rest[5:] == ["wrote        bad: 1 line"]
    (letter,) = (tmp_path / "bad").read_bytes().splitlines()
    assert json.loads(letter)["line"] == 12


def test_a_file_on_stdout_is_alone_there(events: Path, tmp_path: Path) -> None:
    done = replay(events, "--accounts-out", "-", cwd=tmp_path)

    assert [json.loads(line)["account_id"] for line in done.stdout.splitlines()] == [
        "acme",
        "other",
    ]
    assert done.stderr.startswith(b"11 events of 2 accounts")


def test_events_may_come_from_stdin(events: Path, tmp_path: Path) -> None:
    done = replay("-", cwd=tmp_path, given=gzip.compress(events.read_bytes()))

    assert done.stdout.startswith(b"11 events of 2 accounts")
    assert b"-:12:" in done.stdout


def test_until_is_said(events: Path, tmp_path: Path) -> None:
    done = replay(events, "--until", "2024-01-06T00:00:00Z", cwd=tmp_path)

    assert b"6 events of 2 accounts, 2024-01-01 to 2024-01-06T00:00:00Z" in done.stdout
    assert b"left out     5 events after --until" in done.stdout


def test_an_empty_file_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    done = replay("empty", "--accounts-out", "accounts", cwd=tmp_path)

    assert done.returncode == 0
    assert done.stdout == b"no events\nwrote        accounts: 0 lines\n"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["gone"], 1, "pulse: cannot read gone: no such file or directory\n"),
        (["."], 1, "pulse: . is a directory: name its files: ./*\n"),
        (["events.ndjson", "--until", "2024"], 2, '"2024" must be RFC 3339'),
        (["events.ndjson", "--until", "soon"], 2, '"soon" must be RFC 3339'),
        (["events.ndjson", "--config", "gone.yaml"], 1, "gone.yaml"),
        (
            ["events.ndjson", "--alerts-out", "gone/alerts"],
            1,
            "pulse: cannot write gone/alerts: no such file or directory\n",
        ),
        (
            ["events.ndjson", "--alerts-out", "./events.ndjson"],
            1,
            "pulse: --alerts-out ./events.ndjson would overwrite the input events.ndjson\n",
        ),
        (
            ["events.ndjson", "--alerts-out", "-", "--accounts-out", "-"],
            1,
            "pulse: --alerts-out - would overwrite --accounts-out\n",
        ),
    ],
)
def test_mistakes_are_said_in_a_line(
    events: Path, tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    before = outputs(tmp_path)
    done = replay(*arguments, cwd=tmp_path)

    assert done.returncode == code
    assert said in done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert outputs(tmp_path) == before


def test_a_damaged_file_leaves_what_was_there(tmp_path: Path) -> None:
    whole = gzip.compress(b"".join(event(day) for day in range(1, 29)) * 500)
    (tmp_path / "events.gz").write_bytes(whole[:-20])
    (tmp_path / "accounts").write_bytes(b"older\n")
    before = outputs(tmp_path)

    done = replay("events.gz", "--accounts-out", "accounts", cwd=tmp_path)

    assert done.returncode == 1
    assert done.stderr.startswith(b"pulse: events.gz is damaged: its gzip data ends or breaks")
    assert outputs(tmp_path) == before
