"""`pulse work`: what its options change of the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

import pulse.stream.process
from pulse.cli import app
from pulse.config import Config
from pulse.errors import PulseError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    configs: list[Config] = []
    monkeypatch.setattr(pulse.stream.process, "run", configs.append)
    return configs


def test_each_worker_of_a_machine_can_have_a_port_of_its_own(
    tmp_path: Path, started: list[Config]
) -> None:
    file = tmp_path / "pulse.yaml"
    file.write_text("worker: {metrics_port: 9500, flush_interval_s: 3}\n")
    for options in ((), ("--metrics-port", "9501")):
        assert CliRunner().invoke(app, ["work", "--config", str(file), *options]).exit_code == 0

    first, second = (each.worker for each in started)
    assert (first.metrics_port, second.metrics_port) == (9500, 9501)
    assert second.flush_interval_s == 3


def test_a_workers_own_name_is_in_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Config().worker.instance() is None
    worker = Config.model_validate({"worker": {"instance_env": "PULSE_INSTANCE"}}).worker
    monkeypatch.setenv("PULSE_INSTANCE", "host-1.example-9464")
    assert worker.instance() == "host-1.example-9464"
    monkeypatch.setenv("PULSE_INSTANCE", "no name")
    with pytest.raises(PulseError, match="is no name for a worker"):
        worker.instance()
    monkeypatch.delenv("PULSE_INSTANCE")
    with pytest.raises(PulseError, match="PULSE_INSTANCE is not set"):
        worker.instance()
