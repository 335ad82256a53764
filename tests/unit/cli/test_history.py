"""`pulse history`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulse.cli import history
from pulse.history import History

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_file_of_the_configuration_is_copied(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept, copy, config = (tmp_path / name for name in ("history.sqlite3", "copy", "pulse.yaml"))
    History(kept).prepare()
    config.write_text(f"history: {{file: {kept}}}\n")

    history.command(history.Action.backup, copy, config)

    assert History(copy).places() == {}
    assert capsys.readouterr().out == (
        f"{kept} is copied to {copy}: {copy.stat().st_size:,} bytes\n"
    )
