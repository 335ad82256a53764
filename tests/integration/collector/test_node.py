"""Clients for Node as they are, through Kafka, to a worker's accounts; a retry counts once."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.collecting import states
from tests.integration.collector.losing import losing_the_first_answer

if TYPE_CHECKING:
    from tests.integration.collecting import Collecting

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

PROGRAMS = Path(__file__).parents[2] / "clients"


def run(program: str, modules: Path, *arguments: str) -> None:
    """One of the programs, to its end."""
    done = subprocess.run(
        ["node", PROGRAMS / program, *arguments],
        env=os.environ | {"NODE_PATH": str(modules)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("client", ["segment", "posthog"])
def test_a_client_for_node(collecting: Collecting, node_modules: Path, client: str) -> None:
    collecting.system.process("work").start()

    with losing_the_first_answer(collecting.url) as proxy:
        run(f"{client}.cjs", node_modules, proxy.url, collecting.key)

    accounts = states(collecting, ["acme", "globex"])
    assert accounts["acme"]["measures"]["events"]["7d"] == 2
    assert accounts["acme"]["measures"]["active_users"]["7d"] == 1
    assert accounts["globex"]["measures"]["events"]["7d"] == 1
    # The first request came twice, and its events with the same ids.
    assert len(proxy.taken) >= 2
    uses = [line["id"] for line in collecting.lines() if "event" in line]
    assert len(uses) > len(set(uses)) == 3
    assert {"name": "Acme", "plan": "pro"} in collecting.profiles()
    assert {reason for reason, _ in collecting.letters()} == {"unlinked"}
