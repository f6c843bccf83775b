"""Requests about groups (`w:g2`): making, looking at, changing, joining and leaving them.

Every change is told to the companions of all members, the one that asked for it included: clients keep their
list of members by these notifications and by nothing else.
"""

import secrets
import time

from attrs import Factory, define

from loopback.accounts import Account, Accounts, Device
from loopback.addresses import Attrs
from loopback.answers import Refused, notification
from loopback.deliveries import Deliveries
from loopback.groups import Group, Groups, Role
from loopback.log import log
from loopback.wire.node import GROUPS, JID, Node

__all__ = ["Administration"]

LONGEST_SUBJECT = 100


@define
class Change:
    """What a request did: the answer, what to tell, and whom besides the members of now."""

    answer: Node | None = None
    news: Node | None = None
    gone: list[Account] = Factory(list)  # no longer members, but to be told
    newcomers: list[Account] = Factory(list)  # are told of the group instead of the change
    reason: str | None = None
    only_admins: bool = False


class Administration:
    """Answers group requests."""

    def __init__(self, accounts: Accounts, groups: Groups, deliveries: Deliveries) -> None:
        self._accounts = accounts
        self._groups = groups
        self._deliveries = deliveries

    def answer(self, account: Account, device: Device | None, iq: Node) -> Node | None:
        """Answer one request of a companion, or (device None) of the account's phone. Raises Refused."""
        del device
        to = iq.jid("to") or GROUPS
        request = next(iter(iq.children()), None)
        if request is None:
            raise Refused(400, "bad-request")
        if to == GROUPS:
            return self._of_no_group(account, request, change=iq.attr("type") == "set")
        group = self._groups.find(to)
        if group is None:
            raise Refused(404, "item-not-found")
        if request.tag == "accept":
            return self._join(account, group)
        if account.lid not in group.members:
            raise Refused(403, "forbidden")
        change = self._change(account, group, request, change=iq.attr("type") == "set")
        if change.news is not None:
            self._groups.save(group)
            self._announce(account, group, change)
            log("group_changed", group=group.id, phone=account.phone, change=change.news.tag)
        return change.answer

    # --- Requests that are not to one group ---------------------------------------------------------------

    def _of_no_group(self, account: Account, request: Node, *, change: bool) -> Node | None:
        match request.tag:
            case "create":
                return self._create(account, request)
            case "participating":
                return Node("groups", {}, [self._groups.node(group) for group in self._groups.of(account)])
            case "leave":
                left = [self._leave(account, node.jid("id")) for node in request.children("group")]
                return Node("leave", {}, [Node("group", {"id": group.jid}) for group in left])
            case "invite":
                group = self._groups.by_invite(request.attr("code") or "")
                if group is None:
                    raise Refused(406, "not-acceptable")
                return self._join(account, group) if change else self._groups.node(group)
            case _:
                raise Refused(501, "feature-not-implemented")

    def _create(self, account: Account, request: Node) -> Node:
        subject = request.attr("subject") or ""
        if len(subject) > LONGEST_SUBJECT:
            raise Refused(406, "not-acceptable")
        asked = [self._accounts.resolve(node.jid("jid")) for node in request.children("participant")]
        group = self._groups.found(account, subject, [person for person in asked if person is not None])
        group.announce = request.child("announcement") is not None
        group.locked = request.child("locked") is not None
        if (ephemeral := request.child("ephemeral")) is not None:
            group.ephemeral = int(ephemeral.attr("expiration") or 0)
        if (join := request.child("membership_approval_mode", "group_join")) is not None:
            group.approval = join.attr("state") == "on"
        if (add_mode := request.child("member_add_mode")) is not None and add_mode.text:
            group.add_mode = add_mode.text
        self._groups.save(group)
        log("group_created", group=group.id, phone=account.phone, members=len(group.members))
        node = self._groups.node(group)
        self._announce(account, group, Change(news=Node("create", {"type": "new"}, node)))
        return node

    def _leave(self, account: Account, jid: JID | None) -> Group:
        group = self._groups.find(jid) if jid is not None else None
        if group is None:
            raise Refused(404, "item-not-found")
        if account.lid not in group.members:
            raise Refused(403, "forbidden")
        del group.members[account.lid]
        if group.members and Role.OWNER not in group.members.values():
            group.members[next(iter(group.members))] = Role.ADMIN  # a group is never without an admin
        news = self._versioned(group, "remove", [self._groups.participant(account.lid)])
        self._groups.save(group)
        self._announce(account, group, Change(news=news, gone=[account]))
        return group

    def _join(self, account: Account, group: Group) -> Node:
        """By the link or an admin's invitation."""
        if account.lid in group.members:
            raise Refused(409, "conflict")
        if group.approval:
            group.requests[account.lid] = int(time.time())
            self._groups.save(group)
            asking = Node("requested_user", {"jid": account.lid_jid, "phone_number": account.pn_jid})
            news = Node("created_membership_requests", {"request_method": "invite_link"}, asking)
            self._announce(account, group, Change(news=news, only_admins=True))
            return Node("membership_approval_request", {"jid": group.jid})
        group.members[account.lid] = Role.MEMBER
        news = self._versioned(group, "add", [self._groups.participant(account.lid)], reason="invite")
        self._groups.save(group)
        self._announce(account, group, Change(news=news, newcomers=[account], reason="invite"))
        return Node("group", {"jid": group.jid})

    # --- Requests to one group ----------------------------------------------------------------------------

    def _change(self, account: Account, group: Group, request: Node, *, change: bool) -> Change:
        match request.tag:
            case "query":
                return Change(self._groups.node(group))
            case "invite" if not change:
                self._only_admins(account, group)
                return Change(Node("invite", {"code": group.invite}))
            case "membership_approval_requests":
                self._only_admins(account, group)
                return Change(self._requests(group))
            case "add" | "remove" | "promote" | "demote":
                return self._members(account, group, request)
            case "membership_requests_action":
                self._only_admins(account, group)
                return self._decide(group, request)
        if group.locked or request.tag not in {"subject", "description", "ephemeral", "not_ephemeral"}:
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
                body = request.child("body")
                if (request.attr("prev") or "") != group.description_id:
                    raise Refused(409, "conflict")
                group.description = body.text if body is not None else ""
                group.description_id = (request.attr("id") or "") if body is not None else ""
                group.description_set, group.description_by = now, account.lid
                told = Node("body", {}, body.data) if body is not None else Node("delete")
                return Change(news=Node("description", {"id": request.attr("id")}, told))
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
                group.invite = secrets.token_urlsafe(16)
                node = Node("invite", {"code": group.invite})
                return Change(node, node)
            case _:
                raise Refused(501, "feature-not-implemented")

    def _members(self, account: Account, group: Group, request: Node) -> Change:
        if request.tag != "add" or group.add_mode == "admin_add":
            self._only_admins(account, group)
        answers: list[Node] = []
        done: list[Account] = []
        for node in request.children("participant"):
            person = self._accounts.resolve(node.jid("jid"))
            error = 404 if person is None else self._apply(group, request.tag, person)
            if person is None or error is not None:
                answers.append(Node("participant", {"jid": node.jid("jid"), "error": error}))
            else:
                done.append(person)
                role = group.members.get(person.lid, Role.MEMBER)
                answers.append(self._groups.participant(person.lid, role))
        answer = Node(request.tag, {}, answers)
        if not done:
            return Change(answer)
        told = [self._groups.participant(person.lid) for person in done]
        news = self._versioned(group, request.tag, told)
        return Change(
            answer,
            news,
            gone=done if request.tag == "remove" else [],
            newcomers=done if request.tag == "add" else [],
        )

    @staticmethod
    def _apply(group: Group, what: str, person: Account) -> int | None:
        """Do it to one person; why not, as a code."""
        inside = person.lid in group.members
        match what:
            case "add" if inside:
                return 409
            case "add":
                group.requests.pop(person.lid, None)
                group.members[person.lid] = Role.MEMBER
            case _ if not inside:
                return 404
            case "remove":
                del group.members[person.lid]
            case "promote":
                group.members[person.lid] = Role.ADMIN
            case _:
                group.members[person.lid] = Role.MEMBER
        return None

    def _requests(self, group: Group) -> Node:
        asking = [
            Node("membership_approval_request", {"jid": person.lid_jid, "request_time": when})
            for lid, when in group.requests.items()
            if (person := self._groups.member(lid)) is not None
        ]
        return Node("membership_approval_requests", {}, asking)

    def _decide(self, group: Group, request: Node) -> Change:
        """Let people in who asked, or not."""
        decision = next(iter(request.children()), None)
        if decision is None or decision.tag not in {"approve", "reject"}:
            raise Refused(400, "bad-request")
        answers: list[Node] = []
        let_in: list[Account] = []
        for node in decision.children("participant"):
            person = self._accounts.resolve(node.jid("jid"))
            if person is None or group.requests.pop(person.lid, None) is None:
                answers.append(Node("participant", {"jid": node.jid("jid"), "error": 404}))
                continue
            answers.append(self._groups.participant(person.lid))
            if decision.tag == "approve":
                group.members[person.lid] = Role.MEMBER
                let_in.append(person)
        self._groups.save(group)
        answer = Node("membership_requests_action", {}, Node(decision.tag, {}, answers))
        if not let_in:
            return Change(answer)
        told = [self._groups.participant(person.lid) for person in let_in]
        return Change(answer, self._versioned(group, "add", told), newcomers=let_in)

    @staticmethod
    def _only_admins(account: Account, group: Group) -> None:
        if not group.is_admin(account.lid):
            raise Refused(403, "forbidden")

    # --- Telling ------------------------------------------------------------------------------------------

    @staticmethod
    def _versioned(group: Group, tag: str, people: list[Node], *, reason: str | None = None) -> Node:
        """A change of the member list, with the list's version before and after."""
        before, group.version = group.version, group.version + 1
        return Node(tag, {"prev_v_id": before, "v_id": group.version, "reason": reason}, people)

    def _announce(self, author: Account, group: Group, change: Change) -> None:
        assert change.news is not None
        welcome = Node("create", {"reason": change.reason}, self._groups.node(group))
        for person in [*self._groups.members(group), *change.gone]:
            if change.only_admins and not group.is_admin(person.lid):
                continue
            news = welcome if person in change.newcomers else change.news
            node = notification(
                "w:gp2",
                group.jid,
                news,
                participant=author.lid_jid,
                participant_pn=author.pn_jid,
                notify=author.name,
                addressing_mode="lid",
            )
            self._deliveries.put_to_companions(person, node)
