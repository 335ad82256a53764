"""`deploy/systemd/`: systemd itself finds nothing wrong, and what the units name is there."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from pulse.config import Config
from tests.deploy.reading import DEFAULTS, DEPLOY, config_option, parsed

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = DEPLOY / "systemd"
SERVICES = sorted(FOLDER.glob("*.service"))
PROGRAM = "/opt/pulse/bin/pulse"
INSTANCE = str(DEFAULTS.worker.metrics_port)
ENOUGH = 1.5
"""Of systemd's measure of exposure, from 0 to 10; below 2 is what it calls OK."""


def settings(unit: Path) -> list[tuple[str, str]]:
    """Each setting of a unit, in order."""
    pairs = (line.partition("=") for line in unit.read_text().splitlines() if line[:1] not in "#[")
    return [(name, value) for name, _, value in pairs if name]


def of(unit: Path, name: str) -> list[str]:
    return [value for key, value in settings(unit) if key == name]


@pytest.fixture
def analyze(without: Callable[[str], NoReturn]) -> str:
    program = shutil.which("systemd-analyze")
    return program or without("systemd-analyze is not there: install systemd")


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units, with the program where it is here."""
    program = Path(sys.prefix) / "bin" / "pulse"
    for unit in (*SERVICES, FOLDER / "pulse.target"):
        name = unit.name.replace("@.", f"@{INSTANCE}.")
        (tmp_path / name).write_text(unit.read_text().replace(PROGRAM, str(program)))
    return tmp_path


def test_systemd_finds_nothing_wrong(analyze: str, installed: Path) -> None:
    units = sorted(f"./{each.name}" for each in installed.iterdir())
    done = subprocess.run(
        [analyze, "verify", *units], cwd=installed, capture_output=True, text=True, check=False
    )
    said = [line for line in done.stderr.splitlines() if "pulse" in line]
    assert (done.returncode, said) == (0, [])


def test_a_mistake_in_one_would_be_found(analyze: str, installed: Path) -> None:
    unit = installed / "pulse-web.service"
    unit.write_text(unit.read_text().replace("ProtectClock=yes", "ProtectClok=yes"))
    done = subprocess.run(
        [analyze, "verify", f"./{unit.name}"],
        cwd=installed,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ProtectClok" in done.stderr


def test_they_are_exposed_to_little(analyze: str, installed: Path) -> None:
    units = sorted(f"./{each.name}" for each in installed.glob("*.service"))
    for unit in units:
        done = subprocess.run(
            [analyze, "security", "--offline=yes", "--no-pager", unit],
            cwd=installed,
            capture_output=True,
            text=True,
            check=True,
        )
        level = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
        assert level is not None, done.stdout
        assert float(level[1]) <= ENOUGH, json.dumps(done.stdout)


@pytest.mark.parametrize("unit", SERVICES, ids=lambda each: each.name)
def test_commands_are_known(unit: Path) -> None:
    for kind in ("ExecStartPre", "ExecStart"):
        (line,) = of(unit, kind)
        program, *words = shlex.split(line.replace("%i", INSTANCE))
        assert program == PROGRAM
        if kind == "ExecStart":
            command = {
                "collector": "collect",
                "worker@": "work",
                "notifier": "notify",
                "web": "web",
            }
            assert parsed(words) == command[unit.stem.removeprefix("pulse-")]
            assert config_option(words) == "/etc/pulse/pulse.yaml"
        else:
            assert words == ["check", "/etc/pulse/pulse.yaml"]


def test_a_worker_is_called_by_its_port() -> None:
    (unit,) = [each for each in SERVICES if "@" in each.name]
    assert of(unit, "ExecStart")[0].endswith("--metrics-port %i")
    assert of(unit, "Environment") == ["PULSE_INSTANCE=%H-%i"]
    assert f"pulse-worker@{INSTANCE}.service" in of(FOLDER / "pulse.target", "Wants")[0].split()


def test_the_target_has_them_all() -> None:
    wanted = of(FOLDER / "pulse.target", "Wants")[0].split()
    assert {re.sub(r"@\d+", "@", each) for each in wanted} == {each.name for each in SERVICES}
    for unit in SERVICES:
        assert of(unit, "PartOf") == ["pulse.target"]
        assert of(unit, "WantedBy") == ["pulse.target"]


def test_they_run_as_the_user_that_is_made() -> None:
    made = re.findall(r"^u (\S+)", (FOLDER / "pulse.sysusers.conf").read_text(), re.MULTILINE)
    for unit in SERVICES:
        assert [*of(unit, "User"), *of(unit, "Group")] == [*made, *made]


def test_what_is_written_may_be_written() -> None:
    """The file system is read-only but for a unit's own folder."""
    collector = FOLDER / "pulse-collector.service"
    text = (DEPLOY / "pulse.yaml").read_text()
    example = re.search(r"^  #spool: (\S+)", text, re.MULTILINE)
    assert example is not None
    (state,) = of(collector, "StateDirectory")
    assert Path(example[1]).parent == Path("/var/lib") / state
    web = FOLDER / "pulse-web.service"
    (state,) = of(web, "StateDirectory")
    assert not Path(Config().history.file).is_absolute()
    assert of(web, "WorkingDirectory") == [f"%S/{state}"]
    for unit in SERVICES:
        assert of(unit, "ProtectSystem") == ["strict"]
