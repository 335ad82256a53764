"""How the group shares the alerts topic out: one member has all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import (
    ConsumerProtocolMemberAssignment,
    ConsumerProtocolMemberMetadata,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NAME: Final = "pulse-one-leads"
"""Who would share partitions out otherwise, as older versions do, is not let into the group."""
_LEADS: Final = b"leads"


def one_leads() -> type[AbstractPartitionAssignor]:
    """An assignor for one member of the group: who leads goes on to, the others stand by."""

    class OneLeads(AbstractPartitionAssignor):  # type: ignore[misc]  # aiokafka has no types
        name = NAME
        version = 0
        leads = False

        @classmethod
        def assign(cls, cluster: Any, members: Mapping[str, Any]) -> dict[str, Any]:
            leader = leader_of(members)
            topics = sorted({name for each in members.values() for name in each.subscription})
            everything = [
                (name, sorted(cluster.partitions_for_topic(name) or ())) for name in topics
            ]
            return {
                member: ConsumerProtocolMemberAssignment(
                    cls.version, everything if member == leader else [], b""
                )
                for member in members
            }

        @classmethod
        def metadata(cls, topics: Iterable[str]) -> Any:
            said = _LEADS if cls.leads else b""
            return ConsumerProtocolMemberMetadata(cls.version, list(topics), said)

        @classmethod
        def on_assignment(cls, assignment: Any) -> None:
            cls.leads = any(partitions for _, partitions in assignment.assignment)

    return OneLeads


def leader_of(members: Mapping[str, Any]) -> str:
    """Who of the members leads: who does already, else the first by its id."""
    return min(members, key=lambda name: (members[name].user_data != _LEADS, name))
