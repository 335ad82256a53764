"""`pulse simulate` as a person meets it."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pulse.cli import main
from pulse.config import Config
from pulse.model.usage import read_record
from pulse.simulation.product import FEATURES, PLANS, STEPS
from pulse.simulation.story import CAUSES, LOOK_ALIKES

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = Path(__file__).parents[3] / "docs" / "simulation.md"
CODE = "from pulse.cli import main; main()"
SMALL = ("--accounts", "12", "--days", "40")


@pytest.fixture
def simulate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    """Exit code, stdout and stderr of `pulse simulate ARGUMENTS`, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["pulse", "simulate", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, printed.out, printed.err

    return run


def test_the_same_options_give_the_same_files(
    simulate: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    files = ("events.ndjson.gz", "churn.csv", "causes.csv")
    kept = []
    for seed in ("7", "7", "8"):
        named = ("--out", files[0], "--outcomes", files[1], "--causes", files[2])
        code, said, error = simulate(*named, *SMALL, "--seed", seed)
        assert (code, error) == (0, "")
        kept.append([(tmp_path / name).read_bytes() for name in files])

    assert kept[0] == kept[1]
    assert all(a != b for a, b in zip(kept[0], kept[2], strict=True))
    events = gzip.decompress(kept[2][0]).splitlines()
    first, second, *wrote = said.splitlines()
    assert first.startswith(f"{len(events):,} lines of 12 accounts, 2025-01-01 to 2025-02-09: ")
    assert second.startswith("left         ")
    assert wrote[0] == f"wrote        events.ndjson.gz: {len(events):,} lines"
    assert wrote[1:] == ["wrote        churn.csv: 13 lines", "wrote        causes.csv: 13 lines"]


def test_lines_may_be_plain(simulate: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    assert simulate("--out", "plain.ndjson", *SMALL, "--start", "2024-03-01")[0] == 0
    assert b'"ts":"2024-03-' in (tmp_path / "plain.ndjson").read_bytes()


def test_what_goes_to_stdout_is_alone_there(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE, "simulate", "--out", "-", *SMALL],
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=True,
    )
    lines = done.stdout.splitlines()

    assert all(read_record(line) for line in lines)
    assert done.stderr.decode().startswith(f"{len(lines):,} lines of 12 accounts")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--outcomes", "e.ndjson"], 1, "pulse: two of the files are the same"),
        (["--outcomes", "gone/churn.csv"], 1, "pulse: cannot write gone/churn.csv"),
        (["--churn", "1.5"], 1, "pulse: 1.5 is no share of accounts"),
        (["--start", "1970-01-01"], 1, "pulse: a history begins after 1979"),
        (["--start", "soon"], 2, "must be RFC 3339"),
        (["--accounts", "0"], 2, "--accounts"),
    ],
)
def test_mistakes_leave_nothing_behind(
    simulate: Callable[..., tuple[int, str, str]],
    tmp_path: Path,
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    ended, out, error = simulate("--out", "e.ndjson", *SMALL, *arguments)

    assert (ended, out) == (code, "")
    assert said in error
    assert list(tmp_path.iterdir()) == []


def test_the_page_names_what_is_in_it(tmp_path: Path) -> None:
    page = PAGE.read_text()
    rows = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert rows == CAUSES.keys()
    for name in (*filter(None, LOOK_ALIKES), *(plan.name for plan in PLANS)):
        assert f"`{name}`" in page

    (settings,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "pulse.yaml").write_text(settings)
    config = Config.load(tmp_path / "pulse.yaml")
    assert config.usage.key_features is not None
    assert set(config.usage.key_features) <= {each.name for each in FEATURES}
    assert {each.event for each in config.usage.weights} <= {each.event for each in FEATURES}
    steps = config.signals.stalled_onboarding.steps
    assert [each.event for each in steps] == [event for event, *_ in STEPS]
    assert all(step.within_days > latest for step, (_, _, latest) in zip(steps, STEPS, strict=True))
