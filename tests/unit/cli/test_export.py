"""`pulse export` without a Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pulse.cli import export
from pulse.errors import PulseError
from pulse.processes import free_port

if TYPE_CHECKING:
    from pathlib import Path


def test_an_absent_kafka_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "CONNECT_S", 0.5)
    config = tmp_path / "pulse.yaml"
    config.write_text(f'kafka: {{brokers: ["127.0.0.1:{free_port()}"]}}\n')
    with pytest.raises(PulseError, match="no Kafka answers at"):
        export.command(tmp_path / "accounts.ndjson", config)
