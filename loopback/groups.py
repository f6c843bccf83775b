"""Groups: what the network knows of each, and how that is written in stanzas."""

import secrets
import time

from attrs import Factory, define, frozen

from loopback.accounts import Account, Accounts
from loopback.addresses import Attrs
from loopback.store import Store
from loopback.wire.node import GROUP, JID, Node

__all__ = ["Group", "Groups", "Invitation", "Role"]


class Role:
    """What a member may do, as stanzas write it."""

    MEMBER = ""
    ADMIN = "admin"
    OWNER = "superadmin"


@frozen
class Invitation:
    """An admin's invitation to one person who could not simply be added."""

    lid: str
    until: int  # Unix seconds


@define(eq=False)
class Group:
    """One group. Members are named by hidden identifier; times are Unix seconds."""

    id: str
    subject: str
    subject_set: int
    subject_by: str
    creator: str
    created: int
    members: dict[str, str]  # lid to role
    version: int = 1  # of the member list
    description: str = ""
    description_id: str = ""
    description_set: int = 0
    description_by: str = ""
    announce: bool = False  # only admins write
    locked: bool = False  # only admins change the group's name and so on
    ephemeral: int = 0  # seconds messages last, 0 for ever
    approval: bool = False  # admins let people in
    add_mode: str = "all_member_add"
    invite: str = Factory(lambda: secrets.token_urlsafe(16))
    revoked: list[str] = Factory(list)  # codes of links that are good no more
    invitations: dict[str, Invitation] = Factory(dict)  # to single people, by code
    requests: dict[str, int] = Factory(dict)  # who asked to be let in, and when
    picture: str = ""  # "id path", empty for none
    community: bool = False  # has groups instead of messages
    parent: str = ""  # id of the community it belongs to
    announces: bool = False  # it is its community's own group, in which all are

    @property
    def jid(self) -> JID:
        return JID(self.id, GROUP)

    def is_admin(self, lid: str) -> bool:
        return self.members.get(lid, Role.MEMBER) != Role.MEMBER


class Groups:
    """Every group, kept in the store."""

    def __init__(self, store: Store, accounts: Accounts) -> None:
        self._store = store
        self._accounts = accounts
        self._groups = store.load("group", Group)

    def found(self, creator: Account, subject: str, members: list[Account]) -> Group:
        """A new group; its creator is a member and owns it."""
        now = int(time.time())
        group_id = f"1203630{secrets.randbelow(10**11):011d}"
        roles = {creator.lid: Role.OWNER} | {
            member.lid: Role.MEMBER for member in members if member is not creator
        }
        group = Group(group_id, subject, now, creator.lid, creator.lid, now, roles)
        self._groups[group_id] = group
        self.save(group)
        return group

    def save(self, group: Group) -> None:
        self._store.put("group", group.id, group)

    def forget(self, group: Group) -> None:
        """It was never there."""
        del self._groups[group.id]
        self._store.delete("group", group.id)

    def find(self, jid: JID) -> Group | None:
        return self._groups.get(jid.user) if jid.server == GROUP else None

    def by_invite(self, code: str) -> Group | None:
        """The group whose link has this code, or had it before it was revoked."""
        groups = self._groups.values()
        return next((group for group in groups if code == group.invite or code in group.revoked), None)

    def parent(self, group: Group) -> Group | None:
        """The community a group belongs to."""
        return self._groups.get(group.parent)

    def within(self, community: Group) -> list[Group]:
        """The groups of a community, its own group first."""
        inside = [group for group in self._groups.values() if group.parent == community.id]
        return sorted(inside, key=lambda group: not group.announces)

    def of(self, account: Account) -> list[Group]:
        return [group for group in self._groups.values() if account.lid in group.members]

    def member(self, lid: str) -> Account | None:
        return self._accounts.by_lid(lid)

    def members(self, group: Group) -> list[Account]:
        return [account for lid in group.members if (account := self.member(lid)) is not None]

    # --- As stanzas ---------------------------------------------------------------------------------------

    def node(self, group: Group) -> Node:
        """Everything about a group. Its flags are elements: being there at all means on."""
        flags = [
            Node(tag)
            for tag, on in (
                ("announcement", group.announce),
                ("locked", group.locked),
                ("membership_approval_mode", group.approval),
            )
            if on
        ]
        if group.community:
            approval = "request_required" if group.approval else "no_request"
            flags.append(Node("parent", {"default_membership_approval_mode": approval}))
        if group.parent:
            flags.append(Node("linked_parent", {"jid": JID(group.parent, GROUP)}))
        if group.announces:
            flags.append(Node("default_sub_group"))
        if group.ephemeral:
            flags.append(Node("ephemeral", {"expiration": group.ephemeral}))
        if group.description:
            about: Attrs = {
                "id": group.description_id,
                "t": group.description_set,
                "participant": self._jid(group.description_by),
                "participant_pn": self._number(group.description_by),
            }
            flags.append(Node("description", about, Node("body", {}, group.description)))
        people = [self.participant(lid, role) for lid, role in group.members.items()]
        attrs: Attrs = {
            "id": group.id,
            "subject": group.subject,
            "creator": self._jid(group.creator),
            "creator_pn": self._number(group.creator),
            "creation": group.created,
            "s_t": group.subject_set,
            "s_o": self._jid(group.subject_by),
            "s_o_pn": self._number(group.subject_by),
            "p_v_id": group.version,
            "a_v_id": group.version,
            "size": len(group.members),
            "addressing_mode": "lid",
        }
        return Node("group", attrs, [*flags, Node("member_add_mode", {}, group.add_mode), *people])

    def link_target(self, group: Group) -> Node:
        """A group as its community's requests and news name it."""
        attrs: Attrs = {"jid": group.jid, "subject": group.subject, "s_t": group.subject_set}
        return Node("group", attrs, Node("default_sub_group") if group.announces else None)

    def participant(self, lid: str, role: str = Role.MEMBER) -> Node:
        attrs = {"jid": self._jid(lid), "phone_number": self._number(lid), "type": role or None}
        return Node("participant", attrs)

    def _jid(self, lid: str) -> JID | None:
        account = self.member(lid)
        return account.lid_jid if account is not None else None

    def _number(self, lid: str) -> JID | None:
        account = self.member(lid)
        return account.pn_jid if account is not None else None
