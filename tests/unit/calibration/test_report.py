"""The report says what was found; nothing in it comes from elsewhere, or is markup by mistake."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from pulse.calibration.choice import Objective, choose, split_periods
from pulse.calibration.lines import Terms
from pulse.calibration.report import Part, Setting, rate_by_score, render, warned
from pulse.calibration.weights import propose
from pulse.cli.calibrate_words import choice_in_words, date_of_row, weights_in_words

from .test_choice import DAYS, SHAPE, SPLIT, TERMS, fleet

NOTHING_KNOWN = Terms(7, SPLIT + 1)
"""Of no alert it was known at the split what came of it."""

EARLIER, LATER = split_periods(DAYS, SPLIT, 50)
MADE = {"objective": "f1", "split": "1970-09-18"}
SETTING = Setting(TERMS, EARLIER, LATER, MADE)
WEIGHTS = {"use": 10.0, "noise": 60.0, "against": 30.0}


def part(name: str = "All accounts") -> Part:
    choice = choose(fleet(), SHAPE, Objective(), split=SPLIT, terms=TERMS, warm_up=50)
    return Part(name, choice, fleet(), SHAPE)


def test_who_leaves_has_low_scores() -> None:
    edges, rate, days = rate_by_score(fleet(), SETTING)
    known = days > 50
    assert rate[(edges < 25) & known].min() > 0.9
    assert rate[(edges >= 50) & known].max() < 0.2
    assert edges.tolist() == list(range(0, 100, 5))


def test_accounts_are_named_and_their_numbers_are_those_of_the_table() -> None:
    found, false_alarms = warned(part(), SETTING)
    later = part().choice.chosen.later
    left = np.isfinite(fleet().table).any(axis=0) & (fleet().churned >= SPLIT)
    left &= fleet().churned < DAYS
    assert len(found) / left.sum() == later.recall
    assert all(TERMS.notice_days <= (each.days or 0) <= TERMS.horizon_days for each in found)
    assert sorted({each.days for each in found}, reverse=True)[0] == found[0].days
    assert later.precision > 1 - (len(false_alarms) + 1) / len(found)


class Outside(HTMLParser):
    """Collects what a page would load, and its tags."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [
            value or ""
            for name, value in attrs
            if name in ("src", "href", "xlink:href") and not (value or "").startswith("#")
        ]


def test_the_page_is_whole() -> None:
    earlier, later = split_periods(DAYS, SPLIT, 50)
    proposal = propose(fleet(), WEIGHTS, earlier, later, TERMS)
    page = render([part(), part("<b>big</b>")], SETTING, proposal, WEIGHTS)
    outside = Outside()
    outside.feed(page)
    assert outside.loads == []
    assert "script" not in outside.tags
    assert outside.tags.count("svg") == 7
    assert "<b>big" not in page
    assert "&lt;b&gt;big" in page
    assert "warned of in time, and left" in page
    assert "against all sense" in page
    assert re.search(r"They are better", page)
    assert page == render([part(), part("<b>big</b>")], SETTING, proposal, WEIGHTS)


def test_a_page_where_nothing_could_be_learnt() -> None:
    few = fleet(5, 60)
    choice = choose(few, SHAPE, Objective(), split=SPLIT, terms=TERMS)
    page = render([Part("All accounts", choice, few, SHAPE)], SETTING, None, WEIGHTS)
    assert "with fewer than 20 that left nothing can be learnt" in page
    assert "Nothing can be learnt from these outcomes" in page
    assert "nan" not in re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL)


class Text(HTMLParser):
    """Collects what a page says, without its drawings."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def handle_data(self, data: str) -> None:
        self.said.append(data)


@pytest.mark.parametrize(
    ("leaving", "objective", "terms", "why"),
    [
        (120, Objective(), TERMS, ""),
        (5, Objective(), TERMS, "with fewer than 20 that left"),
        (120, Objective("recall", 1.01), TERMS, "no line meets the objective"),
        (120, Objective(), NOTHING_KNOWN, "was not known of any by then"),
    ],
)
def test_the_page_says_what_the_terminal_says(
    leaving: int, objective: Objective, terms: Terms, why: str
) -> None:
    of = fleet(leaving, 200)
    choice = choose(of, SHAPE, objective, split=SPLIT, terms=terms, warm_up=50)
    choice = replace(choice, never_judged=1_234, leavings=(choice.churned[0] + 1, 2_000))
    proposal = propose(of, WEIGHTS, EARLIER, LATER, TERMS)
    if proposal is not None:
        proposal = replace(proposal, without_data=("use",))
    setting = replace(SETTING, terms=terms, made={**MADE, "split": date_of_row(of, SPLIT)})
    text = Text()
    text.feed(re.sub(r"<(svg|style).*?</\1>", "", render(
        [Part("all", choice, of, SHAPE)], setting, proposal, WEIGHTS
    ), flags=re.DOTALL))  # fmt: skip
    page = " ".join(" ".join(text.said).split()).lower()

    left, unjudged, line, earlier, later = choice_in_words(choice, "all", of, SPLIT)
    assert why in line
    assert left.removeprefix("all: ") in page
    assert unjudged.removeprefix("never judged ").lower() in page
    assert "(2,000 times)" in left
    said = line.partition(": ")[2]
    assert bool(said) == (choice.reason != "objective")
    assert said.lower() in page
    assert f"{choice.enter:.1f}" in page
    assert ("no alert" in earlier + later) == ("no alert" in page)
    if proposal is None:
        (nothing,) = weights_in_words(proposal, WEIGHTS)
        assert nothing.removeprefix("weights").strip() in page
        return
    _, *weights = weights_in_words(proposal, WEIGHTS)
    notes = [note for line in weights for note in line.split(", ")[1:]]
    assert {"no data", "against all sense the other way"} <= set(notes)
    assert all(page.count(note) == notes.count(note) for note in set(notes))
