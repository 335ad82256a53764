"""What an image has in it runs, and with it each of the compose file's own services, in its order.

Without an engine: the commands as they stand there, with the addresses of this machine.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.request
from contextlib import ExitStack
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kafka import KafkaConsumer, TopicPartition
from ruamel.yaml import YAML

from pulse.config import Config
from pulse.model.time import parse_ts
from pulse.processes import free_port
from tests.deploy.reading import DEPLOY, ports, yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pulse.testing.kafka import KafkaServer
    from pulse.testing.valkey import ValkeyServer

FOLDER = DEPLOY / "compose"
SERVICES: dict[str, dict[str, Any]] = yaml(FOLDER / "compose.yaml")["services"]
CONFIGURED = "/etc/pulse/pulse.yaml"
PRODUCT = {"ACCOUNTS": "150", "PAST_DAYS": "10"}
DAY_MS = 86_400_000

pytestmark = pytest.mark.timeout(600)


def clean(image: Path, **more: str) -> dict[str, str]:
    """The environment of a container: nothing of this one's but where programs are."""
    path = f"{image / 'bin'}{os.pathsep}{os.defpath}"
    return {"PATH": path, "PYTHONDONTWRITEBYTECODE": "1", **more}


def said(image: Path, *words: str) -> str:
    done = subprocess.run(
        [image / "bin" / words[0], *words[1:]],
        capture_output=True,
        text=True,
        check=True,
        env=clean(image),
        cwd=image,
    )
    return done.stdout


def test_an_image_has_pulse_compiled_and_nothing_to_build_with(image: Path) -> None:
    assert said(image, "pulse", "--version").startswith("pulse ")
    asked = "import pulse, pulse.twin; print(pulse.twin.is_compiled(), pulse.__file__)"
    is_compiled, _, file = said(image, "python", "-c", asked).strip().partition(" ")
    assert is_compiled == "True"
    site = Path(file).parents[1]
    assert site.is_relative_to(image)
    there = {each.name.partition("-")[0].lower() for each in site.glob("*.dist-info")}
    assert not {"pip", "setuptools", "pytest", "mypy", "uv"} & there
    assert not [each for each in site.glob("*.pth") if "src" in each.read_text()], "it is whole"
    assert list((site / "pulse" / "engine" / "__pycache__").glob("*.pyc")), "its disk is read-only"


class Machine:
    """The compose file's own services as processes of this machine."""

    def __init__(self, image: Path, folder: Path, config: dict[str, Any]) -> None:
        self._image, self._folder = image, folder
        self._file = folder / "pulse.yaml"
        YAML().dump(config, self._file)
        self.config = Config.load(self._file)
        self._stack = ExitStack()
        self.ports: dict[str, list[int]] = {}
        """Where the processes of each service have their metrics."""

    def command(self, name: str) -> list[str]:
        """What a service runs, with the files where they are here."""
        service = SERVICES[name]
        words = [*service.get("entrypoint", ["pulse"]), *service.get("command", ())]
        places = {
            CONFIGURED: str(self._file),
            "/etc/pulse/simulate.sh": str(FOLDER / "simulate.sh"),
        }
        return [places.get(word, word) for word in words]

    def start(self, name: str, *more: str) -> subprocess.Popen[bytes]:
        """Start what a service runs."""
        given = {"PULSE_LINK_SECRET": "x" * 32, "FOLDER": str(self._folder), **PRODUCT}
        named = set(SERVICES[name].get("environment", ())) | {"FOLDER"}
        env = {key: value for key, value in given.items() if key in named}
        log = self._stack.enter_context((self._folder / f"{name}.log").open("ab"))
        process = subprocess.Popen(
            [*self.command(name), *more],
            env=clean(self._image, CONFIG=str(self._file), **env),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        self._stack.callback(_end, process)
        return process

    def once(self, name: str) -> None:
        """Run what a service runs, to its end."""
        assert self.start(name).wait(120) == 0, self.log(name)

    def run(self, name: str) -> None:
        """Start a service, as often as the file says, and wait until it says that it is well."""
        if "test" not in SERVICES[name].get("healthcheck", {}):
            self.start(name)
            return
        for _ in range(SERVICES[name].get("scale", 1)):
            more = []
            port = ports(self.config)[SERVICES[name]["command"][0]][-1]
            if name == "worker":
                port = free_port()
                more = ["--metrics-port", str(port)]
            process = self.start(name, *more)
            self.ports.setdefault(name, []).append(port)
            self._wait(name, process, port)

    def _wait(self, name: str, process: subprocess.Popen[bytes], port: int) -> None:
        program, *words = SERVICES[name]["healthcheck"]["test"][1:]
        check = [self._image / "bin" / Path(program).name, *words[:-1], str(port)]
        deadline = time.monotonic() + 90
        while True:
            well = subprocess.run(check, env=clean(self._image), capture_output=True, check=False)
            if well.returncode == 0 and is_ready(port):
                return
            assert process.poll() is None, self.log(name)
            assert time.monotonic() < deadline, f"{well.stdout!r}\n{self.log(name)}"
            time.sleep(0.3)

    def log(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text()[-3000:]

    def close(self) -> None:
        self._stack.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
    process.wait(90)


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=30) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture
def machine(
    image: Path, kafka: KafkaServer, valkey: ValkeyServer, tmp_path: Path, unique: str
) -> Iterator[Machine]:
    config = yaml(FOLDER / "pulse.yaml")
    topics = Config().kafka.topics.model_dump()
    config["kafka"] |= {
        "brokers": [kafka.bootstrap],
        "group": unique,
        "topics": {key: f"{unique}.{name}" for key, name in topics.items()},
    }
    config["redis"] = {"url": valkey.url, "prefix": f"{unique}:"}
    config["receivers"][0]["url"] = f"http://127.0.0.1:{free_port()}"
    config["worker"]["own_core"] = False  # as in a container
    config["collector"] |= {"spool": str(tmp_path / "spool"), "port": free_port()}
    config["web"] |= {"port": free_port()}
    for section in ("collector", "notifier", "web"):
        config[section] |= {"metrics_port": free_port()}
    machine = Machine(image, tmp_path, config)
    yield machine
    machine.close()


def events(config: Config, after: Mapping[int, int] | None = None) -> list[Any]:
    """The records of the events topic that are no control records; behind these offsets."""
    consumer = KafkaConsumer(
        bootstrap_servers=list(config.kafka.brokers), group_id=None, auto_offset_reset="earliest"
    )
    places = [TopicPartition(config.kafka.topics.events, n) for n in range(config.kafka.partitions)]
    consumer.assign(places)
    ends, found = consumer.end_offsets(places), []
    while any(consumer.position(place) < end for place, end in ends.items()):
        for batch in consumer.poll(500).values():
            found += batch
    consumer.close()
    behind = after or {}
    return [e for e in found if not e.headers and e.offset > behind.get(e.partition, -1)]


def times(records: list[Any]) -> list[int]:
    """The times of the events."""
    lines = [line for each in records for line in each.value.split(b"\n")]
    return [parse_ts(json.loads(line)["ts"]) for line in lines]


def test_the_services_run_in_their_order_and_the_product_goes_on(machine: Machine) -> None:
    ours = {name: each for name, each in SERVICES.items() if each["image"].startswith("pulse:")}
    order = TopologicalSorter({n: set(e.get("depends_on", ())) for n, e in ours.items()})
    began_ms = time.time_ns() // 1_000_000
    last: dict[int, int] = {}

    for name in order.static_order():
        if ours.get(name, {}).get("restart") == "no":
            machine.once(name)
        elif name in ours:
            machine.run(name)
        if name == "history":
            past = events(machine.config)
            last = {each.partition: each.offset for each in past}
            machine.once(name)
            assert len(events(machine.config)) == len(past), "it is played once"
            assert began_ms - 12 * DAY_MS < min(times(past)) < began_ms - 8 * DAY_MS
            assert max(times(past)) <= time.time_ns() // 1_000_000

    # Those of the last hours come again, for workers to count once, and then each at its time.
    deadline = time.monotonic() + 120
    while len(later := times(events(machine.config, last))) < 20:
        assert time.monotonic() < deadline, machine.log("simulator")
        time.sleep(0.5)
    assert began_ms - DAY_MS // 2 - 60_000 < min(later)
    assert max(later) <= time.time_ns() // 1_000_000
    address = f"http://127.0.0.1:{machine.config.web.port}/healthz"
    with urllib.request.urlopen(address, timeout=30) as answer:
        assert answer.status == 200
    # Half of the accounts were there before; the others come in the years to come.
    deadline = time.monotonic() + 120
    while (seen := accounts(machine)) < 50:
        assert time.monotonic() < deadline, (seen, machine.log("worker"))
        time.sleep(1)
    assert machine.ports.keys() == {"worker", "collector", "notifier", "web"}
    assert len(machine.ports["worker"]) == 2
    assert all(is_ready(port) for each in machine.ports.values() for port in each)


def accounts(machine: Machine) -> int:
    """How many accounts the workers know, by their metrics."""
    found = 0.0
    for port in machine.ports["worker"]:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as page:
            lines = page.read().decode().splitlines()
        found += sum(float(x.rsplit(" ", 1)[1]) for x in lines if x.startswith("pulse_accounts{"))
    return int(found)
