"""Every claim of the README is held by a test, or measured by a bench.

Each sentence of the README, but of the sections in `NOT_LOOKED_AT`, stands in `CLAIMS` with what
holds it, or in `NO_CLAIM` with why nothing need. What holds a sentence is

    tests/…::test_name      a test, which must be there
    docs/… | text           a row that a bench or the code itself wrote, which must have the text
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")

NOT_LOOKED_AT = ("The way of an event", "Where to read on")
"""The first is held by tests/docs/test_docs.py, the second leads elsewhere."""

MEASURED = ("docs/performance.md", "docs/calibration.md")
"""Pages with what benches wrote, between marks."""
MADE = ("docs/reference/",)
"""Pages that are made from the code, which tests/docs/test_reference.py holds."""

CLAIMS: dict[str, tuple[str, ...]] = {
    # -- the first screen ------------------------------------------------------------------------
    "pulse reads product usage events from Kafka, keeps rolling engagement windows for every "
    "account, scores them, draws a danger line through the scores, and tells the customer-success "
    "team, with the reason, when an account approaches the line, crosses it, or falls silent.": (
        "tests/property/test_recount.py::test_every_window_equals_a_naive_recount",
        "tests/unit/engine/test_zones.py::"
        "test_an_account_that_fades_approaches_crosses_and_falls_silent",
        "tests/e2e/test_main_job.py::"
        "test_every_alert_reaches_a_receiver_that_fails_half_of_its_requests",
    ),
    "`make doctor` says what a machine has, what it lacks and what to do about it; `make` alone "
    "lists the rest.": (
        "tests/docs/test_docs.py::test_every_make_target_exists",
        "tests/docs/test_make.py::test_doctor_says_what_there_is",
        "tests/docs/test_make.py::test_make_alone_lists_every_target",
    ),
    "thirteen years of a real contribution history in about a minute: events in, scores, crossings "
    "of the line, signed webhooks out, and the page, with a broker and a Redis of its own; needs "
    "Python 3.11 or newer, make": (
        "tests/e2e/test_demo.py::test_the_demo_plays_everything_and_every_webhook_is_verified",
        "tests/e2e/test_demo_page.py::test_who_opens_the_link_sees_accounts_come_and_go",
        "tests/docs/test_claims.py::test_the_versions_are_those_that_are_asked_for",
    ),
    "lint, types, imports, then every test on a real Apache Kafka, without Docker; needs also Java "
    "17 or newer, and Maven": (
        "tests/docs/test_make.py::test_make_test_runs_what_is_said",
        "tests/docs/test_claims.py::test_the_versions_are_those_that_are_asked_for",
    ),
    # -- what it does ----------------------------------------------------------------------------
    "An alert has who, how bad, since when, why, and what to do next.": (
        "tests/unit/alerting/test_alert.py::test_what_an_alert_says",
        "tests/unit/alerting/test_alert.py::test_sentences",
    ),
    "A score is a weighted sum of measures that you choose, and each one's points are kept.": (
        "tests/unit/engagement/test_scorecard.py::"
        "test_a_measure_is_scaled_from_floor_to_target_and_clamped",
        "tests/unit/engagement/test_scorecard.py::"
        "test_what_has_no_data_gives_its_weight_to_the_others_in_proportion",
        "tests/docs/test_commands.py::test_a_page_does_what_it_says",
    ),
    "An alert arrives within two seconds of the instant at which it was due.": (
        "tests/e2e/test_live.py::"
        "test_an_alert_arrives_within_two_seconds_of_the_instant_it_was_due",
        "docs/performance.md | due → webhook, p99 at half load | 2 s",
    ),
    "Silence, a drop, a champion who left, seats that nobody uses, a payment that failed: each of "
    "sixteen signals is a reason of its own.": (
        "tests/unit/signals/test_all.py::test_every_story_has_its_alert_and_few_others",
        "tests/docs/test_claims.py::test_there_are_as_many_signals_as_is_said",
    ),
    "`pulse calibrate` lays it by who really left, and says how it does on a time that it has not "
    "seen.": (
        "tests/unit/calibration/test_choice.py::"
        "test_the_line_lies_between_those_who_leave_and_those_who_dip",
        "tests/unit/calibration/test_choice.py::test_what_came_later_changes_no_choice",
        "tests/integration/test_documented_commands.py::test_a_line_is_laid_by_who_left",
    ),
    "Routes, groups, silences, budgets and hours hold back what would be too much, and a hundred "
    "accounts that fall at once are one alert.": (
        "tests/unit/alerting/test_acceptance.py::test_alerts_go_where_the_tree_leads",
        "tests/unit/alerting/test_acceptance.py::test_a_group_is_told_together_after_its_wait",
        "tests/unit/alerting/test_acceptance.py::"
        "test_a_silence_holds_and_at_its_end_the_last_states_are_told",
        "tests/unit/alerting/test_acceptance.py::"
        "test_the_worst_are_told_and_the_rest_is_in_the_digest",
        "tests/unit/alerting/test_acceptance.py::"
        "test_outside_working_hours_alerts_wait_for_the_receivers_morning",
        "tests/integration/notifier/test_fleet_guard.py::test_two_notifiers_see_one_fleet",
    ),
    "Which reasons were right is counted.": (
        "tests/integration/web/test_api.py::"
        "test_precision_by_reason_and_what_to_do_about_a_noisy_one",
    ),
    "What was answered with 2xx is counted once, and its alerts arrive, whatever was killed on the "
    "way.": (
        "tests/faults/test_collector.py::test_kill_9_of_the_collector_at_random_moments",
        "tests/faults/test_killed_worker.py::test_at_every_step_of_a_flush",
        "tests/faults/test_killed_broker.py::test_twice_in_the_middle_of_input",
        "tests/faults/test_killed_notifier.py::test_between_sending_logging_and_committing",
        "tests/property/test_conservation.py::test_every_line_has_one_fate",
    ),
    "The same input and configuration give the same bytes, by file and by Kafka, with one worker "
    "or several.": (
        "tests/unit/cli/test_replay.py::test_the_same_input_gives_the_same_bytes",
        "tests/integration/worker/test_same_on_kafka.py::test_one_worker",
        "tests/integration/worker/test_same_on_kafka.py::test_a_second_worker_comes_and_goes",
        "tests/integration/worker/test_same_on_kafka.py::test_a_worker_killed_in_the_middle",
    ),
    "One worker takes 220,000 events a second, where a loop written by hand for that one job takes "
    "300,000.": (
        "docs/performance.md | **pulse work**, one event a message",
        "docs/performance.md | … with a coalesced changelog",
        "tests/docs/test_claims.py::test_the_rates_are_those_of_the_bench",
    ),
    "That was one run, on a machine that its table calls busy (performance).": (
        "docs/performance.md | **The machine was busy",
    ),
    # -- what it is not --------------------------------------------------------------------------
    "It has no funnels and no paths, and of an account it keeps 92 days of sums.": (
        "tests/docs/test_claims.py::test_days_are_kept_as_long_as_is_said",
        "tests/unit/engagement/test_account.py::test_nothing_is_known_of_a_day_too_far_back",
    ),
    "Of owner, plan and MRR it knows what profiles say; it keeps no contacts and no tasks.": (
        "tests/docs/test_claims.py::test_a_profile_has_the_fields_that_are_said",
        "tests/unit/model/test_usage.py::test_a_profile_tells_deleted_from_unknown",
    ),
    "A score is the sum that you wrote down, for which `pulse calibrate` may propose other "
    "weights.": (
        "tests/unit/engagement/test_scorecard.py::"
        "test_a_measure_is_scaled_from_floor_to_target_and_clamped",
        "tests/unit/calibration/test_choice.py::"
        "test_weights_follow_what_tells_and_no_sign_is_against_all_sense",
    ),
    "On one of the two real histories on which it was compared, a model made for such data ranks "
    "accounts better.": (
        "docs/calibration.md | | P(alive) of BG/NBD | 82.0 |",
        "tests/docs/test_claims.py::test_how_well_it_ranks_is_as_measured",
    ),
    "On these histories 0.46 and 0.62 of the alerts were right, where 0.40 and 0.49 of alerts at "
    "random would have been (calibration).": (
        "docs/calibration.md | | pulse | 70.0 | 0.460 |",
        "docs/calibration.md | 1,086 leavings; alerts at random would have a precision of 0.40.",
        "docs/calibration.md | | pulse | 64.0 | 0.621 |",
        "docs/calibration.md | 457 leavings; alerts at random would have a precision of 0.49.",
    ),
    "Events stay in Kafka for as long as you say, 14 days if unsaid; a row a day and account stays "
    "for 400.": (
        "docs/reference/topics.md | `pulse.events` | usage events, profiles and ticks, by account "
        "| 32 | 14 days |",
        "docs/reference/configuration.md | `history.days` | integer, 35 to 3,660 | `400` |",
        "tests/integration/worker/test_history.py::test_what_is_too_old_goes",
    ),
    "An account is in no zone before it has been known for 28 days and active on 5, unless its "
    "past is loaded.": (
        "docs/reference/configuration.md | `line.min_history_days` | integer, 0 to 3,660 | `28` |",
        "docs/reference/configuration.md | `line.min_active_days` | integer, 0 to 3,660 | `5` |",
        "tests/unit/engine/test_zones.py::test_too_young_or_hardly_used_is_unknown_and_never_red",
        "tests/integration/notifier/test_digest.py::test_a_history_that_is_loaded_ends_with_one_digest",
    ),
    "All of an account is in one partition, which one worker on one core has, and the number of "
    "partitions is changed only while nothing runs.": (
        "tests/integration/worker/test_worker.py::test_a_misplaced_event_is_handed_on_and_counted_once",
        "tests/integration/test_topics.py::test_another_number_of_partitions_is_refused",
        "tests/integration/worker/test_repartition.py::"
        "test_workers_go_on_as_if_there_had_always_been_so_many",
    ),
    "It is alpha: state of another version is refused, not guessed at.": (
        "tests/faults/test_lost_state.py::test_a_state_of_another_version",
    ),
    "TLS is a proxy's.": (
        "docs/reference/configuration.md | 0.0.0.0 to be reached from other machines; TLS is a "
        "proxy's.",
    ),
    # -- three ways, in and out ------------------------------------------------------------------
    "One engine: on files (`pulse replay`), on Kafka (`pulse work` and the processes beside it), "
    "or all at once on this machine (`pulse demo`).": (
        "tests/integration/worker/test_same_on_kafka.py::test_one_worker",
        "tests/e2e/test_demo.py::test_the_demo_plays_everything_and_every_webhook_is_verified",
    ),
    "The tutorial begins with the demo, run it on Kafka with nothing.": (
        "tests/docs/test_commands.py::test_a_page_does_what_it_says",
        "tests/integration/test_documented_commands.py::"
        "test_from_nothing_to_an_account_and_then_segment",
    ),
    "Over HTTP, from the clients of Segment, RudderStack and PostHog as they are "
    "(docs/collector.md), from Python with `pulse.sdk`, or straight to Kafka from any client: a "
    "record of the topic `pulse.events` has the key `account_id` and one JSON object, or several, "
    "one a line:": (
        "tests/integration/collector/test_clients.py::test_segments_own_client",
        "tests/integration/collector/test_clients.py::test_rudderstacks_client",
        "tests/integration/collector/test_clients.py::test_posthogs_client",
        "tests/integration/collector/test_node.py::test_a_client_for_node",
        "tests/integration/test_sdk.py::test_what_four_threads_emit_comes_to_the_accounts",
        "tests/unit/model/test_wire.py::test_a_record_of_several_lines",
        "tests/docs/test_claims.py::test_what_goes_in_is_accepted",
    ),
    "`user_id`, `source` and `properties` may be missing.": (
        "tests/unit/model/test_usage.py::test_the_least_an_event_needs",
    ),
    "`ts` is RFC 3339 or integer milliseconds.": (
        "tests/unit/model/test_wire.py::test_times",
        "tests/unit/model/test_time.py::test_rfc_3339_is_read_to_the_millisecond",
    ),
    "Without any configuration every event weighs 1, its feature is `properties.feature`, else its "
    "name, and its value is `properties.value`.": (
        "tests/unit/engagement/test_usage.py::test_without_configuration",
    ),
    "What cannot be read goes to `pulse.deadletter` with its bytes, its place and the reason, and "
    "everything around it is counted.": (
        "tests/integration/worker/test_worker.py::"
        "test_bad_input_is_in_the_dead_letter_and_all_around_it_is_counted",
    ),
    "Webhooks after the Standard Webhooks specification: signed, retried, with an id by which a "
    "repeat is recognised.": (
        "tests/contract/test_webhook_receiver_kind.py::test_a_webhook_is_what_the_standard_says",
        "tests/contract/test_webhook_receiver_kind.py::"
        "test_the_id_and_the_body_stay_the_same_over_attempts",
        "tests/integration/notifier/test_notifier.py::"
        "test_half_of_the_requests_fail_and_every_alert_arrives_once",
    ),
    "Or messages to Slack, Teams, PagerDuty, Alertmanager, by mail and by whatever apprise knows "
    "(docs/receivers.md).": (
        "tests/integration/notifier/test_receivers_on_kafka.py::"
        "test_every_kind_is_told_that_an_alert_fires_and_that_it_has_ended",
    ),
    "Pages and an API (docs/web.md).": (
        "tests/integration/web/test_schema.py::test_every_endpoint_answers_as_it_says",
    ),
    "Today lists the accounts in danger and approaching it, what has most at stake first.": (
        "tests/unit/web/test_today.py::test_what_has_most_at_stake_comes_first",
        "tests/integration/web/test_today.py::"
        "test_the_worst_account_is_found_chosen_and_looked_for",
    ),
    "An account's page has its year against the line, and why.": (
        "tests/unit/web/about/test_chart.py::test_the_line_is_drawn_as_it_was_on_each_day",
        "tests/integration/web/test_page.py::test_a_link_shows_the_account_its_score_and_why",
    ),
    "Fleet shows all of them over time, Line what another line would change.": (
        "tests/integration/web/test_fleet.py::test_the_fleet_in_numbers_that_are_compared",
        "tests/integration/web/test_fleet.py::test_another_line_is_tried_before_it_is_saved",
    ),
    "`/metrics` on every process, with rules, runbooks and dashboards (docs/operations.md).": (
        "tests/integration/test_prometheus.py::test_a_panel_gets_what_it_shows",
        "tests/deploy/test_rules.py::test_an_alert_says_what_it_means_and_where_its_runbook_is",
    ),
    "Redis, which the pages read.": (
        "tests/integration/web/test_page.py::test_there_is_no_today_without_a_read_model",
    ),
    "It holds what can be made again: when it is away the workers go on.": (
        "tests/faults/test_redis_away.py::test_away_in_the_middle_and_back",
    ),
}

NO_CLAIM = {
    "Customers who leave stop using the product first, and somebody could have called them.": (
        "why there is a pulse; how far it holds, the numbers under `What it is not` say"
    ),
    "It knows what people do, not what they think.": "nobody would hold the contrary",
}

HEADINGS = re.compile(r"\*\*[A-Z][^*]*\.\*\*")
"""What a list's entry is about; the sentences behind it are the claim."""


def sentences(text: str) -> list[str]:
    """The sentences of a page without code blocks, tables, headings, pictures and marks."""
    text = re.sub(r"<!--.*?-->|<picture>.*?</picture>|```.*?```", "\n\n", text, flags=re.DOTALL)
    text = re.sub(r"^(?: {4}|[|#]).*$", "\n\n", text, flags=re.MULTILINE)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", HEADINGS.sub("", text)).replace("*", "")
    found: list[str] = []
    for paragraph in re.split(r"\n\s*\n|^- ", text, flags=re.MULTILINE):
        flowing = " ".join(paragraph.split())
        found += re.split(r"(?<=\.) (?=[A-Z`/]|pulse )", flowing)
    return [each for each in found if each]


def rows() -> list[str]:
    """What the table of commands says of each, and what it needs."""
    found = re.findall(r"^\| `make \w+` \| (.*) \| (.*) \|$", README, re.MULTILINE)
    return [f"{does}; needs {needs}" for does, needs in found]


def looked_at() -> list[str]:
    """The sentences of the README that claim something, or might."""
    parts = re.split(r"(?m)^## (.+)$", README)
    said = sentences(parts[0]) + rows()
    for title, text in zip(parts[1::2], parts[2::2], strict=True):
        if title not in NOT_LOOKED_AT:
            said += sentences(text)
    return said


@cache
def functions_in(file: str) -> set[str]:
    """The functions of a test module whose names begin with `test_`."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, kinds) and node.name.startswith("test_")
    }


def measured(page: str) -> str:
    """What benches wrote into a page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return "\n".join(
        re.findall(r"<!-- [\w ]+: begin -->(.*?)<!-- [\w ]+: end -->", text, re.DOTALL)
    )


def is_there(evidence: str) -> bool:
    """Whether what holds a sentence is there."""
    page, is_row, text = evidence.partition(" | ")
    if is_row:
        if page.startswith(MADE):
            return text in (ROOT / page).read_text(encoding="utf-8")
        return page in MEASURED and text in measured(page)
    file, _, name = evidence.partition("::")
    return (ROOT / file).is_file() and name in functions_in(file)


def test_every_sentence_is_held_or_claims_nothing() -> None:
    said = looked_at()

    assert [each for each in said if each not in CLAIMS and each not in NO_CLAIM] == []
    assert len(said) > 30


def test_nothing_is_held_that_is_not_said() -> None:
    assert [each for each in (*CLAIMS, *NO_CLAIM) if each not in looked_at()] == []


@pytest.mark.parametrize("claim", CLAIMS)
def test_what_holds_a_claim_is_there(claim: str) -> None:
    assert CLAIMS[claim]
    assert [each for each in CLAIMS[claim] if not is_there(each)] == []


def test_what_is_not_there_is_noticed() -> None:
    for evidence in (
        "tests/docs/test_claims.py::test_that_nobody_wrote",
        "tests/docs/test_that_is_gone.py::test_it",
        "docs/performance.md | **pulse work**, a row that nobody measured",
        "docs/operations.md | PulseNoTicks",
    ):
        assert not is_there(evidence), evidence


def test_a_sentence_is_found_wherever_it_stands() -> None:
    text = "# Title\n\nOne: two.\nStill `it`. Three.\n\n- **Head.** Four [five](six.md).\n- Seven\n"

    assert sentences(text) == ["One: two.", "Still `it`.", "Three.", "Four five.", "Seven"]


# -- what the README says in numbers ---------------------------------------------------------------


def numbers(page: str, row: str) -> list[float]:
    """The numbers of a row that a bench wrote."""
    (line,) = [each for each in measured(page).splitlines() if row in each]
    return [float(each.replace(",", "")) for each in re.findall(r"\| ([\d,.]+) ", line)]


def test_the_rates_are_those_of_the_bench() -> None:
    said = re.search(r"One worker takes ([\d,]+) events .*?takes ([\d,]+)\.", README, re.DOTALL)
    assert said is not None
    for text, row in zip(
        said.groups(),
        ("**pulse work**, one event a message", "… with a coalesced changelog"),
        strict=True,
    ):
        assert f"{round(numbers('docs/performance.md', row)[0], -4):,.0f}" == text


def test_how_well_it_ranks_is_as_measured() -> None:
    tables = measured("docs/calibration.md").split("alerts at random would")
    areas = [
        [
            float(re.search(rf"^\| {name} \|.*?([\d.]+) \([\d.]+ to", table, re.MULTILINE)[1])  # type: ignore[index]  # else the test fails
            for name in ("pulse", r"P\(alive\) of BG/NBD")
        ]
        for table in (tables[1], tables[3])  # each history: leavings, then every pause
    ]

    assert sorted(ours < theirs for ours, theirs in areas) == [False, True]


def test_the_versions_are_those_that_are_asked_for() -> None:
    doctor = (ROOT / "deploy" / "doctor.sh").read_text(encoding="utf-8")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")

    assert 'requires-python = ">=3.11"' in project
    assert re.search(r"-ge 17\b|17 or newer", doctor)


def test_there_are_as_many_signals_as_is_said() -> None:
    from pulse.config.signals import Signals

    assert "sixteen signals" in README
    assert len(Signals.model_fields) == 16


def test_days_are_kept_as_long_as_is_said() -> None:
    from pulse.engagement import windows

    assert "92 days of sums" in README
    assert windows.KEPT_DAYS == 92


def test_a_profile_has_the_fields_that_are_said() -> None:
    from pulse.model import AccountProfile

    fields = set(AccountProfile.model_fields)
    assert {"owner", "plan", "mrr"} <= fields
    assert not [each for each in fields if re.search("contact|task|mail|phone", each)]


def test_what_goes_in_is_accepted() -> None:
    from pulse.model import ProfileRecord, UsageEvent, read_record

    (block,) = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    kinds = [type(read_record(line.encode())) for line in block.splitlines()]

    assert kinds == [UsageEvent, ProfileRecord]
