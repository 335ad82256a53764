"""`pulse calibrate` as a person meets it."""

from __future__ import annotations

import gzip
import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ruamel.yaml import YAML

from pulse.cli import main
from pulse.config import Config
from pulse.testing import forked

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

pytestmark = pytest.mark.long

EXAMPLE = Path(__file__).parents[3] / "examples" / "contributions"
HISTORY = EXAMPLE / "contributions.ndjson.gz"
LEFT_AFTER = timedelta(days=180)


def pulse(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return forked.run(arguments, folder=cwd, environment=os.environ | {"COLUMNS": "100"})


@pytest.fixture
def refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """What `pulse ARGUMENTS` says on stderr as it ends with 1, in the folder `cwd`. No process of
    its own, which would mostly import: a bug's exception ends the test.
    """

    def run(*arguments: str | Path, cwd: Path) -> str:
        monkeypatch.chdir(cwd)
        monkeypatch.setattr(sys, "argv", ["pulse", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 1
        return capsys.readouterr().err

    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the outcomes of the real history: who did nothing for half a year has left.

    `part.ndjson` and `part.csv` have every other account of it, for tests that say nothing of how
    many there are.
    """
    folder = tmp_path_factory.mktemp("calibrate")
    lines = gzip.decompress(HISTORY.read_bytes()).decode().splitlines()
    events = [json.loads(line) for line in lines]
    last = {event["account_id"]: datetime.fromisoformat(event["ts"]) for event in events}
    end = max(last.values())
    rows = [
        f"{name},,{at + LEFT_AFTER:%Y-%m-%d}" if at + LEFT_AFTER <= end else f"{name},,"
        for name, at in last.items()
    ]
    head = "account_id,started_at,churned_at"
    (folder / "churn.csv").write_text("\n".join([head, *rows]))
    (folder / "part.csv").write_text("\n".join([head, *rows[::2]]))
    some = set(list(last)[::2])
    part = [line for line, event in zip(lines, events, strict=True) if event["account_id"] in some]
    (folder / "part.ndjson").write_text("\n".join(part))
    (folder / "pulse.yaml").write_text((EXAMPLE / "pulse.yaml").read_text())
    return folder


def calibrate(
    folder: Path,
    *arguments: str | Path,
    events: str | Path = "part.ndjson",
    outcomes: str = "part.csv",
) -> subprocess.CompletedProcess[str]:
    given = ["--events", events, "--outcomes", outcomes, "--config", "pulse.yaml"]
    return pulse("calibrate", *given, *arguments, cwd=folder)


def test_a_line_from_a_real_history(folder: Path) -> None:
    given = ["--horizon", "270", "--capacity", "2/week"]
    done = calibrate(folder, *given, events=HISTORY, outcomes="churn.csv")
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[0].startswith("all accounts: ")
    parts = ["never", "line", "earlier", "later", "weights"]
    assert [line.split()[0] for line in said[1:6]] == parts
    assert said[-1] == "wrote        line.yaml; name it in pulse.yaml: line_file: line.yaml"
    # As many alerts as the team can look after, where the line was chosen.
    assert 0 < float(said[3].split("lift")[1].split(", ")[1].split()[0]) <= 2

    written = YAML(typ="safe").load(folder / "line.yaml")
    assert written["made"]["objective"] == "capacity 2 a week"
    named = folder / "named.yaml"
    named.write_text((folder / "pulse.yaml").read_text() + "\nline_file: line.yaml\n")
    with_it, without = Config.load(named), Config.load(folder / "pulse.yaml")
    assert with_it.line.enter == written["line"]["enter"] != without.line.enter
    assert with_it.line.dwell_ms == without.line.dwell_ms
    assert with_it.version != without.version

    account = pulse("replay", HISTORY, "--config", "named.yaml", "--accounts-out", "-", cwd=folder)
    status = json.loads(account.stdout.splitlines()[0])
    assert status["line"] == {
        **{name: written["line"][name] for name in ("enter", "exit", "approach")},
        "version": with_it.version,
    }


def test_what_is_known_may_end_before_the_history(folder: Path) -> None:
    given = ["--horizon", "270", "--split", "2019-01-01", "--known-until"]
    done = calibrate(folder, *given, "2021-01-01", "--out", "known.yaml")
    assert done.returncode == 0, done.stderr
    assert "AUC on the later part" in done.stdout
    assert "left or came on or after 2021-01-01, where what is known ends" in done.stderr
    assert YAML(typ="safe").load(folder / "known.yaml")["made"]["known_until"] == "2021-01-01"
    # What is known until then is all that counts: as if those who left later had stayed.
    head, *rows = (folder / "part.csv").read_text().splitlines()
    rows = [row if row.split(",")[2] < "2021" else f"{row.split(',')[0]},," for row in rows]
    (folder / "then.csv").write_text("\n".join([head, *rows]))
    given_then = [*given, "2021-01-01", "--out", "then.yaml"]
    again = calibrate(folder, *given_then, outcomes="then.csv")
    assert again.stdout.replace("then.yaml", "known.yaml") == done.stdout
    late = calibrate(folder, *given, "2019-03-01")
    assert "the history is too short: 59 days after 2019-01-01" in late.stderr


def test_an_account_that_came_back(folder: Path) -> None:
    head, *rows = (folder / "part.csv").read_text().splitlines()
    left = [row for row in rows if row[-1] != ","]
    back = [f"{row.split(',')[0]},{row.split(',')[2]}," for row in left[:30]]
    (folder / "back.csv").write_text("\n".join([head, *rows, *back]))
    given = ["--horizon", "270", "--out", "back.yaml"]
    done = calibrate(folder, *given, outcomes="back.csv")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == calibrate(folder, *given).stdout.splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--capacity", "many"], '--capacity "many" is no number a week: like 20/week'),
        (["--capacity", "2", "--least-recall", "0.5"], "more than one objective"),
        (["--notice", "100"], "--notice is more than --horizon"),
    ],
)
def test_options_that_make_no_sense(
    folder: Path, refused: Callable[..., str], arguments: list[str], said: str
) -> None:
    given = ["--events", "part.ndjson", "--outcomes", "part.csv"]
    assert said in refused("calibrate", *given, *arguments, cwd=folder)


def short(folder: Path, *, days: int = 30) -> Path:
    """A history of `acme`, an event a day."""
    first, day_ms = 1_700_000_000_000, 86_400_000
    lines = [
        {"id": f"{n}", "account_id": "acme", "event": "opened", "ts": first + n * day_ms}
        for n in range(days)
    ]
    file = folder / f"short-{days}.ndjson"
    file.write_text("\n".join(map(json.dumps, lines)))
    return file


@pytest.mark.parametrize(
    ("outcomes", "arguments", "said"),
    [
        ("account_id,churned_at\nacme,\n", [], "the history is too short: 0 days before 2023-"),
        ("account_id,churned_at\nglobex,\n", [], 'is in the history: "globex" is not: both must'),
        ("account_id,churned_at\nacme,2024-01-01\nglobex,\n", [], 'like "globex", of outcomes.csv'),
        ("account_id,churned_at\nacme,\n", ["--out", "no/line.yaml"], "its folder is not there"),
        ("account,churned_at\nacme,\n", [], "outcomes.csv has no column account_id"),
        (
            "account_id,churned_at\nacme,\n",
            ["--segment", "smb", "--horizon", "5", "--notice", "1", "--warm-up", "1"],
            'no account is in the segment "smb": no profile names a segment',
        ),
        (
            "account_id,churned_at\nacme,\n",
            ["--known-until", "2023-01-01"],
            "nothing is known of a history that begins on 2023-11-15: a later --known-until",
        ),
        (
            "account_id,started_at,churned_at\nacme,2023-12-01,\n",
            ["--known-until", "2023-11-20"],
            "no account of outcomes.csv had come before 2023-11-20: a later --known-until",
        ),
        (
            "account_id,churned_at\nacme,\n",
            ["--split", "2030-01-01"],
            "the history is from 2023-11-15 to 2023-12-14: --split must lie between",
        ),
    ],
)
def test_what_cannot_be_learnt_from(
    tmp_path: Path, refused: Callable[..., str], outcomes: str, arguments: list[str], said: str
) -> None:
    (tmp_path / "outcomes.csv").write_text(outcomes)
    files: list[str | Path] = ["--events", short(tmp_path), "--outcomes", "outcomes.csv"]
    assert said in refused("calibrate", *files, *arguments, cwd=tmp_path)
    assert not (tmp_path / "line.yaml").exists()


def test_a_line_file_with_mistakes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pulse.yaml").write_text("line_file: line.yaml\n")
    for text, said in (
        ("line: {entr: 3}", 'did you mean "enter"'),
        ("line: {enter: 60}", "exit (50) must be above enter (60)"),
    ):
        (tmp_path / "line.yaml").write_text(text)
        done = pulse("check", "pulse.yaml", cwd=tmp_path)
        assert done.returncode == 1
        assert said in done.stderr + done.stdout
    segment = "line_file: line.yaml\nsegments: {smb: {line: {enter: 35}}}\n"
    (tmp_path / "pulse.yaml").write_text(segment)
    (tmp_path / "line.yaml").write_text("line: {enter: 20, exit: 30, approach: 33}\n")
    done = pulse("check", "pulse.yaml", cwd=tmp_path)
    said = "line.yaml: segments.smb.line.exit: exit (30) must be above enter (35), together with"
    assert said in done.stderr + done.stdout
    (tmp_path / "pulse.yaml").write_text("line_file: line.yaml\n")
    (tmp_path / "line.yaml").unlink()
    done = pulse("check", "pulse.yaml", cwd=tmp_path)
    assert "line.yaml" in done.stderr + done.stdout
    assert "no such file" in done.stderr + done.stdout


def test_segments_get_lines_of_their_own(tmp_path: Path) -> None:
    day_ms, first = 86_400_000, 1_600_000_000_000
    lines, rows = [], ["account_id,churned_at"]
    for number in range(60):
        name, segment = f"a{number}", "smb" if number % 2 else "big"
        # Half of them leave, after three weeks in which they come a third as often.
        end = 200 + 10 * number if number % 4 < 2 else 900
        profile = {"id": f"p{name}", "type": "profile", "account_id": name, "ts": first}
        lines.append(profile | {"profile": {"segment": segment, "seats": 1}})
        for day in range(end):
            if end == 900 or end - day > 21 or day % 3 == 0:
                at = first + day * day_ms
                fields = {"account_id": name, "user_id": "u", "event": "opened", "ts": at}
                lines.append({"id": f"{name}-{day}", **fields})
        left = datetime.fromtimestamp((first + end * day_ms) / 1000, UTC)
        rows.append(f"{name},{left:%Y-%m-%d}" if end < 900 else f"{name},")
    lines.sort(key=lambda line: line["ts"])
    (tmp_path / "events.ndjson").write_text("\n".join(map(json.dumps, lines)))
    (tmp_path / "outcomes.csv").write_text("\n".join(rows))
    (tmp_path / "pulse.yaml").write_text("segments: {smb: {line: {exit: 60}}}\n")
    files = ["--events", "events.ndjson", "--outcomes", "outcomes.csv", "--config", "pulse.yaml"]
    done = pulse("calibrate", *files, "--segment", "smb", "--report", "page.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "all other accounts: " in done.stdout
    assert 'segment "smb": ' in done.stdout
    written = YAML(typ="safe").load(tmp_path / "line.yaml")
    # Each with the gap that it has in the configuration.
    assert written["line"]["exit"] - written["line"]["enter"] == 10
    smb = written["segments"]["smb"]
    assert smb["exit"] - smb["enter"] == 20
    named = tmp_path / "named.yaml"
    named.write_text((tmp_path / "pulse.yaml").read_text() + "line_file: line.yaml\n")
    assert Config.load(named).line_for("smb").enter == smb["enter"]
    assert Config.load(named).line_for(None).enter == written["line"]["enter"]
    inline = {"line": written["line"], "segments": {"smb": {"line": smb}}}
    assert Config.load(named).version == Config.model_validate(inline).version
    page = (tmp_path / "page.html").read_text()
    assert page.count("<svg") >= 6
    assert "Segment &#34;smb&#34;" in page
