"""Templates: what is shipped, what may be changed, what the sandbox keeps out."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pulse.notifier.messages import templates
from pulse.notifier.messages.facts import facts_of
from pulse.notifier.messages.sample import sample_messages, sample_notification
from pulse.notifier.messages.templates import Style, TemplateMistake, Templates, check

SAMPLES = sample_messages("Europe/Berlin")
ONE = facts_of(sample_notification("test", 1_700_000_000_000), "UTC")


@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda each: each.title)
def test_what_is_shipped_says_every_sample(style: Style, sample: templates.MessageFacts) -> None:
    said = Templates(style).render_strictly(sample)

    assert "\n" not in said.title
    assert len(said.alerts) == len(sample.alerts)
    assert all("This is a test of pulse, and about no customer" in each for each in said.alerts)
    assert all(each.account in text for each, text in zip(sample.alerts, said.alerts, strict=True)
               if sample.is_several)  # fmt: skip
    assert "None" not in "".join((said.title, *said.alerts, said.footer))
    assert "\n\n\n" not in "".join(said.alerts)


def test_every_fact_is_said_somewhere() -> None:
    said = "\n".join(
        "\n".join((each.title, *each.alerts, each.footer))
        for each in map(Templates(Style.TEXT).render_strictly, SAMPLES)
    )

    for words in (
        "[critical] Test account: below the danger line",
        "[resolved] Test account",
        "▆▆▆▆▆▆▆▆▆▆▆▆▆▆▅▅▅▅▅▅▅▅▅▅▄▄▄▄▄ score 31.2, danger below 40 (▁▂▃▄)",
        "In 28 days: events 400 → 90, active users 12 → 3, active days 20 → 9",
        "Score of: active users 12.5, active days 10.2, events 8.5",
        "Since 2023-11-13 01:00 CET (46 h), ended: recovered",
        "owner nobody  segment test  MRR 1,200  renewal 2024-02-12",
        "What to do: Nothing: it has arrived.",
        "Close with an outcome: https://pulse.example/close/1",
        "Digest of 3 alerts for owner nobody",
        "This comes late: it is of 2023-11-14 23:13 CET.",
        "You were told of this before: it goes on.",
        "Besides, 7 alerts of the same group fire.",
    ):
        assert words in said


@pytest.mark.parametrize(
    ("style", "shown"),
    [
        (Style.SLACK, "&lt;b&gt; &amp; 'x'"),
        (Style.HTML, "&lt;b&gt; &amp; &#x27;x&#x27;"),
        (Style.TEXT, "<b> & 'x'"),
    ],
)
def test_what_is_put_out_is_escaped_once_whatever_the_way(style: Style, shown: str) -> None:
    message = replace(ONE, title="<b> & 'x'")
    for way in (
        "{{ message.title }}",
        "{% macro m(x) %}{{ x }}{% endmacro %}{{ m(message.title) }}",
        "{% set x %}{{ message.title }}{% endset %}{{ x }}",
        '{{ [message.title] | join(", ") }}',
    ):
        own = f"{{% block footer %}}<i>{way}</i>{{% endblock %}}"
        assert Templates(style, own).render_strictly(message).footer == f"<i>{shown}</i>", way


def test_a_block_has_what_stood_there() -> None:
    own = "{% block title %}>> {{ super() }}{% endblock %}"
    said = Templates(Style.SLACK, own).render_strictly(replace(ONE, title="A & B"))

    assert said.title == ">> *A &amp; B*"
    assert said.alerts == Templates(Style.SLACK).render_strictly(ONE).alerts


@pytest.mark.parametrize(
    ("own", "why", "line"),
    [
        ("{% block title %}\n{{ message.titel }}{% endblock %}", "has no attribute 'titel'", 2),
        ("{% block alert %}{{ nobody }}{% endblock %}", "'nobody' is undefined", 1),
        ("{% block title %}", "Unexpected end of template", 1),
        ("{% block titel %}x{% endblock %}", 'no block "titel"; did you mean "title"?', 0),
        ("hello", "none of the blocks title, alert, footer", 0),
        ("{% block title %}{{ message.title + 1 }}{% endblock %}", "TypeError", 1),
        ("{% block title %}{% include 'nothing' %}{% endblock %}", "nothing", 1),
        ("{% block title %}{{ 1 | nosuch }}{% endblock %}", "No filter named 'nosuch'", 1),
    ],
)
def test_a_mistake_is_found_with_its_line(own: str, why: str, line: int) -> None:
    with pytest.raises(TemplateMistake) as caught:
        check(Style.SLACK, own, SAMPLES)

    assert why in str(caught.value)
    assert caught.value.line == line


@pytest.mark.parametrize(
    "way",
    [
        "{{ message.__class__ }}",
        "{{ message.__class__.__mro__[1].__subclasses__() }}",
        "{{ ''.__class__ }}",
        "{{ (message | attr('__class__')) }}",
        "{{ self.__init__.__globals__ }}",
        "{{ message.title.format_map.__globals__ }}",
        "{{ '{0.__class__}'.format(message) }}",
        "{{ message.alerts[0].links.append(1) }}",
        "{{ [].append(1) }}",
        "{{ range(10000000) | list }}",
        "{{ 'a' * 100000000 }}",
        "{{ [1] * 100000000 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ '%0100000000d' % 1 }}",
        "{{ 'a' | center(100000000) }}",
        "{{ lipsum(100000) }}",
        "{% for i in range(90000) %}xxxxxxxxxx{% endfor %}",
        "{% for i in range(90000) %}{% for k in range(90000) %}{% endfor %}{% endfor %}",
        "{% for i in 'x' * 900 %}{% for k in 'x' * 900 %}{% set y = i %}{% endfor %}{% endfor %}",
        "{% set n = namespace(x='aaaaaaaa') %}{% for i in range(26) %}{% set n.x = n.x ~ n.x %}"
        "{% endfor %}",
        "{% set n = namespace(x='aaaaaaaa') %}{% for i in range(26) %}{% set n.x = n.x + n.x %}"
        "{% endfor %}",
        "{% set x = 'a' * 1000 * 1000 %}",
        "{% set x = 1000 * ('a' * 100) %}",
        "{% set x = 'a'.ljust(500000000) %}",
        "{% set x = '{:>500000000}'.format(1) %}",
        "{% set a = 'a' * 1000 %}{% set b = a | replace('a', a) %}",
        "{% set a = 'a' * 1000 %}{% set b = a.replace('a', a) %}",
        "{% set a = 'a' * 1000 %}{% set b = ('&' * 1000) | replace(a[:1] | safe, a) %}",
        "{% set a = 'a' * 1000 %}{% set b = a | list | join(a) %}",
        "{% set a = 'a' * 1000 %}{% set b = a.join(a) %}",
        "{% set a = 'a' * 1000 %}{% set b = a | wordwrap(1, true, a) %}",
        "{% set a = 'a' * 1000 %}{% set b = ('b' * 100).translate({98: a}) %}",
        "{% set a = 'a' * 1000 %}{% set b = [[a] * 65] | sum(start=[]) | join %}",
        "{% set b = [1] | batch(1000000, 1) | list %}",
        "{% set b = [1] | slice(1000000) | list %}",
        "{% set b = [1] | tojson(1000000) %}",
        "{% set b = (1).to_bytes(1000000, 'big') %}",
        "{% include '/etc/passwd' %}",
        "{% include '../__init__.py' %}",
        "{% import 'os' as os %}",
    ],
)
def test_the_sandbox_lets_nothing_through(way: str) -> None:
    with pytest.raises(TemplateMistake):
        check(Style.TEXT, f"{{% block title %}}{way}{{% endblock %}}", SAMPLES)


def test_filters_do_within_the_bounds_what_they_always_do() -> None:
    for way, shown in (
        ("{{ 'a & b' | replace('a', 'x & y') }}", "x &amp; y &amp; b"),
        ("{{ 'aaa' | replace('a', 'b', 2) }}", "bba"),
        ("{{ 1000000 | replace(0, '') }}", "1"),
        ("{{ message.alerts | join(', ', attribute='severity') }}", "critical"),
        ("{{ 'one two' | wordwrap(3) }}", "one\ntwo"),
        ("{{ [1, 2, 3] | batch(2, 0) | list }}", "[[1, 2], [3, 0]]"),
        ("{{ 1234567.8 | round(0, 'floor') | int }}", "1234567"),
        ("{{ 1000000 | filesizeformat }}", "1.0 MB"),
        ("{{ [200000] | select('gt', 100000) | list }}", "[200000]"),
    ):
        own = f"{{% block footer %}}{way}{{% endblock %}}"
        assert Templates(Style.SLACK, own).render_strictly(ONE).footer == shown, way


def test_what_runs_too_long_is_found_with_its_line_and_leaves_no_trace_behind() -> None:
    before = sys.gettrace()
    own = "{% block title %}\n{% for i in range(90000) %}\n{% endfor %}\nx{% endblock %}"
    with pytest.raises(TemplateMistake, match="runs for too long") as caught:
        check(Style.TEXT, own, SAMPLES)
    assert caught.value.line == 2
    assert sys.gettrace() is before
    assert Templates(Style.TEXT, own).render(ONE) == Templates(Style.TEXT).render(ONE)


def test_a_long_template_is_not_too_long() -> None:
    rows = "{% for each in range(500) %}{{ each }}{{ ' ' ~ alert.account[:1] }}\n{% endfor %}"
    said = Templates(Style.TEXT, f"{{% block alert %}}{rows}{{% endblock %}}").render_strictly(ONE)
    assert len(said.alerts[0].splitlines()) == 500


def test_a_template_that_fails_on_an_alert_gives_way_to_the_shipped_one() -> None:
    own = "{% block alert %}{{ alert.score.upper.nothing }}{% endblock %}"
    said = Templates(Style.TEXT, own).render(ONE)

    assert said == Templates(Style.TEXT).render(ONE)


def test_every_template_is_that_of_a_style() -> None:
    folder = Path(templates.__file__).with_name("templates")

    assert {each.name for each in folder.iterdir()} == {f"{style}.j2" for style in Style}
