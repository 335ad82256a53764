"""`pulse accounts` and `pulse account` on a real read model."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from pulse import cli
from pulse.processes import free_port
from pulse.readmodel import ReadModel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pulse.testing.valkey import ValkeyServer

    Run = Callable[..., "Done"]


class Done(NamedTuple):
    """What a command left behind."""

    returncode: object
    stdout: str
    stderr: str


def windows(now: float) -> dict[str, float]:
    return {"7d": now / 4, "28d": now, "84d": now * 3}


def measures(now: float) -> dict[str, Any]:
    names = ("events", "active_users", "features", "active_days")
    return {name: windows(now) for name in names} | {"value": windows(0), "recency_days": 3.0}


def doc(account_id: str, zone: str, score: float | None, **more: Any) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "as_of": "2024-03-01T00:00:00Z",
        "last_active_at": "2024-02-27T00:00:00Z",
        "lifecycle": "current",
        "zone": zone,
        "score": score,
        "contributions": {} if score is None else {"active_days": score / 2, "events": score / 2},
        "out_of": {} if score is None else {"active_days": 60.0, "events": 40.0},
        "measures": measures(4),
        "then": {"score": 77.0, "measures": measures(8)},
        "line": {"enter": 40.0, "exit": 50.0, "approach": 55.0},
        "since": "2024-02-10T12:00:00Z",
        "profile": {},
        "alerts": [],
        **more,
    }


ACME = doc(
    "acme",
    "danger",
    31.0,
    profile={"name": "Acme [bold]Ltd[/bold]", "segment": "pro", "mrr": 1200.0, "seats": 9},
    alerts=[
        {
            "reason": "danger",
            "started_at": "2024-02-11T12:00:00Z",
            "since": "2024-02-10T12:00:00Z",
        }
    ],
)
FLEET = [
    ACME,
    doc("worse", "danger", 3.0, profile={"segment": "ent"}),
    doc("fine", "healthy", 90.0, then=None, measures=measures(8)),
    doc("new", "unknown", None, then=None, since=None, last_active_at=None, lifecycle="new"),
    doc("gone", "danger", 0.0, lifecycle="churned"),
]


@pytest.fixture
def config(tmp_path: Path, valkey: ValkeyServer, unique: str) -> Path:
    """A configuration that names this test's own read model."""
    path = tmp_path / "pulse.yaml"
    path.write_text(
        f"redis: {{url: '{valkey.url}', prefix: '{unique}:'}}\n"
        f"history: {{file: '{tmp_path / 'history.sqlite3'}'}}\n"
    )
    return path


@pytest.fixture
def run(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """`pulse` with that configuration."""

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["pulse", *arguments, "--config", str(config)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return Done(ended.value.code, *capsys.readouterr())

    return run


@pytest.fixture
def fleet(valkey: ValkeyServer, unique: str) -> None:
    async def fill() -> None:
        async with ReadModel(valkey.url, f"{unique}:") as model:
            await model.write(FLEET)

    asyncio.run(fill())


@pytest.mark.usefixtures("fleet")
def test_accounts_are_listed_worst_first_and_those_that_left_are_not(run: Run) -> None:
    done = run("accounts")
    header, *rows = done.stdout.splitlines()
    assert header.split()[:4] == ["account", "name", "zone", "score"]
    assert [row.split()[0] for row in rows] == ["worse", "acme", "fine", "new"]
    assert "acme     Acme [bold]Ltd[/bold]  danger" in rows[1]
    assert "1,200" in rows[1]
    assert "active users 8 → 4" in rows[1]
    assert "19 d" in rows[1]
    assert not any(line.endswith(" ") for line in done.stdout.splitlines())
    assert "2 danger, 1 healthy, 1 unknown, 1 churned" in done.stderr
    assert done.returncode == 0


@pytest.mark.usefixtures("fleet")
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--zone", "danger"], ["worse", "acme"]),
        (["--zone", "churned"], ["gone"]),
        (["--zone", "approaching"], []),
        (["--segment", "pro"], ["acme"]),
        (["--limit", "1"], ["worse"]),
        (["--limit", "0"], ["worse", "acme", "fine", "new"]),
    ],
)
def test_accounts_are_chosen(run: Run, options: list[str], expected: list[str]) -> None:
    done = run("accounts", "--json", *options)
    assert [json.loads(line)["account_id"] for line in done.stdout.splitlines()] == expected
    assert done.returncode == 0


@pytest.mark.usefixtures("fleet")
def test_an_account_is_explained(run: Run) -> None:
    text = run("account", "acme").stdout
    for words in (
        "Acme [bold]Ltd[/bold] · acme · pro · MRR 1,200 · 9 seats",
        "danger since 2024-02-10T12:00:00Z (19 d); score 31.0, 9.0 below the danger line at 40; "
        "out of danger at 50",
        "current; last active 2024-02-27T00:00:00Z (3 d before)",
        "active_days lacks 44.5 points and events lacks 24.5 points. "
        "28 days ago it was 77.0: 46.0 less now.",
        "15.5 of 60.0",
        "danger: below the danger line since 2024-02-10T12:00:00Z",
    ):
        assert words in text
    assert json.loads(run("account", "acme", "--json").stdout) == ACME


@pytest.mark.usefixtures("fleet")
def test_where_the_history_cannot_be_read_all_else_is_shown(run: Run, tmp_path: Path) -> None:
    (tmp_path / "history.sqlite3").write_text("no history" * 100)
    done = run("account", "acme")
    assert done.returncode == 0
    assert "danger since 2024-02-10T12:00:00Z" in done.stdout
    assert done.stderr.startswith("pulse: its year is left out: ")
    assert json.loads(run("account", "acme", "--json").stdout) == ACME


@pytest.mark.usefixtures("fleet")
@pytest.mark.parametrize("account", FLEET, ids=lambda each: each["account_id"])
def test_every_account_can_be_explained(run: Run, account: dict[str, Any]) -> None:
    done = run("account", account["account_id"])
    assert done.returncode == 0
    assert account["account_id"] in done.stdout


def test_measures_that_some_scorecards_have_are_shown(
    run: Run, valkey: ValkeyServer, unique: str
) -> None:
    now, then = measures(4) | {"trend": 0.42}, measures(8) | {"trend": 1.1}
    now["key_features"] = {"7d": 1, "28d": 2, "84d": 3}
    found = doc("key", "healthy", 60.0, measures=now, then={"score": 77.0, "measures": then})
    young = doc("young", "healthy", 60.0, measures=now | {"trend": None}, then=None)

    async def fill() -> None:
        async with ReadModel(valkey.url, f"{unique}:") as model:
            await model.write([found, young])

    asyncio.run(fill())
    lines = [line.split() for line in run("account", "key").stdout.splitlines()]
    assert ["key", "features", "1", "2", "3"] in lines
    assert ["of", "a", "usual", "week", "42", "%", "110", "%"] in lines
    assert "of a usual week  not known" in run("account", "young").stdout


@pytest.mark.usefixtures("fleet")
def test_a_terminal_that_knows_only_ascii_gets_bars_of_ascii(config: Path) -> None:
    program = [sys.executable, "-c", "from pulse.cli import main; main()"]
    done = subprocess.run(
        [*program, "account", "acme", "--config", config],
        capture_output=True,
        encoding="ascii",
        check=True,
        timeout=60,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert "######..." in done.stdout


@pytest.mark.usefixtures("fleet")
def test_an_account_is_found_by_its_name_and_a_near_miss_gets_a_suggestion(run: Run) -> None:
    assert run("account", "acme [BOLD]ltd[/bold]").stdout.startswith("Acme")
    done = run("account", "acm")
    assert done.stderr == 'pulse: there is no account "acm": did you mean acme?\n'
    assert done.returncode == 1
    assert "`pulse accounts` lists them" in run("account", "zzz").stderr


def test_a_read_model_without_accounts_says_so(run: Run) -> None:
    for arguments in (["accounts"], ["account", "acme"]):
        done = run(*arguments)
        assert done.stdout == ""
        assert done.stderr.startswith("no accounts yet")


def test_a_redis_that_is_away_is_one_clear_line(run: Run) -> None:
    port = free_port()
    for arguments in (["accounts"], ["account", "acme"]):
        done = run(*arguments, "--redis", f"redis://127.0.0.1:{port}/0")
        assert done.returncode == 1
        assert done.stderr == (
            f"pulse: cannot read the accounts from Redis at redis://127.0.0.1:{port}/0 "
            "(connection refused): start Redis, or say where it is: redis.url in the "
            "configuration, or --redis\n"
        )
