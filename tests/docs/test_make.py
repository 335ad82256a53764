"""What `make` alone and `make doctor` say."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def make(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_make_alone_lists_every_target() -> None:
    done = make()
    targets = re.findall(r"(?m)^\.PHONY: (\S+)", (ROOT / "Makefile").read_text())

    assert done.returncode == 0
    assert [
        each for each in targets if not re.search(rf"^  make {each} ", done.stdout, re.MULTILINE)
    ] == []


def test_doctor_says_what_there_is() -> None:
    said = make("doctor").stdout

    assert "Python" in said
    assert "Java" in said
    assert "Maven" in said


def test_make_test_runs_what_is_said() -> None:
    said = make("--dry-run", "test").stdout

    for part in (
        "ruff check",
        "mypy",
        "lint-imports",
        "pulse.testing.kafka",
        "PULSE_PURE=1",
        "pytest -n 4",
    ):
        assert part in said, part
    # What does not depend on the compiler is run once; all else is run, the faults too.
    assert set(re.findall(r"--ignore=(\S+)", said)) == {
        "tests/property/test_pipeline.py",
        "tests/property/test_pipeline_as_before.py",
    }
    assert "docker" not in said
