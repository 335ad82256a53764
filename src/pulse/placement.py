"""Which partition an account belongs to."""

from aiokafka.partitioner import murmur2


def partition_of(account_id: str, partitions: int) -> int:
    """The partition of an account among so many, as the Java client places its key (murmur2).

    >>> partition_of("acme", 32)
    4
    """
    return int((murmur2(account_id.encode()) & 0x7FFF_FFFF) % partitions)
