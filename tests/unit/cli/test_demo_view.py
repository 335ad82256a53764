from __future__ import annotations

import pytest
from rich.console import Console

from pulse.cli.demo_view import (
    DemoState,
    ShownAlert,
    chart,
    per_column,
    plain_line,
    screen,
    summary,
)

YEAR_MS = 365 * 86_400_000
FIRST_MS = 1_312_156_800_000  # 2011-08-01


def playing(samples: int = 60) -> DemoState:
    """A demo at three quarters of thirteen years."""
    state = DemoState(FIRST_MS, FIRST_MS + 13 * YEAR_MS, phase="playing", elapsed_s=45.0)
    for number in range(samples):
        zones = {"danger": 10 + number, "approaching": 5, "healthy": 30, "unknown": 80}
        state.zones.append((FIRST_MS + number * 13 * YEAR_MS * 3 // (4 * samples), zones))
    state.at_ms = FIRST_MS + 13 * YEAR_MS * 3 // 4
    for number in range(60):
        status = "resolved" if number % 3 == 0 else "firing"
        state.alerts.appendleft(
            ShownAlert(
                "2020-05-01T00:00:00Z", "danger", status, f"Acme [red]{number}[/red] 東京 " * 9
            )
        )
    state.fired.update(danger=120, silence=90, approaching=71)
    state.events, state.events_per_s, state.verified = 20_108, 335.4, 504
    state.addresses = {"worker": "http://127.0.0.1:9464/metrics"}
    state.page = "http://127.0.0.1:18081/sign-in#pt_0123456789abcdef0123456789abcdef"
    return state


@pytest.mark.parametrize("colour", [True, False])
@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 10), (200, 60), (20, 3), (61, 17)])
def test_the_screen_fits_the_terminal(width: int, height: int, colour: bool) -> None:
    for state in (playing(), playing(1), DemoState(FIRST_MS, FIRST_MS)):
        lines = screen(state, width, height, colour=colour).split("\n")
        assert len(lines) <= max(height, 8)
        assert all(line.cell_len <= max(width, 40) for line in lines)


def test_on_80_by_24_everything_is_there() -> None:
    text = screen(playing(), 80, 24, colour=False).plain
    for words in (
        "2021-04-28",
        "75%",
        "69 danger",
        "5 approaching",
        "30 healthy",
        "80 unknown",
        "Acme [red]59[/red] 東京",
        "20,108 events, 335 a second · 281 alerts: 120 danger, 90 silence, 71 approaching",
        "504 webhooks delivered, signatures verified",
        "worker http://127.0.0.1:9464/metrics",
        "page http://127.0.0.1:18081/sign-in#pt_0123456789abcdef0123456789abcdef",
    ):
        assert words in text
    assert len(text.splitlines()) == 24


def test_a_wrong_signature_is_not_called_verified() -> None:
    state = playing()
    state.unverified = 2
    assert "signatures WRONG in 2" in screen(state, 80, 24).plain
    assert "2 with a wrong signature" in summary(state, [])


def test_the_chart_stacks_the_zones_from_the_bottom() -> None:
    state = DemoState(FIRST_MS, FIRST_MS + 13 * YEAR_MS)
    state.zones = [(FIRST_MS, {"danger": 2, "approaching": 2, "healthy": 4, "unknown": 99})]
    columns = [line.plain[6] for line in chart(state, 60, 4, colour=False)]
    assert columns == ["░", "░", "▒", "█"]
    styles = [
        line.get_style_at_offset(Console(), 6).color for line in chart(state, 60, 4, colour=True)
    ]
    assert [style.name for style in styles if style] == ["green", "green", "yellow", "red"]


def test_a_border_inside_a_character_has_both_colours() -> None:
    state = DemoState(FIRST_MS, FIRST_MS + 13 * YEAR_MS)
    state.zones = [(FIRST_MS, {"danger": 1, "approaching": 0, "healthy": 3})]
    (line,) = chart(state, 60, 1, colour=True)
    assert line.plain[6] == "▂"
    style = line.get_style_at_offset(Console(), 6)
    assert style.color is not None
    assert style.bgcolor is not None
    assert (style.color.name, style.bgcolor.name) == ("red", "green")


def test_columns_without_a_sample_keep_the_one_before_and_the_future_is_empty() -> None:
    state = DemoState(FIRST_MS, FIRST_MS + 13 * YEAR_MS)
    state.zones = [(FIRST_MS, {"danger": 1}), (FIRST_MS + 6 * YEAR_MS, {"danger": 7})]
    columns = [None if each is None else each["danger"] for each in per_column(state, 13)]
    assert columns == [1] * 6 + [7] + [None] * 6


def test_a_log_gets_one_line() -> None:
    line = plain_line(playing())
    assert line.startswith("2021-04-28   75%  69 danger, 5 approaching, 30 healthy, 80 unknown;")
    assert "281 alerts, 504 webhooks verified" in line
    assert "\n" not in line
    assert plain_line(DemoState(0, 0)).startswith("----------")


def test_the_summary_says_what_happened_and_what_to_try() -> None:
    text = summary(playing(), ["pulse replay history.ndjson.gz"])
    assert "20,108 events of 13 years in 45 seconds, 2011-08-01 to 2024-07-28." in text
    assert text.endswith("Try next:\n  pulse replay history.ndjson.gz")
