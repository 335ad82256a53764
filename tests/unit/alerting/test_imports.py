"""The compiled core can be imported from any of its modules."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["pulse.alerting.alert", "pulse.alerting.everybody.fleet"])
def test_a_module_can_be_the_first_one(module: str) -> None:
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
