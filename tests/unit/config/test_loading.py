"""Mistakes in a file: each with its place, its words and what was probably meant."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from pulse.config import Config, ConfigError
from pulse.config.loading import read

if TYPE_CHECKING:
    from pathlib import Path


def mistakes_in(text: str) -> list[str]:
    """What `pulse check` would print for a file named x."""
    try:
        read(Config, dedent(text).lstrip("\n"), "x")
    except ConfigError as error:
        return str(error).splitlines()
    return []


def test_an_empty_file_is_the_defaults() -> None:
    assert read(Config, "") == Config()
    assert read(Config, "# nothing\n") == Config()
    assert read(Config, "---\n") == Config()


def test_an_empty_section_is_the_default() -> None:
    assert read(Config, "kafka:\nline:\n  enter:\n") == Config()


def test_no_file_is_the_defaults() -> None:
    assert Config.load(None) == Config() == Config.load()


# One mistake a row: the file, then all that is said about it.
ONE_MISTAKE = [
    ("clok: wall", 'x:1:1: clok: unknown key; did you mean "clock"?'),
    ("line:\n  entr: 3", 'x:2:3: line.entr: unknown key; did you mean "enter"?'),
    ("enter: 3", 'x:1:1: enter: unknown key; did you mean "line.enter"?'),
    ("plays: {dager: x}", 'x:1:9: plays.dager: unknown key; did you mean "danger"?'),
    (
        "notifier: {qwx: 1}",
        "x:1:12: notifier.qwx: unknown key; known here: metrics_port, metrics_host, concurrency, "
        "late_after, fleet_guard",
    ),
    ("clock: wal", 'x:1:8: clock: must be wall or events, not "wal"; did you mean "wall"?'),
    (
        "timezone: Europe/Berln",
        'x:1:11: timezone: unknown time zone "Europe/Berln"; did you mean "Europe/Berlin"?',
    ),
    (
        "timezone: +02:00",
        'x:1:11: timezone: unknown time zone "+02:00"; IANA names look like Europe/Berlin',
    ),
    (
        "kafka: {partitions: '32'}",
        'x:1:21: kafka.partitions: must be a whole number, not "32"; leave the quotes out',
    ),
    ("kafka: {partitions: 3.5}", "x:1:21: kafka.partitions: must be a whole number, not 3.5"),
    ("kafka: {partitions: 0}", "x:1:21: kafka.partitions: must be at least 1, not 0"),
    ("kafka: {partitions: true}", "x:1:21: kafka.partitions: must be a whole number, not true"),
    (
        "kafka: {client_id: 7}",
        'x:1:20: kafka.client_id: must be a text, not 7; put it in quotes: "7"',
    ),
    (
        "kafka:\n  brokers: kafka:9092",
        'x:2:12: kafka.brokers: must be a list (lines that begin with -), not "kafka:9092"; '
        "put it in brackets: [ ]",
    ),
    (
        "kafka:\n  brokers:\n    - kafka",
        'x:3:7: kafka.brokers[0]: "kafka" is no broker address; write host:port, like kafka-1:9092',
    ),
    ("kafka: {brokers: []}", "x:1:18: kafka.brokers: must not be an empty list"),
    ("kafka: 7", "x:1:8: kafka: must be a section (key: value), not 7"),
    (
        "kafka: {topics: {alerts: pulse.events}}",
        'x:1:26: kafka.topics.alerts: "pulse.events" is the events topic already',
    ),
    (
        "kafka: {topics: {events: a b}}",
        'x:1:26: kafka.topics.events: must be a topic name: letters, digits, . _ -, not "a b"',
    ),
    ("redis: {enabled: 1}", "x:1:18: redis.enabled: must be true or false, not 1"),
    (
        "redis: {enabled: yes}",
        'x:1:18: redis.enabled: must be true or false, not "yes"; did you mean true?',
    ),
    (
        "redis: {url: http://x}",
        "x:1:14: redis.url: must begin with redis:// or rediss:// or unix://",
    ),
    (
        "worker: {metrics_port: 65536}",
        "x:1:24: worker.metrics_port: must be at most 65535, not 65536",
    ),
    (
        "worker: {flush_interval_s: 0}",
        "x:1:28: worker.flush_interval_s: must be more than 0, not 0",
    ),
    (
        "worker: {flush_interval_s: .inf}",
        "x:1:28: worker.flush_interval_s: must be a finite number, not inf",
    ),
    (
        "usage: {feature: feature}",
        'x:1:18: usage.feature: must be a path like properties.feature, not "feature"',
    ),
    (
        "usage: {weights: [{event: 'a[b', weight: 1}]}",
        'x:1:27: usage.weights[0].event: "[" without "]" in the pattern "a[b"',
    ),
    (
        "usage: {weights: [{event: '', weight: 1}]}",
        'x:1:27: usage.weights[0].event: must not be empty; "*" matches everything',
    ),
    ("usage: {weights: [{event: a}]}", "x:1:19: usage.weights[0].weight: is missing"),
    (
        "usage:\n  weights:\n    - event: a\n      weight:\n",
        "x:4:7: usage.weights[0].weight: has no value",
    ),
    (
        "usage: {weights: [{event: a, weight: -1}]}",
        "x:1:38: usage.weights[0].weight: must be at least 0, not -1",
    ),
    (
        "usage: {ignore: [{}]}",
        "x:1:18: usage.ignore[0]: has no condition, so it would ignore nothing",
    ),
    (
        "usage: {ignore: [{property: properties.bot}]}",
        "x:1:18: usage.ignore[0]: property and equals belong together",
    ),
    (
        "usage: {active: {window: {14d: {value: 3}}}}",
        'x:1:27: usage.active.window.14d: must be 7d, 28d or 84d, not "14d"',
    ),
    (
        "scorecard: [{measure: activ_users, weight: 1, target: 1}]",
        "x:1:23: scorecard[0].measure: must be events, value, active_users, features, "
        "active_days, recency_days, active_days_ever, value_per_mrr, trend or key_features, "
        'not "activ_users"; did you mean "active_users"?',
    ),
    (
        "scorecard: [{measure: events, window: 30d, weight: 1, target: 1}]",
        'x:1:39: scorecard[0].window: must be 7d, 28d or 84d, not "30d"',
    ),
    (
        "scorecard: [{measure: recency_days, window: 28d, weight: 1, floor: 9, target: 1}]",
        "x:1:45: scorecard[0].window: recency_days has no window; leave this key out",
    ),
    (
        "scorecard: [{measure: recency_days, weight: 1, floor: 9, target: {of_baseline: 1}}]",
        "x:1:66: scorecard[0].target: of recency_days must be a number of days",
    ),
    (
        "scorecard: [{measure: trend, window: 7d, weight: 1, target: 1}]",
        "x:1:38: scorecard[0].window: trend has no window; leave this key out",
    ),
    (
        "scorecard: [{measure: trend, weight: 1, target: {of_baseline: 1}}]",
        "x:1:49: scorecard[0].target: of trend must be a number, of which 1 is as usual",
    ),
    (
        "scorecard: [{measure: key_features, weight: 1, target: {per_seat: 1}}]",
        "x:1:56: scorecard[0].target: of key_features must be a number of them",
    ),
    (
        "scorecard: [{measure: key_features, weight: 1, target: 1}]",
        "x:1:23: scorecard[0].measure: nothing says which the key features are; name them in "
        "usage.key_features",
    ),
    (
        "usage: {key_features: [sso, api]}\n"
        "scorecard: [{measure: events, weight: 1, target: 1}, "
        "{measure: key_features, weight: 1, target: 3}]",
        "x:2:97: scorecard[1].target: cannot be reached: the key features are 2",
    ),
    (
        "segments: {large: {scorecard: [{measure: key_features, weight: 1, target: 1}]}}",
        "x:1:42: segments.large.scorecard[0].measure: nothing says which the key features are; "
        "name them in usage.key_features",
    ),
    (
        "usage: {key_features: [sso, api, sso]}",
        'x:1:34: usage.key_features[2]: "sso" is there already',
    ),
    (
        "usage: {key_features: []}",
        "x:1:23: usage.key_features: must not be an empty list",
    ),
    (
        "usage: {key_features: ['a[b']}",
        'x:1:24: usage.key_features[0]: "[" without "]" in the pattern "a[b"',
    ),
    (
        "scorecard: [{measure: events, weight: 1, target: {per_set: 1}}]",
        "x:1:50: scorecard[0].target: must be a number, {per_seat: 0.8} or {of_baseline: 1.0}",
    ),
    (
        "scorecard: [{measure: events, weight: 1, target: lots}]",
        "x:1:50: scorecard[0].target: must be a number, {per_seat: 0.8} or {of_baseline: 1.0}",
    ),
    (
        "scorecard: [{measure: events, weight: 1, target: {per_seat: x}}]",
        'x:1:61: scorecard[0].target.per_seat: must be a number, not "x"',
    ),
    (
        "scorecard: [{measure: events, weight: 1, floor: 3, target: 3}]",
        "x:1:60: scorecard[0].target: is the same as the floor (3), "
        "so there is nothing to scale between",
    ),
    (
        "scorecard: [{measure: events, weight: 0, target: 3}]",
        "x:1:12: scorecard: every weight is 0; give at least one measure a weight",
    ),
    ("scorecard: []", "x:1:12: scorecard: must not be an empty list"),
    (
        "scorecard:\n"
        "  - {measure: events, window: 7d, weight: 1, target: 3}\n"
        "  - {measure: events, window: 28d, weight: 1, target: 3}\n",
        'x:3:15: scorecard[1].measure: an earlier measure is called "events" too; '
        "give this one a name of its own (name: …)",
    ),
    (
        "line: {enter: 60, exit: 50}",
        "x:1:25: line.exit: exit (50) must be above enter (60); "
        "the gap keeps accounts from flapping; 10 points are usual",
    ),
    (
        "line: {enter: 50}",
        "x:1:15: line.enter: exit (50) must be above enter (50); "
        "the gap keeps accounts from flapping; 10 points are usual",
    ),
    (
        "line: {approach: 40}",
        "x:1:18: line.approach: approach (40) must be above enter (40); "
        "accounts approach danger from above",
    ),
    (
        "line: {approach: 95}",
        "x:1:18: line.approach: an account could never stop approaching: it would need "
        "a score of approach + (exit - enter) = 105; set approach to 90 or less",
    ),
    ("line: {enter: 101}", "x:1:15: line.enter: must be at most 100, not 101"),
    (
        "line: {dwell: 3600}",
        'x:1:15: line.dwell: must be a duration like 90s, 15m, 1h or 1d; did you mean "3600s"?',
    ),
    ("line: {dwell: 1w}", "x:1:15: line.dwell: must be a duration like 90s, 15m, 1h or 1d"),
    ("line: {dwell: 400d}", "x:1:15: line.dwell: must be at most 366d"),
    (
        "segments: {big: {line: {enter: 52}}}",
        "x:1:32: segments.big.line.enter: exit (50) must be above enter (52); "
        "the gap keeps accounts from flapping; 10 points are usual",
    ),
    ("segments: {7: {}}", 'x:1:12: segments[7]: must be a text, not 7; put it in quotes: "7"'),
    (
        "segments: {big: {scorecard: [{measure: events, weight: 0, target: 1}]}}",
        "x:1:29: segments.big.scorecard: every weight is 0; give at least one measure a weight",
    ),
    (
        "lifecycle: {churned_after_days: 28}",
        "x:1:33: lifecycle.churned_after_days: churned_after_days (28) must be more than "
        "dormant_after_days (28)",
    ),
    (
        "lifecycle: {dormant_after_days: 200}",
        "x:1:33: lifecycle.dormant_after_days: churned_after_days (180) must be more than "
        "dormant_after_days (200)",
    ),
    (
        "receivers: {name: a}",
        "x:1:12: receivers: must be a list (lines that begin with -), not a section",
    ),
]


@pytest.mark.parametrize(("text", "said"), ONE_MISTAKE, ids=[text[:40] for text, _ in ONE_MISTAKE])
def test_a_mistake_is_said_once_with_its_place(text: str, said: str) -> None:
    assert mistakes_in(text) == [said]


def test_all_mistakes_are_found_in_one_run_and_in_order() -> None:
    said = mistakes_in("""
        clok: wall
        line: {enter: 60, exit: 50, dwell: 1w}
        kafka:
          partitions: none
          topics: {events: a, alerts: a, deadletter: a}
        scorecard:
          - {measure: events, weight: 1, target: 1}
          - {measure: evnts, weight: x, target: y}
          - {measure: events, weight: 1, target: 1}
        receivers:
          - {name: a, kind: webhook, url: "https://a", secret_env: A}
          - {name: a, kind: webhok, url: "https://a"}
          - 7
        kafka: {}
    """)

    assert [line.split(": ")[0] + " " + line.split(": ")[1] for line in said] == [
        "x:1:1 clok",
        "x:2:25 line.exit",
        "x:2:36 line.dwell",
        "x:4:15 kafka.partitions",
        "x:5:31 kafka.topics.alerts",
        "x:5:46 kafka.topics.deadletter",
        "x:8:15 scorecard[1].measure",
        "x:8:30 scorecard[1].weight",
        "x:8:41 scorecard[1].target",
        "x:9:15 scorecard[2].measure",
        "x:12:12 receivers[1].name",
        "x:12:21 receivers[1].kind",
        "x:13:5 receivers[2]",
        "x:14:1 kafka",
    ]


def test_a_receiver_says_where_to_post_and_how_to_sign() -> None:
    assert mistakes_in("receivers: [{name: a, kind: webhook}]") == [
        "x:1:13: receivers[0]: where to post is missing; set url, url_env or url_file",
        "x:1:13: receivers[0]: the signing secret is missing; set secret_env or secret_file",
    ]


def test_a_receiver_says_each_thing_once() -> None:
    assert mistakes_in("""
        receivers:
          - name: a
            kind: webhook
            url: https://example.com
            url_env: URL
            secret_env: A
            secret_file: /a
            previous_secret_env: B
            previous_secret_file: /b
    """) == [
        "x:5:14: receivers[0].url_env: url is set too; leave one of them out",
        "x:7:18: receivers[0].secret_file: secret_env is set too; leave one of them out",
        "x:9:27: receivers[0].previous_secret_file: previous_secret_env is set too; "
        "leave one of them out",
    ]


@pytest.mark.parametrize(
    ("security", "said"),
    [
        (
            "protocol: SASL_SSL",
            [
                "SASL_SSL needs a mechanism",
                "SASL_SSL needs a username",
                "SASL_SSL needs a password",
            ],
        ),
        (
            "protocol: SASL_PLAINTEXT, mechanism: PLAIN, username: u, password_env: A, ca_file: f",
            ["is only for TLS, and the protocol is SASL_PLAINTEXT"],
        ),
        (
            "username: u, password_file: f",
            [
                "is only for SASL, and the protocol is PLAINTEXT",
                "is only for SASL, and the protocol is PLAINTEXT",
            ],
        ),
        ("protocol: SSL, cert_file: c", ["the certificate needs its key"]),
        ("protocol: SSL, key_file: c", ["the key needs its certificate"]),
        ("protocol: SSL, key_password_env: A", ["there is no key_file it could open"]),
        (
            "protocol: SASL_SSL, mechanism: PLAIN, username: u, password_env: A, password_file: f",
            ["password_env is set too"],
        ),
    ],
)
def test_the_security_settings_belong_together(security: str, said: list[str]) -> None:
    found = mistakes_in(f"kafka: {{security: {{{security}}}}}")

    assert len(found) == len(said)
    for mistake, words in zip(found, said, strict=True):
        assert words in mistake
        assert mistake.startswith("x:1:")


SECRETS = [
    "kafka: {security: {password: hunter2hunter2}}",
    "redis: {url: 'redis://:hunter2hunter2@host/0'}",
    "redis: {password: hunter2hunter2}",
    "receivers: [{name: a, kind: webhook, url: 'https://a', secret: hunter2hunter2}]",
    "receivers: [{name: a, kind: webhook, url: 'https://a', secret: whsec_hunter2hunter2}]",
    "receivers: [{name: a, kind: webhook, url: 'https://a', secret_env: whsec_hunter2hunter2}]",
    "receivers: [{name: a, kind: webhook, url: 'https://a', secret_env: 'hunter2hunter2=='}]",
    "receivers: [{name: a, kind: webhook, url: 'https://me:hunter2hunter2@a', secret_env: A}]",
    "receivers: [{name: a, kind: webhook, url: 'ftp://hunter2hunter2', secret_env: A}]",
    "receivers: [{name: a, kind: webhook, url: [hunter2hunter2], secret_env: A}]",
    "plays: {danger: '-----BEGIN PRIVATE KEY----- hunter2hunter2'}",
]


@pytest.mark.parametrize("text", SECRETS)
def test_a_secret_in_the_file_is_refused_and_not_repeated(text: str) -> None:
    said = mistakes_in(text)

    assert len(said) in (1, 2)
    assert "hunter2" not in "".join(said)


def test_a_secret_in_the_file_is_told_where_it_belongs() -> None:
    assert mistakes_in("kafka: {security: {password: hunter2}}") == [
        "x:1:20: kafka.security.password: a secret does not belong in this file; put it in an "
        "environment variable or a file and name that in password_env or password_file"
    ]


# --- what is no YAML, or no mapping -------------------------------------------

NOT_YAML = [
    ("line:\n\tenter: 4\n", "x:2:1: a tab in the indentation; YAML wants spaces"),
    (
        "line: enter: 4\n",
        'x:1:12: not YAML: a ":" where none can be; '
        "check the indentation, and put texts with a colon in quotes",
    ),
    ("line: [1\n", "x:2:1: not YAML: a bracket is not closed, or a comma is missing"),
    ("clock: 'wall\n", "x:2:1: not YAML: the file ends inside quotes"),
    (
        "line:\n  enter: 4\n exit: 5\n",
        "x:3:2: not YAML: the indentation does not fit the lines above",
    ),
    ("a: 1\n---\nb: 2\n", "x:2:1: not YAML: there is a second document (---) in the file"),
    ("line: *base\n", "x:1:7: not YAML: this name (*) was not given to anything with & above"),
    (
        "clock: @wall\n",
        "x:1:8: not YAML: this character cannot begin a value; put the value in quotes",
    ),
    ("clock\n", "x:1:1: the file must be a mapping of settings (key: value)"),
    ("- clock\n", "x:1:1: the file must be a mapping of settings (key: value)"),
    ("clock: !env X\n", "x:1:8: clock: unknown tag !env; leave it out"),
    ("line: &a\n  enter: *a\n", "x:1:7: line.enter: refers to itself"),
    ("? [a]\n: 1\n", "x:1:3: has a key that is no text; put the key in quotes"),
    (
        "clock: wall\nclock: events\n",
        "x:2:1: clock: is said twice; the first is in line 1; leave one of them out",
    ),
    ("a: " + "[" * 2000, "x:1:1: nested too deeply"),
]


@pytest.mark.parametrize(("text", "said"), NOT_YAML, ids=[text[:20] for text, _ in NOT_YAML])
def test_what_is_no_yaml_is_said_in_plain_words(text: str, said: str) -> None:
    assert mistakes_in(text)[:1] == [said]


def test_every_doubled_key_is_found() -> None:
    said = mistakes_in("line: {enter: 40, enter: 41}\nclock: wall\nclock: wall\n")

    assert [line.split(": ")[1] for line in said] == ["line.enter", "clock"]


def test_anchors_and_merges_work() -> None:
    config = read(
        Config,
        dedent("""
            line: &base {enter: 30, exit: 45}
            segments:
              small: {line: *base}
              large: {line: {<<: *base, exit: 50}}
        """),
    )

    assert config.segments["small"].line.exit == 45
    assert (config.segments["large"].line.enter, config.segments["large"].line.exit) == (30, 50)


# --- files ------------------------------------------------------------------


def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "pulse.yaml"
    file.write_text("\ufeffplays: {danger: Café}\r\nclock: events\r\n", encoding="utf-8")

    config = Config.load(file)

    assert (config.plays.danger, config.clock) == ("Café", "events")


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    file = tmp_path / "pulse.yaml"

    def said() -> str:
        with pytest.raises(ConfigError) as caught:
            Config.load(file)
        (mistake,) = caught.value.mistakes
        assert (mistake.where, mistake.column) in {("", 0), ("", 1)}
        return str(caught.value).removeprefix(str(file))

    assert said() == ": no such file"
    file.write_bytes(b"clock: wall\n# caf\xe9\n")
    assert said() == ":2:1: not UTF-8; save the file as UTF-8"
    file.write_bytes(b"#" * (1 << 20) + b"\n")
    assert said() == ": larger than 1 MB: no configuration is"
    file.unlink()
    file.mkdir()
    assert said() == ": is a directory, not a file"


def test_a_line_file_says_more_of_a_segment_than_scores(tmp_path: Path) -> None:
    (tmp_path / "line.yaml").write_text("segments: {smb: {from: fleet, dwell: 36h}}\n")
    (tmp_path / "pulse.yaml").write_text("line_file: line.yaml\n")

    line = Config.load(tmp_path / "pulse.yaml").line_for("smb")

    assert (line.source, line.dwell_ms) == ("fleet", 36 * 3_600_000)
