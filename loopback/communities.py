"""Communities: groups of groups. Everybody in one of the groups is in the community and its own group too."""

from loopback.accounts import Account
from loopback.answers import Refused
from loopback.changes import Change, Changes
from loopback.groups import Group, Groups, Role
from loopback.wire.node import Node

__all__ = ["Communities"]

SUB_GROUP = "sub_group"
PARENT_GROUP = "parent_group"


class Communities:
    """Links groups to communities and says what is in them."""

    def __init__(self, groups: Groups, changes: Changes) -> None:
        self._groups = groups
        self._changes = changes

    def begin(self, account: Account, community: Group) -> None:
        """A group has become a community: it gets the group in which its admins announce to all."""
        community.community = True
        own = self._groups.found(account, community.subject, self._groups.members(community))
        own.announce = own.announces = True
        own.parent = community.id
        self._changes.make(account, own, Change(news=Node("create", {"type": "new"}, self._groups.node(own))))

    def place(self, account: Account, group: Group, parent: Group | None) -> None:
        """A new group belongs to a community. Raises Refused."""
        if parent is None or not parent.community:
            raise Refused(404, "item-not-found")
        if not parent.is_admin(account.lid):
            raise Refused(403, "forbidden")
        group.parent = parent.id

    def change(self, account: Account, community: Group, request: Node) -> Change:
        """Answer a request to a community: what is in it, or what to link or unlink. Raises Refused."""
        match request.tag:
            case "sub_groups":
                inside = [self._groups.link_target(group) for group in self._groups.within(community)]
                return Change(Node("sub_groups", {}, inside))
            case "linked_groups_participants":
                lids = {lid for group in self._groups.within(community) for lid in group.members}
                people = [self._groups.participant(lid) for lid in sorted(lids | set(community.members))]
                return Change(Node("linked_groups_participants", {}, people))
            case "links":
                links = request.children("link")
                asked = [node for link in links for node in link.children("group")]
                done = [self._link(account, community, node) for node in asked]
                answer = Node("link", {"link_type": SUB_GROUP}, done)
                return Change(Node("links", {}, answer))
            case _:
                done = [self._unlink(account, community, node) for node in request.children("group")]
                return Change(Node("unlink", {"unlink_type": SUB_GROUP}, done))

    def joined(self, group: Group, people: list[Account]) -> None:
        """Those who came into a group are in its community and in the community's own group."""
        community = self._groups.parent(group)
        if community is None:
            return
        own = [other for other in self._groups.within(community) if other.announces]
        for each in [community, *own]:
            new = [person for person in people if person.lid not in each.members]
            if new:
                each.members |= {person.lid: Role.MEMBER for person in new}
                news = self._changes.members(each, "add", new, reason="linked_group_join")
                self._changes.make(new[0], each, Change(news=news, newcomers=new, reason="linked_group_join"))

    def _link(self, account: Account, community: Group, node: Node) -> Node:
        group = self._linkable(account, community, node)
        if group.parent or group.community:
            return Node("group", {"jid": group.jid, "error": 409})
        group.parent = community.id
        self._tell(account, community, group, "link")
        self.joined(group, self._groups.members(group))
        return Node("group", {"jid": group.jid})

    def _unlink(self, account: Account, community: Group, node: Node) -> Node:
        group = self._linkable(account, community, node)
        if group.parent != community.id or group.announces:
            return Node("group", {"jid": group.jid, "error": 404})
        group.parent = ""
        self._tell(account, community, group, "unlink")
        return Node("group", {"jid": group.jid})

    def _linkable(self, account: Account, community: Group, node: Node) -> Group:
        """The group to link or unlink, which takes an admin of both. Raises Refused."""
        jid = node.jid("jid")
        group = self._groups.find(jid) if jid is not None else None
        if group is None or not community.community:
            raise Refused(404, "item-not-found")
        if not community.is_admin(account.lid) or not group.is_admin(account.lid):
            raise Refused(403, "forbidden")
        return group

    def _tell(self, account: Account, community: Group, group: Group, tag: str) -> None:
        """Both sides hear of the other."""
        for told, other, kind in ((community, group, SUB_GROUP), (group, community, PARENT_GROUP)):
            attrs = {f"{tag}_type": kind, "unlink_reason": "unlink_group" if tag == "unlink" else None}
            news = Node(tag, attrs, self._groups.link_target(other))
            self._changes.make(account, told, Change(news=news))
