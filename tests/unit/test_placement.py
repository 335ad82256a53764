"""Accounts lie where the Java client would put their key."""

from __future__ import annotations

import pytest
from kafka.partitioner import DefaultPartitioner
from kafka.partitioner.default import murmur2

from pulse.placement import partition_of

# Apache Kafka, UtilsTest.testMurmur2: what Java's Utils.murmur2 gives for these bytes.
JAVA = {
    "21": -973932308,
    "foobar": -790332482,
    "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    "abc": 479470107,
}


class Cluster:
    """The cluster that a partitioner of kafka-python asks, with one topic."""

    def __init__(self, partitions: int) -> None:
        self._partitions = set(range(partitions))

    def topics(self) -> set[str]:
        return {"events"}

    def partitions_for_topic(self, topic: str) -> set[int]:
        return self._partitions

    available_partitions_for_topic = partitions_for_topic


@pytest.mark.parametrize("key", JAVA)
@pytest.mark.parametrize("partitions", [1, 2, 7, 32, 4096])
def test_as_java_places_it(key: str, partitions: int) -> None:
    assert partition_of(key, partitions) == (JAVA[key] & 0x7FFF_FFFF) % partitions


@pytest.mark.parametrize("partitions", [1, 3, 32])
def test_as_kafka_python_places_it(partitions: int) -> None:
    place = DefaultPartitioner().partition
    for account_id in ["acme", "ä", "日本", "x" * 256, *(f"account-{n}" for n in range(500))]:
        key = account_id.encode()
        assert partition_of(account_id, partitions) == place(
            "events", account_id, key, None, None, Cluster(partitions)
        )


def test_the_reference_is_murmur2() -> None:
    for key, hashed in JAVA.items():
        assert murmur2(key.encode()) == hashed & 0xFFFF_FFFF
