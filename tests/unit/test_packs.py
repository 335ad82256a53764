"""Lines packed into records."""

from __future__ import annotations

from pulse.packs import RECORD_BYTES, Line, packed
from pulse.placement import partition_of

LINES = [Line(f"account-{n % 50}", b"%d" % n) for n in range(1_000)]


def test_every_line_is_in_the_partition_of_its_account_once_and_in_order() -> None:
    found = packed(LINES, 7)

    account = {line.data: line.account_id for line in LINES}
    for pack in found:
        assert {partition_of(account[data], 7) for data in pack.lines} == {pack.partition}
    for partition in range(7):
        together = [data for pack in found if pack.partition == partition for data in pack.lines]
        assert together == [
            line.data for line in LINES if partition_of(line.account_id, 7) == partition
        ]
    assert len(found) == 7


def test_the_key_is_the_account_where_it_is_one() -> None:
    (both,) = packed([Line("acme", b"1"), Line("globex", b"2")], 1)
    (one,) = packed([Line("acme", b"1"), Line("acme", b"2")], 1)

    assert (both.key, both.value) == (None, b"1\n2")
    assert (one.key, one.value) == (b"acme", b"1\n2")


def test_a_record_has_no_more_than_it_may() -> None:
    sizes = [RECORD_BYTES // 2, RECORD_BYTES // 2 - 1, 1, RECORD_BYTES, RECORD_BYTES - 2, 1]
    found = packed([Line("acme", b"x" * size) for size in sizes], 4)

    assert [[len(data) for data in pack.lines] for pack in found] == [
        sizes[:2],
        sizes[2:3],
        sizes[3:4],
        sizes[4:],
    ]
    assert max(len(pack.value) for pack in found) == RECORD_BYTES
    assert packed([], 4) == []
