"""Logs: what a bug's traceback shows, and what it does not."""

import pytest
import structlog

from pulse import logs


def fail_with(secret: str) -> None:
    raise RuntimeError(f"a bug of {len(secret)} letters")


def test_the_traceback_of_a_bug_has_no_values_of_variables(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.to_stderr()
    secret = "hunter2" + "hunter2"
    try:
        fail_with(secret)
    except RuntimeError:
        structlog.get_logger("pulse").exception("a receiver raised", receiver="cs")

    said = capsys.readouterr().err
    assert "a receiver raised" in said
    assert "receiver=cs" in said
    assert "RuntimeError: a bug of 14 letters" in said
    assert "in fail_with" in said
    assert "hunter2hunter2" not in said


@pytest.mark.parametrize(
    ("level", "said"), [("", False), ("debug", True), ("DEBUG", True), ("loud", False)]
)
def test_decisions_are_told_where_somebody_wants_to_know(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, level: str, said: bool
) -> None:
    monkeypatch.setenv(logs.LEVEL_ENV, level)
    logs.to_stderr()
    structlog.get_logger("pulse").debug("decided", reason="told")
    structlog.get_logger("pulse").info("delivered")

    err = capsys.readouterr().err
    assert ("decided" in err) is said
    assert "delivered" in err
