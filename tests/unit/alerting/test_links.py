"""Links open what they were made for, for as long as was said, and nothing else."""

from __future__ import annotations

import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.alerting.people.links import ACTIONS, BadTicketError, Links, Ticket

LINKS = Links("https://pulse.example.com/", b"a key of at least 32 characters!", 60_000)
DIGITS = string.ascii_letters + string.digits + "-_"


def ticket_of(links: Links = LINKS, alert: str = "al_1", account: str = "acme") -> str:
    return links.of(alert, account, 1_000)["alert"].rpartition("/")[2]


def refused(ticket: str, now_ms: int = 1_000, links: Links = LINKS) -> str:
    with pytest.raises(BadTicketError) as caught:
        links.open(ticket, now_ms)
    return caught.value.reason


def test_each_action_has_an_address_below_the_alerts() -> None:
    made = LINKS.of("al_1", "acme", 1_000)

    assert made["alert"] == f"https://pulse.example.com/l/{ticket_of()}"
    assert {name: made[name] for name in ACTIONS} == {
        name: f"{made['alert']}/{name}" for name in ACTIONS
    }


@given(account=st.text(min_size=1, max_size=256).filter(str.isprintable))
def test_a_link_opens_its_alert_and_account(account: str) -> None:
    ticket = ticket_of(account=account)

    assert LINKS.open(ticket, 60_999) == Ticket("al_1", account, 61_000)
    assert set(ticket) <= set(DIGITS + ".")  # nothing that a mail program breaks


def test_it_opens_nothing_from_its_end_on() -> None:
    assert refused(ticket_of(), now_ms=61_000) == "expired"


def test_a_ticket_with_any_other_character_opens_nothing() -> None:
    ticket = ticket_of()
    for at in range(len(ticket)):
        other = next(each for each in DIGITS if each != ticket[at])
        assert refused(ticket[:at] + other + ticket[at + 1 :]) == "forged"
        assert refused(ticket[:at] + ticket[at + 1 :]) == "forged"


@pytest.mark.parametrize("ticket", ["", ".", "a", "a.b", "ä.ö", "=.=", "x" * 5_000, "a.b.c"])
def test_what_is_no_ticket_opens_nothing(ticket: str) -> None:
    assert refused(ticket) == "forged"


def test_a_ticket_has_one_spelling() -> None:
    ticket = ticket_of()

    for same in (ticket + "=", ticket.replace(".", "\n."), ticket + "!", f" {ticket}"):
        assert refused(same) == "forged"


def test_another_key_opens_nothing_and_an_old_one_as_long_as_it_is_known() -> None:
    new = Links(LINKS.base_url, b"n" * 32, 60_000)
    changing = Links(LINKS.base_url, b"n" * 32, 60_000, (LINKS.key,))

    assert refused(ticket_of(), links=new) == "forged"
    assert changing.open(ticket_of(), 1_000).alert_id == "al_1"
    assert refused(ticket_of(changing)) == "forged"  # the old key makes none


def test_the_body_of_one_with_the_mac_of_another_opens_nothing() -> None:
    body, mac = ticket_of().split(".")[0], ticket_of(account="globex").split(".")[1]

    assert refused(f"{body}.{mac}") == "forged"


def test_a_mac_of_the_body_alone_opens_nothing() -> None:
    import hashlib
    import hmac

    said = base64.urlsafe_b64decode(ticket_of().split(".")[0] + "==")
    mac = hmac.digest(LINKS.key, said, hashlib.sha256)[:20]
    text = base64.urlsafe_b64encode(mac).rstrip(b"=").decode()

    assert refused(f"{ticket_of().split('.')[0]}.{text}") == "forged"
