"""`pulse backtest` as a person meets it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from pulse.testing.histories import profile, usage

from .test_calibrate import EXAMPLE, HISTORY, folder, pulse, refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DAY_MS, START_MS = 86_400_000, 1_704_067_200_000

pytestmark = pytest.mark.long

__all__ = ["folder", "refused"]  # the fixtures


def test_two_configurations_over_a_real_history(folder: Path) -> None:
    lower = folder / "lower.yaml"
    lower.write_text((EXAMPLE / "pulse.yaml").read_text().replace("enter: 20", "enter: 10"))
    done = pulse(
        "backtest", "--events", HISTORY, "--config", "lower.yaml", "--against", "pulse.yaml",
        "--outcomes", "churn.csv", "--horizon", "270", "--changes-out", "changes.ndjson",
        cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[0] == "20,108 events, 2011-08-01 to 2024-10-24"
    assert said[1].startswith("lower.yaml: ")
    rows = {line.split()[2]: line.split()[3:] for line in said if line.startswith("no segment")}
    assert rows.keys() >= {"approaching", "danger", "silence", "usage_drop"}
    # Signals do not know the line.
    assert all(rows[each][:2] == ["0", "0"] for each in ("silence", "usage_drop"))
    assert int(rows["danger"][1]) > int(rows["danger"][0])
    changes = [json.loads(line) for line in (folder / "changes.ndjson").read_text().splitlines()]
    assert len(changes) == sum(int(number) for row in rows.values() for number in row[:2])
    assert {each["change"] for each in changes} == {"gained", "lost"}
    assert [line.split()[0] for line in said[-2:]] == ["lower.yaml", "pulse.yaml"]
    assert all("precision 0." in line and " days before" in line for line in said[-2:])


def test_accounts_that_the_history_has_not_are_left_out(folder: Path) -> None:
    rows = (folder / "part.csv").read_text().splitlines()
    few = [rows[0], *rows[1:201], "strange,,2015-01-01"]
    (folder / "few.csv").write_text("\n".join(few))
    (folder / "fewer.csv").write_text("\n".join(few[:-1]))
    given = ["--events", "part.ndjson", "--config", "pulse.yaml", "--against", "pulse.yaml"]
    until = ["--known-until", "2022-01-01", "--horizon", "270"]
    with_it, without = (
        pulse("backtest", *given, *until, "--outcomes", file, cwd=folder)
        for file in ("few.csv", "fewer.csv")
    )
    assert '1 account, like "strange", of few.csv not in the history, left out' in with_it.stderr
    assert '453 accounts, like "org-' in without.stderr
    assert "left or came on or after 2022-01-01, where what is known ends" in without.stderr
    assert with_it.stdout == without.stdout
    assert "recall 0.1" in with_it.stdout


def test_nothing_changes_against_itself(folder: Path) -> None:
    both = ["--config", "pulse.yaml", "--against", "pulse.yaml"]
    done = pulse("backtest", "--events", "part.ndjson", *both, cwd=folder)
    found = re.search(r"pulse.yaml: ([0-9,]+) alerts; pulse.yaml: ([0-9,]+)", done.stdout)
    assert found is not None
    assert found[1] == found[2] != "0"
    assert f"gained 0, lost 0, same {found[1]}" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--events", "-"], "a backtest reads its files twice: name files instead of -"),
        (["--events", "nowhere.ndjson"], "nowhere.ndjson"),
        (["--events", "empty.ndjson"], "the history has no event"),
        (["--events", "empty.ndjson", "--outcomes", "empty.ndjson"], "no column account_id"),
        (
            ["--events", "part.ndjson", "--outcomes", "strange.csv"],
            'in the history: "strange" is not',
        ),
        (["--events", "empty.ndjson", "--notice", "99"], "--notice is more than --horizon"),
    ],
)
def test_what_cannot_be_done(
    folder: Path, refused: Callable[..., str], arguments: list[str], said: str
) -> None:
    (folder / "empty.ndjson").write_text("")
    (folder / "strange.csv").write_text("account_id,churned_at\nstrange,\n")
    assert said in refused("backtest", *arguments, "--config", "pulse.yaml", cwd=folder)


def of_one_account(days: int) -> str:
    """Five users of five seats, who are all there all the time."""
    lines = [profile("p", "acme", START_MS, seats=5)]
    for day in range(days):
        for user in range(5):
            at_ms = START_MS + day * DAY_MS + user
            lines.append(usage(f"{day}-{user}", "acme", at_ms, user_id=f"u{user}"))
    return "".join(line.decode() + "\n" for line in lines)


def test_good_news_does_not_count_as_a_word_on_who_leaves(tmp_path: Path) -> None:
    (tmp_path / "good.ndjson").write_text(of_one_account(150))
    (tmp_path / "stays.csv").write_text("account_id,churned_at\nacme,\n")
    (tmp_path / "plain.yaml").write_text("timezone: UTC\n")
    done = pulse(
        "backtest", "--events", "good.ndjson", "--config", "plain.yaml", "--outcomes", "stays.csv",
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[1].startswith("plain.yaml: 2 alerts")  # outgrown seats, and worth asking
    assert [line.split() for line in said[-2:]] == [
        ["plain.yaml", "no", "alert"],
        ["the", "defaults", "no", "alert"],
    ]


def test_a_history_in_which_nobody_is_judged_is_said_to_be_short(tmp_path: Path) -> None:
    (tmp_path / "short.ndjson").write_text(of_one_account(13))
    (tmp_path / "plain.yaml").write_text("timezone: UTC\n")
    note = "a history of 12 days, and no account is judged before 28 (line.min_history_days)"
    done = pulse("backtest", "--events", "short.ndjson", "--config", "plain.yaml", cwd=tmp_path)
    assert f"plain.yaml: {note}" in done.stderr
    done = pulse("replay", "short.ndjson", "--config", "plain.yaml", cwd=tmp_path)
    assert f"short        {note}" in done.stdout


def closed(name: str, word: str, at_day: int) -> bytes:
    """What somebody said of the danger alert that the history raised for an account."""
    from pulse.alerting.people.outcomes import Outcome, event_of

    started_ms = START_MS + at_day * DAY_MS
    return event_of(
        Outcome(
            alert_id=f"al_{name}", account_id=name, reason="silence", outcome=word,  # type: ignore[arg-type]  # one of the words
            author="kim", at_ms=started_ms + DAY_MS, started_ms=started_ms, segment="",
        )
    )  # fmt: skip


def test_what_people_said_is_told_by_reason_and_who_was_held_out_compared(tmp_path: Path) -> None:
    names = [f"account-{n:02}" for n in range(20)]
    lines: list[bytes] = []
    for day in range(150):
        for name in names:
            # Each uses the product for forty days, and falls silent.
            if day < 40:
                at_ms = START_MS + day * DAY_MS + 36_000_000
                lines.append(usage(f"{name}-{day}", name, at_ms))
        if day >= 40:
            lines.append(usage(f"other-{day}", "other", START_MS + day * DAY_MS + 36_000_000))
    # Silence is told after 21 days without use.
    said = [closed(name, "saved" if n < 2 else "false_alarm", 60)
            for n, name in enumerate(names)]  # fmt: skip
    (tmp_path / "history.ndjson").write_bytes(b"\n".join([*lines, *said[:10]]))
    (tmp_path / "feedback.ndjson").write_bytes(b"\n".join(said[5:]))
    (tmp_path / "churn.csv").write_text(
        "account_id,churned_at\nother,\n"
        + "".join(f"{name},2024-04-01\n" for name in names[:9])
        + "".join(f"{name},\n" for name in names[9:])
    )
    later = "signals: {silence: {days: 60}}\n"
    (tmp_path / "new.yaml").write_text("holdout: {share: 0.5, salt: spring, since: 2024-01-01}\n")
    (tmp_path / "old.yaml").write_text(later)
    arguments = (
        "backtest", "--events", "history.ndjson", "--config", "new.yaml", "--against", "old.yaml",
        "--feedback", "feedback.ndjson", "--outcomes", "churn.csv", "--horizon", "60",
    )  # fmt: skip
    done = pulse(*arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr

    text = done.stdout
    assert "people said of 20 alerts what became of it" in text
    (row,) = [line.split() for line in text.splitlines() if re.match(r"silence +\d", line)]
    # The old one raises silence a month later: that is not the alert that was judged.
    assert row == ["silence", "0", "0", "-", "2", "18", "10", "%"]
    assert "silence: 2 of 20 were right: raise signals.silence.days, or silence it" in text
    shares = re.findall(r"^  (sent|held out) +(\d+) of (\d+)", text, re.MULTILINE)
    assert [name for name, _, _ in shares] == ["sent", "held out"]
    assert sum(int(of) for _, _, of in shares) == 20
    assert sum(int(left) for _, left, _ in shares) == 9

    # What was raised before accounts were held out was sent, whose ever it was.
    (tmp_path / "new.yaml").write_text("holdout: {share: 0.5, salt: spring, since: 2024-12-01}\n")
    text = pulse(*arguments, cwd=tmp_path).stdout
    assert "of accounts with an alert from 2024-12-01 on" in text
    assert re.findall(r"^  (?:sent|held out) +(.*)", text, re.MULTILINE) == ["0 of 0", "0 of 0"]
