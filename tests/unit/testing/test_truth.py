"""The comparison sees what is missing, what is too much and what is otherwise."""

from pulse.testing.truth import unlike


def test_nothing_to_say() -> None:
    assert unlike("account", {"a": 1, "b": 2}, {"b": 2, "a": 1}) == []


def test_everything_that_is_not_as_it_must_be() -> None:
    assert unlike("account", {"a": 1, "b": 2}, {"b": 3, "c": 4}) == [
        "account a is missing",
        "account c should not be",
        "account b is 3 and should be 2",
    ]


def test_only_a_few_examples() -> None:
    said = unlike("alert", dict.fromkeys(range(100)), {})

    assert len(said) == 6
    assert said[-1] == "… and 95 more of this kind"
