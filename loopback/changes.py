"""What a request changed about a group, and who is told.

Every change is told to the companions of all members, the one that asked for it included: clients keep their
list of members by these notifications and by nothing else. Those who are new are told of the whole group.
"""

from attrs import Factory, define

from loopback.accounts import Account
from loopback.answers import notification
from loopback.deliveries import Deliveries
from loopback.groups import Group, Groups
from loopback.log import log
from loopback.wire.node import Node

__all__ = ["Change", "Changes"]


@define
class Change:
    """What a request did: the answer, what to tell, and whom besides the members of now."""

    answer: Node | None = None
    news: Node | None = None
    gone: list[Account] = Factory(list)  # no longer members, but to be told
    newcomers: list[Account] = Factory(list)  # are told of the group instead of the change
    reason: str | None = None
    only_admins: bool = False


class Changes:
    """Where changes are stored and told."""

    def __init__(self, groups: Groups, deliveries: Deliveries) -> None:
        self._groups = groups
        self._deliveries = deliveries

    def members(self, group: Group, tag: str, people: list[Account], *, reason: str | None = None) -> Node:
        """The news that the list of members changed, with its version before and after."""
        told = [self._groups.participant(person.lid) for person in people]
        before, group.version = group.version, group.version + 1
        return Node(tag, {"prev_v_id": before, "v_id": group.version, "reason": reason}, told)

    def make(self, author: Account, group: Group, change: Change) -> Node | None:
        """Keep the group as it is now and tell of the change, if there is news; the request's answer."""
        if change.news is None:
            return change.answer
        self._groups.save(group)
        welcome = Node("create", {"reason": change.reason}, self._groups.node(group))
        for person in [*self._groups.members(group), *change.gone]:
            if change.only_admins and not group.is_admin(person.lid):
                continue
            node = notification(
                "w:gp2",
                group.jid,
                welcome if person in change.newcomers else change.news,
                participant=author.lid_jid,
                participant_pn=author.pn_jid,
                notify=author.name,
                addressing_mode="lid",
            )
            self._deliveries.put_to_companions(person, node)
        log("group_changed", group=group.id, phone=author.phone, change=change.news.tag)
        return change.answer
