"""The console script as a person meets it: what it says, where, and its exit code."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import pulse
from pulse import cli
from pulse.cli.lazy import Entry
from pulse.errors import PulseError

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType


def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `pulse ARGUMENTS`."""
    monkeypatch.setattr(sys, "argv", ["pulse", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    printed = capsys.readouterr()
    code = ended.value.code
    assert isinstance(code, int)
    return code, printed.out, printed.err


def command_that(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, does: str, *, name: str = "probe"
) -> None:
    """Add a command whose body is `does`."""
    (tmp_path / f"{name}_command.py").write_text(
        f'def command() -> None:\n    """Do it."""\n    {does}\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, f"{name}_command", raising=False)
    entry = Entry(f"{name}_command", "Do it.", "Try it out")
    monkeypatch.setitem(cli._COMMANDS, name, entry)


def test_the_version(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(capsys, monkeypatch, "--version") == (0, f"pulse {pulse.__version__}\n", "")


def test_help_names_every_command_and_imports_none() -> None:
    code = (
        "import sys\n"
        "from pulse.cli import _COMMANDS, main\n"
        "sys.argv = ['pulse', '--help']\n"
        "try: main()\n"
        "finally: print([m for m in sys.modules if m in {e.module for e in _COMMANDS.values()}"
        " or m in {'pydantic', 'faust', 'aiokafka', 'redis', 'aiohttp', 'ruamel.yaml'}],"
        " file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    for name in cli._COMMANDS:
        assert name in done.stdout
    assert done.stderr == "[]\n"


def test_an_error_of_ours_is_one_line_and_exit_code_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    command_that(
        monkeypatch,
        tmp_path,
        "from pulse.errors import PulseError; raise PulseError('no broker', hint='start one')",
    )

    assert run(capsys, monkeypatch, "probe") == (1, "", "pulse: no broker: start one\n")


def test_an_error_says_its_exit_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(PulseError, "exit_code", 2)
    command_that(
        monkeypatch, tmp_path, "from pulse.errors import PulseError; raise PulseError('x')"
    )

    assert run(capsys, monkeypatch, "probe")[0] == 2


def test_an_error_that_is_a_bug_keeps_its_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    command_that(monkeypatch, tmp_path, "raise ZeroDivisionError")
    monkeypatch.setattr(sys, "argv", ["pulse", "probe"])

    with pytest.raises(ZeroDivisionError):
        cli.main()


def test_interrupted_is_exit_code_130_and_no_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    command_that(monkeypatch, tmp_path, "raise KeyboardInterrupt")

    assert run(capsys, monkeypatch, "probe") == (130, "", "")


def test_wrong_arguments_are_exit_code_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = run(capsys, monkeypatch, "chek")

    assert (code, out) == (2, "")
    assert "Did you mean 'check'?" in err


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from pulse import cli\n"
        "sys.path.insert(0, sys.argv.pop())\n"
        "cli._COMMANDS['probe'] = cli.Entry('probe_command', 'Do it.', 'Try it out')\n"
        "sys.argv = ['pulse', 'probe']\n"
        "cli.main()\n"
    )
    (tmp_path / "probe_command.py").write_text(
        "def command() -> None:\n    for i in range(100_000): print(i)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        complaints = process.stderr.read()

    assert (process.returncode, complaints) == (1, b"")


@pytest.mark.parametrize("name", cli._COMMANDS)
def test_a_command_says_the_same_in_both_helps(name: str) -> None:
    module: ModuleType = __import__(cli._COMMANDS[name].module, fromlist=["command"])

    assert (module.command.__doc__ or "").splitlines()[0] == cli._COMMANDS[name].summary
