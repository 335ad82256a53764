"""Links of who was forgotten: known while the product says them, and written nowhere."""

from __future__ import annotations

import pytest

from pulse.collector.links import Link, Links, forgotten_key
from pulse.collector.privacy import PLAIN, Privacy
from pulse.collector.turning import KEY

HASHING = Privacy("a key of enough letters")


@pytest.mark.parametrize("privacy", [PLAIN, HASHING])
@pytest.mark.parametrize("whole", [True, False])
def test_links_of_who_is_forgotten_are_not_written(privacy: Privacy, whole: bool) -> None:
    links = Links(privacy)
    stored = privacy.user("acme", "ada")
    links.take(forgotten_key("acme", None if whole else stored), b"{}")
    for source in ("web", "app"):
        for user in ("ada", "bob"):
            for account in ("acme", "globex"):
                links.learn(source, user, account)
    news = links.take_news()

    kept = {("globex", "ada"), ("globex", "bob"), ("acme", "bob")}
    kept -= {("acme", "bob")} if whole else set()
    assert {(each.account, each.user) for each in news} == {
        (account, privacy.linked(source, user))
        for account, user in kept
        for source in ("web", "app")
    }
    # The product goes on with it: the workers drop what comes.
    links.learn("web", "ada", "acme")
    assert links.account_of("web", "ada") == "acme"
    assert links.take_news() == []


def test_who_is_forgotten_in_all_accounts_is_so_in_each() -> None:
    links = Links()
    links.learn("web", "ada", "acme")
    links.take_news()
    links.take(Link("web", "ada", None).key, None)
    links.take(forgotten_key(None, "ada"), b"{}")
    links.learn("web", "ada", "acme")
    links.learn("web", "bob", "acme")

    assert [each.user for each in links.take_news()] == ["bob"]


def test_who_was_forgotten_is_no_link() -> None:
    assert Link.of(forgotten_key("acme", None), b"{}") is None
    assert Link.of(KEY, b"{}") is None
    assert forgotten_key("acme", None) != forgotten_key(None, "acme")
    assert b"acme" not in forgotten_key("acme", None)
