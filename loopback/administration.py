"""Requests about groups (`w:g2`): making, looking at and changing them."""

import secrets
import time

from loopback.accounts import Account, Accounts, Device
from loopback.addresses import Attrs
from loopback.answers import Refused
from loopback.changes import Change, Changes
from loopback.communities import Communities
from loopback.deliveries import Deliveries
from loopback.groups import Group, Groups, Role
from loopback.joining import Joining
from loopback.log import log
from loopback.wire.node import GROUPS, Node

__all__ = ["Administration"]

LONGEST_SUBJECT = 100
LONGEST_DESCRIPTION = 2048
FOR_ALL = {"subject", "description", "ephemeral", "not_ephemeral"}  # unless the group is locked


class Administration:
    """Answers group requests."""

    def __init__(self, accounts: Accounts, groups: Groups, deliveries: Deliveries) -> None:
        self._accounts = accounts
        self._groups = groups
        self._changes = Changes(groups, deliveries)
        self._communities = Communities(groups, self._changes)
        self._joining = Joining(accounts, groups, self._changes, self._communities)

    def answer(self, account: Account, device: Device | None, iq: Node) -> Node | None:
        """Answer one request of a companion, or (device None) of the account's phone. Raises Refused."""
        del device
        to = iq.jid("to") or GROUPS
        look = iq.attr("type") == "get"
        request = next(iter(iq.children()), None)
        if request is None:
            raise Refused(400, "bad-request")
        if to == GROUPS:
            return self._of_no_group(account, request, look=look)
        group = self._groups.find(to)
        if group is None:
            raise Refused(404, "item-not-found")
        invited = request if request.tag == "accept" else request.child("add_request")
        if invited is not None:
            return self._joining.by_invitation(account, group, invited, look=look)
        if account.lid not in group.members:
            raise Refused(403, "forbidden")
        if request.tag == "membership_requests_action":
            self._only_admins(account, group)
            return self._joining.decide(account, group, request)
        return self._changes.make(account, group, self._change(account, group, request, look=look))

    # --- Requests that are not to one group ---------------------------------------------------------------

    def _of_no_group(self, account: Account, request: Node, *, look: bool) -> Node | None:
        match request.tag:
            case "create":
                return self._create(account, request)
            case "participating":
                return Node("groups", {}, [self._groups.node(group) for group in self._groups.of(account)])
            case "leave":
                left = [self._joining.leave(account, node.jid("id")) for node in request.children("group")]
                return Node("leave", {}, [Node("group", {"id": group.jid}) for group in left])
            case "invite":
                return self._joining.by_link(account, request.attr("code") or "", look=look)
            case _:
                raise Refused(501, "feature-not-implemented")

    def _create(self, account: Account, request: Node) -> Node:
        subject = request.attr("subject") or ""
        if len(subject) > LONGEST_SUBJECT:
            raise Refused(406, "not-acceptable")
        asked = [(node, self._accounts.resolve(node.jid("jid"))) for node in request.children("participant")]
        people = [person for _, person in asked if person is not None]
        group = self._groups.found(account, subject, [p for p in people if p.shows("groupadd", account)])
        group.announce = request.child("announcement") is not None
        group.locked = request.child("locked") is not None
        if (ephemeral := request.child("ephemeral")) is not None:
            group.ephemeral = int(ephemeral.attr("expiration") or 0)
        if (join := request.child("membership_approval_mode", "group_join")) is not None:
            group.approval = join.attr("state") == "on"
        if (add_mode := request.child("member_add_mode")) is not None and add_mode.text:
            group.add_mode = add_mode.text
        if (linked := request.child("linked_parent")) is not None:
            parent = linked.jid("jid")
            found = self._groups.find(parent) if parent is not None else None
            try:
                self._communities.place(account, group, found)
            except Refused:
                self._groups.forget(group)
                raise
        if (community := request.child("parent")) is not None:
            group.approval = community.attr("default_membership_approval_mode") == "request_required"
            self._communities.begin(account, group)
        node = self._groups.node(group)
        self._changes.make(account, group, Change(news=Node("create", {"type": "new"}, node)))
        self._communities.joined(group, self._groups.members(group))
        log("group_created", group=group.id, phone=account.phone, members=len(group.members))
        # Those who could not be added are told of to the one who asked, and to nobody else.
        absent = [self._joining.invite(group, p) for p in people if p.lid not in group.members]
        absent += [_failed(node, 404) for node, person in asked if person is None]
        return Node("group", node.attrs, [*node.children(), *absent])

    # --- Requests to one group ----------------------------------------------------------------------------

    def _change(self, account: Account, group: Group, request: Node, *, look: bool) -> Change:
        match request.tag:
            case "query":
                return Change(self._groups.node(group))
            case "invite" if look:
                if not group.is_admin(account.lid):
                    raise Refused(401, "not-authorized")
                return Change(Node("invite", {"code": group.invite}))
            case "membership_approval_requests":
                self._only_admins(account, group)
                return Change(self._joining.requests(group))
            case "add" | "remove" | "promote" | "demote":
                return self._members(account, group, request)
            case "sub_groups" | "linked_groups_participants" | "links" | "unlink":
                return self._communities.change(account, group, request)
        if group.locked or request.tag not in FOR_ALL:
            self._only_admins(account, group)
        return self._property(account, group, request)

    def _property(self, account: Account, group: Group, request: Node) -> Change:
        now = int(time.time())
        match request.tag:
            case "subject":
                if len(request.text) > LONGEST_SUBJECT:
                    raise Refused(406, "not-acceptable")
                group.subject, group.subject_set, group.subject_by = request.text, now, account.lid
                attrs: Attrs = {
                    "subject": group.subject,
                    "s_t": now,
                    "s_o": account.lid_jid,
                    "s_o_pn": account.pn_jid,
                }
                return Change(news=Node("subject", attrs))
            case "description":
                return Change(news=self._describe(account, group, request, now))
            case "locked" | "unlocked":
                group.locked = request.tag == "locked"
                return Change(news=Node(request.tag))
            case "announcement" | "not_announcement":
                group.announce = request.tag == "announcement"
                group.version += 1
                return Change(news=Node(request.tag, {"v_id": group.version}))
            case "ephemeral":
                group.ephemeral = int(request.attr("expiration") or 0)
                return Change(news=Node("ephemeral", {"expiration": group.ephemeral}))
            case "not_ephemeral":
                group.ephemeral = 0
                return Change(news=Node("not_ephemeral"))
            case "membership_approval_mode":
                join = request.child("group_join")
                group.approval = join is not None and join.attr("state") == "on"
                return Change(news=Node("membership_approval_mode", {}, join))
            case "member_add_mode":
                group.add_mode = request.text
                return Change(news=Node("member_add_mode", {}, group.add_mode))
            case "invite":
                group.revoked.append(group.invite)
                group.invite = secrets.token_urlsafe(16)
                node = Node("invite", {"code": group.invite})
                return Change(node, node)
            case _:
                raise Refused(501, "feature-not-implemented")

    @staticmethod
    def _describe(account: Account, group: Group, request: Node, now: int) -> Node:
        body = request.child("body")
        if body is not None and len(body.text) > LONGEST_DESCRIPTION:
            raise Refused(406, "not-acceptable")
        if (request.attr("prev") or "") != group.description_id:
            raise Refused(409, "conflict")
        group.description = body.text if body is not None else ""
        group.description_id = (request.attr("id") or "") if body is not None else ""
        group.description_set, group.description_by = now, account.lid
        told = Node("body", {}, body.data) if body is not None else Node("delete")
        return Node("description", {"id": request.attr("id")}, told)

    def _members(self, account: Account, group: Group, request: Node) -> Change:
        if request.tag != "add" or group.add_mode == "admin_add":
            self._only_admins(account, group)
        answers: list[Node] = []
        done: list[Account] = []
        for node in request.children("participant"):
            person = self._accounts.resolve(node.jid("jid"))
            error = 404 if person is None else self._apply(group, request.tag, account, person)
            if person is not None and error == 403:
                answers.append(self._joining.invite(group, person))
            elif person is None or error is not None:
                answers.append(_failed(node, error))
            else:
                done.append(person)
                role = group.members.get(person.lid, Role.MEMBER)
                answers.append(self._groups.participant(person.lid, role))
        change = Change(Node(request.tag, {}, answers))
        if done:
            change.news = self._changes.members(group, request.tag, done)
            if request.tag == "remove":
                change.gone = done
            if request.tag == "add":
                change.newcomers = done
                self._communities.joined(group, done)
        return change

    @staticmethod
    def _apply(group: Group, what: str, by: Account, person: Account) -> int | None:
        """Do it to one person; why not, as a code."""
        inside = person.lid in group.members
        match what:
            case "add" if inside:
                return 409
            case "add" if not person.shows("groupadd", by):
                return 403
            case "add":
                group.requests.pop(person.lid, None)
                group.members[person.lid] = Role.MEMBER
            case _ if not inside:
                return 404
            case "remove" | "demote" if group.members[person.lid] == Role.OWNER:
                return 406
            case "remove":
                del group.members[person.lid]
            case "promote" if not group.is_admin(person.lid):
                group.members[person.lid] = Role.ADMIN
            case "demote":
                group.members[person.lid] = Role.MEMBER
        return None

    @staticmethod
    def _only_admins(account: Account, group: Group) -> None:
        if not group.is_admin(account.lid):
            raise Refused(403, "forbidden")


def _failed(asked: Node, error: int | None) -> Node:
    return Node("participant", {"jid": asked.jid("jid"), "error": error})
