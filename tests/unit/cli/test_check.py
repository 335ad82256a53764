from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer

from pulse.cli.check import command, in_words
from pulse.config import Config
from pulse.config.loading import read

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLE = Path(__file__).parents[3] / "deploy" / "pulse.yaml"


@pytest.fixture
def config_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> Path:
        Path("pulse.yaml").write_text(text)
        return Path("pulse.yaml")

    return write


def test_a_valid_file_is_summed_up_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    command(EXAMPLE)

    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out == (
        f"{EXAMPLE}: valid. Version {Config().version}: 5 measures (active_users 30 %, "
        "active_days 25 %, features 15 %, events 20 %, recency_days 10 %); danger below 40 for "
        "1d, over at 50; approaching below 55; silence after 21 days; alerts to nobody (no "
        "receivers).\n"
    )


def test_every_mistake_is_a_line_and_the_exit_code_is_1(
    config_file: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    file = config_file("line:\n  entr: 1\nclock: never\n")

    with pytest.raises(typer.Exit) as ended:
        command(file)

    assert ended.value.exit_code == 1
    assert capsys.readouterr().out.splitlines() == [
        'pulse.yaml:2:3: line.entr: unknown key; did you mean "enter"?',
        'pulse.yaml:3:8: clock: must be wall or events, not "never"',
    ]


def test_a_secret_that_is_not_here_is_noted_and_no_mistake(
    config_file: Callable[[str], Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NOT_SET", raising=False)
    file = config_file(
        "receivers: [{name: team, kind: webhook, url: 'https://a', secret_env: NOT_SET}]"
    )

    command(file)

    printed = capsys.readouterr()
    assert printed.err == (
        "note: the environment variable NOT_SET is not set "
        '(secret_env of receiver "team" names it)\n'
    )
    assert printed.out.endswith("alerts to team.\n")


def test_what_is_special_is_said() -> None:
    config = read(
        Config,
        """
        usage: {ignore: [{account: "test-*"}], key_features: [sso, api]}
        segments: {enterprise: {}, smb: {}}
        signals: {silence: {enabled: false}}
        """,
    )

    assert in_words(config).endswith(
        "no silence alerts; 2 key features; 1 ignore rule; 2 segments (enterprise, smb); "
        "alerts to nobody (no receivers)."
    )


def test_what_can_begin_and_never_end_is_noted(
    config_file: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    command(
        config_file(
            "facts:\n"
            "  - {event: bug.new, means: bug_reported}\n"
            "  - {event: payment.failed, means: payment_failed}\n"
            "  - {event: payment.made, means: payment_recovered}\n"
            "  - {event: survey, means: nps}\n"
        )
    )
    printed = capsys.readouterr()
    assert printed.out.startswith("pulse.yaml: valid.")
    assert printed.err == (
        "note: facts: an event means bug_reported and none means bug_closed: such alerts end only "
        "when the account leaves\n"
    )


def test_a_pattern_is_no_name_of_a_fact_nor_of_a_step(
    config_file: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    steps = "signals:\n  stalled_onboarding:\n    steps:\n      - {event: 'a.*', within_days: 3}\n"
    file = config_file(f"facts:\n  - {{event: 'invoice.*', means: payment_failed}}\n{steps}")
    with pytest.raises(typer.Exit):
        command(file)
    assert capsys.readouterr().out.splitlines() == [
        "pulse.yaml:2:13: facts[0].event: must be the whole name of an event, not a pattern",
        "pulse.yaml:6:17: signals.stalled_onboarding.steps[0].event: must be the whole name of an "
        "event, not a pattern",
    ]


RECEIVER = """\
receivers:
  - name: chat
    kind: slack
    url_env: CHAT_URL
    template: own.j2
"""


def test_a_template_is_tried_and_its_mistake_has_a_place(
    config_file: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    file = config_file(RECEIVER)
    Path("own.j2").write_text("{% block title %}\n{{ message.titel }}{% endblock %}")

    with pytest.raises(typer.Exit) as ended:
        command(file)

    assert ended.value.exit_code == 1
    assert capsys.readouterr().out.startswith(
        "pulse.yaml:5:15: receivers[0].template: own.j2:2: "
        "'pulse.notifier.messages.facts.MessageFacts object' has no attribute 'titel'"
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "no such file or directory"), (b"\xff", "not UTF-8"), (b" ", "empty")],
)
def test_a_template_that_cannot_be_read_is_said(
    config_file: Callable[[str], Path],
    capsys: pytest.CaptureFixture[str],
    content: bytes | None,
    why: str,
) -> None:
    file = config_file(RECEIVER)
    if content is not None:
        Path("own.j2").write_bytes(content)

    with pytest.raises(typer.Exit):
        command(file)

    assert capsys.readouterr().out == f"pulse.yaml:5:15: receivers[0].template: own.j2: {why}\n"


def test_an_inner_address_in_the_environment_is_noted(
    config_file: Callable[[str], Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CHAT_URL", "https://0x7f.1/hunter2hunter2")
    command(config_file(RECEIVER.replace("    template: own.j2\n", "")))

    printed = capsys.readouterr()
    assert 'note: receiver "chat": 0x7f.1 is a strange way to write an address' in printed.err
    assert "hunter2" not in printed.err + printed.out
