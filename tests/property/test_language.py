"""The hot way and the pydantic models accept the same lines and read the same from them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.config import Config
from pulse.config.policy import policy
from pulse.engine import Engine, PartitionState
from pulse.model import ProfileRecord, UsageEvent, read_record
from pulse.model.wire import BadLine, Decoder
from pulse.testing.histories import LogEntry

if TYPE_CHECKING:
    from pulse.engagement.account import Account

POLICY = policy(Config())
ENGINE = Engine(POLICY)
DECODER = Decoder(POLICY.usage.paths())


def hot(raw: bytes) -> Account | None:
    """The only account after this line, None if the line is refused."""
    state = PartitionState()
    effects = ENGINE.apply(state, [LogEntry(0, raw)])
    accounts = [state.account(name) for name in state.ids()]
    assert len(accounts) + len(effects.dead_letters) == 1
    return accounts[0] if accounts else None


def plain(raw: bytes) -> UsageEvent | ProfileRecord | None:
    """What the models read, None if they refuse it."""
    try:
        return read_record(raw)
    except ValueError:
        return None


def check(raw: bytes) -> None:
    account, record = hot(raw), plain(raw)
    assert (account is None) == (record is None), (account, record)
    if account is None or record is None:
        return
    assert account.account_id == record.account_id
    if isinstance(record, ProfileRecord):
        words = {} if account.profile is None else account.profile.said()
        said = {name: value for name, (_, _, value) in words.items()}
        assert said == record.profile.changes()
        assert {(ts, word) for ts, word, _ in words.values()} <= {(record.ts, record.id)}
        return
    feature = record.properties.get("feature")
    value = record.properties.get("value") or 0
    assert account.profile is None
    assert account.first_ms == account.last_ms == record.ts
    assert account.users.days.keys() == ({record.user_id} - {None})
    assert account.features.days.keys() == {record.event if feature is None else str(feature)}
    assert account.value.windows() == (round(value * 1_000_000),) * 3 or value < 0


texts = st.one_of(
    st.sampled_from(["acme", "default", "profile", "", " ", "é", "\u202e", "\x00", "\n", "\x7f"]),
    st.sampled_from(["a" * 256, "a" * 257, "\U0001f600" * 256, "\ufdd0", "Europe/Berlin", "UTC"]),
    st.text(max_size=5),
)
times = st.one_of(
    st.sampled_from(
        ["2024-10-24T19:33:01Z", "2024-10-24T21:33:01.123456+02:00", "2024-10-24t19:33:01z",
         "2024-10-24 19:33:01Z", "2024-10-24T19:33:01", "2024-10-24T19:33Z", "2024-10-24",
         "2024-02-30T00:00:00Z", "2024-10-24T24:00:00Z", "2024-10-24T19:33:60Z",
         "1969-12-31T23:59:59.999Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z",
         "9999-12-31T23:59:59.999-14:00", "0001-01-01T00:00:00+14:00", "2024-10-24T19:33:01,5Z",
         "2024-10-24T19:33:01.1234567891Z", "2024-10-24T19:33:01+25:00"]
    ),
    st.integers(-2, 2),
    st.integers(253_402_300_799_998, 253_402_300_800_001),
    st.sampled_from([10**30, -(10**30), 1.0, 1e3, True, False]),
)  # fmt: skip
numbers = st.one_of(
    st.sampled_from([0, 1, -1, 5, 2.5, 1_000_000_000, 1_000_000_001, -1e9, -1e9 - 1, 10**12]),
    st.sampled_from([10**12 + 1, 1e300, 10**400, 2**63, 2**64, -(2**63) - 1, 1e-300, True]),
    st.floats(allow_nan=False, allow_infinity=False),
)
anything = st.recursive(
    st.none() | st.booleans() | numbers | texts | times,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)


EVENT = {
    "id": "e",
    "account_id": "acme",
    "event": "used",
    "ts": "2024-10-24T19:33:01Z",
    "user_id": "ada",
    "source": "crm",
    "properties": {"feature": "f", "value": 2.5, "other": 1},
}
FACTS = {
    "name": "Acme",
    "segment": None,
    "mrr": 99.5,
    "seats": 5,
    "started_at": 0,
    "renewal_at": "2025-10-24T19:33:01Z",
    "timezone": "Asia/Tokyo",
    "unknown": 1,
}
PROFILE = {"id": "p", "type": "profile", "account_id": "acme", "ts": 5, "profile": FACTS}

some_numbers = st.one_of(numbers, anything)
some_texts = st.one_of(texts, st.none(), anything)
odd = {
    "id": some_texts,
    "account_id": some_texts,
    "event": some_texts,
    "user_id": some_texts,
    "source": some_texts,
    "type": st.sampled_from(["profile", "usage", None, 5]) | anything,
    "ts": times | anything,
    "properties": anything,
    "profile": anything,
    "unknown": anything,
    "properties.feature": some_texts | some_numbers,
    "properties.value": some_numbers,
    "properties.other": anything,
    "profile.name": some_texts,
    "profile.mrr": some_numbers,
    "profile.seats": some_numbers,
    "profile.started_at": times | anything,
    "profile.timezone": st.sampled_from(["UTC", "europe/berlin", "localtime"]) | anything,
    "profile.unknown": anything,
}
MISSING = object()
changes = st.lists(
    st.sampled_from(sorted(odd)).flatmap(
        lambda name: st.tuples(st.just(name), st.one_of(st.just(MISSING), odd[name], odd[name]))
    ),
    max_size=3,
)


def changed(line: dict[str, Any], some: list[tuple[str, Any]]) -> dict[str, Any]:
    line = json.loads(json.dumps(line))
    for path, value in some:
        *outer, name = path.split(".")
        inner = line.get(outer[0]) if outer else line
        if not isinstance(inner, dict):
            continue
        if value is MISSING:
            inner.pop(name, None)
        else:
            inner[name] = value
    return line


lines = st.builds(changed, st.sampled_from([EVENT, PROFILE, {**EVENT, **PROFILE}]), changes)


@given(
    st.lists(lines, min_size=1, max_size=2),
    st.booleans(),
    st.sampled_from([None, 1]),
    st.randoms(use_true_random=False),
)
def test_the_same_fields_mean_the_same(
    fields: list[dict[str, Any]], ascii_only: bool, indent: int | None, rng: Any
) -> None:
    # Of two the fields are doubled, in any order.
    pairs = [pair for some in fields for pair in some.items()]
    rng.shuffle(pairs)
    inner = (
        f"{json.dumps(name)}:{json.dumps(value, ensure_ascii=ascii_only, indent=indent)}"
        for name, value in pairs
    )
    check(("{" + ",".join(inner) + "}").encode(errors="surrogatepass"))


GOOD = [
    b'{"id":"e","account_id":"a","event":"x","ts":"2024-10-24T19:33:01.5Z","user_id":"u",'
    b'"source":"s","properties":{"feature":"f\\u00e9","value":-1.5e3,"o":[{"a":[1,2]}]},"u":null}',
    b'{"id":"p","type":"profile","account_id":"a","ts":5,"profile":{"name":"A","mrr":1,"seats":2,'
    b'"renewal_at":"2024-10-24T19:33:01Z","timezone":"UTC","plan":null},"u":"\xc3\xa9\\ud83d\\ude00"}',
]
scraps = st.sampled_from(
    [b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\n", b"\r\n", b"\x00", b"\xff", b"\xc3",
     b"\xef\xbb\xbf", b" ", b"0", b"-", b"1e999", b"NaN", b"null", b"\\u0000", b"\\ud800", b"e",
     b"tru", b'"id":5,', b'"type":"profile",', b'"type":5,', b"9" * 400, b"9" * 5_000, b"{}",
     b"[" * 300, b'{"a":' * 20]
)  # fmt: skip


@given(
    st.sampled_from(GOOD),
    st.lists(
        st.tuples(st.integers(0, 400), st.integers(0, 400), st.none() | scraps | st.binary()),
        min_size=1,
        max_size=3,
    ),
)
def test_broken_lines_are_broken_for_both(
    raw: bytes, changes: list[tuple[int, int, bytes | None]]
) -> None:
    for place, length, scrap in changes:
        start = place % (len(raw) + 1)
        gone = 0 if scrap is not None and length % 2 else length % 7
        raw = raw[:start] + (scrap or b"") + raw[start + gone :]
    lines = [line for line in raw.split(b"\n") if line.strip(b" \t\r")]
    if len(lines) == 1:  # else it is several lines to one and one object to the other
        check(raw)


@pytest.mark.parametrize("raw", GOOD)
def test_good_lines_are_good(raw: bytes) -> None:
    assert hot(raw) is not None
    check(raw)


@pytest.mark.parametrize("raw", GOOD)
def test_every_truncation_is_refused_by_both(raw: bytes) -> None:
    for length in range(len(raw)):
        assert plain(raw[:length]) is None
        check(raw[:length])


@given(st.lists(st.sampled_from([*GOOD, GOOD[0] + GOOD[1], b"{}", b"7"]) | st.binary(), max_size=5))
def test_many_at_once_are_read_as_each_alone(values: list[bytes]) -> None:
    decoded = DECODER.decode_lines(values) if values else None
    together = None if decoded is None else decoded.lines
    alone = [DECODER.decode_line(line) for value in values for line in value.split(b"\n")]

    if together is not None:
        assert together == alone
    elif values and all(value in GOOD for value in values):
        raise AssertionError("the fast way was not taken")
    assert not any(isinstance(line, BadLine) for line in together or [])
