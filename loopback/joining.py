"""How people come into groups by themselves (a link, an invitation, asking) and how they leave."""

import secrets
import time

from loopback.accounts import Account, Accounts
from loopback.answers import Refused
from loopback.changes import Change, Changes
from loopback.communities import Communities
from loopback.groups import Group, Groups, Invitation, Role
from loopback.wire.node import JID, Node

__all__ = ["Joining"]

INVITATION_LIFETIME = 3 * 24 * 3600  # seconds


class Joining:
    """Lets people in and out. All raise Refused."""

    def __init__(
        self, accounts: Accounts, groups: Groups, changes: Changes, communities: Communities
    ) -> None:
        self._accounts = accounts
        self._groups = groups
        self._changes = changes
        self._communities = communities

    def by_link(self, account: Account, code: str, *, look: bool) -> Node:
        """Look at the group behind a link, or join it."""
        group = self._groups.by_invite(code)
        if group is None:
            raise Refused(406, "not-acceptable")
        if group.invite != code:
            raise Refused(410, "gone")
        return self._groups.node(group) if look else self._join(account, group, "invite")

    def by_invitation(self, account: Account, group: Group, request: Node, *, look: bool) -> Node:
        """Look at a group that an admin invited to, or join it."""
        code = request.attr("code") or ""
        invitation = group.invitations.get(code)
        if invitation is None or invitation.lid != account.lid:
            raise Refused(406, "not-acceptable")
        if invitation.until < time.time():
            raise Refused(410, "gone")
        if look:
            return self._groups.node(group)
        del group.invitations[code]
        return self._join(account, group, "invite", invited=True)

    def invite(self, group: Group, person: Account) -> Node:
        """An invitation for somebody whose privacy settings forbid to add them, in the answer's words."""
        code, until = secrets.token_urlsafe(12), int(time.time()) + INVITATION_LIFETIME
        group.invitations[code] = Invitation(person.lid, until)
        self._groups.save(group)
        request = Node("add_request", {"code": code, "expiration": until})
        return Node(
            "participant",
            {"jid": person.lid_jid, "phone_number": person.pn_jid, "error": 403},
            request,
        )

    def leave(self, account: Account, jid: JID | None) -> Group:
        """Leave a group, which is never without an admin; with a community all of its groups."""
        group = self._groups.find(jid) if jid is not None else None
        if group is None:
            raise Refused(404, "item-not-found")
        if account.lid not in group.members:
            raise Refused(403, "forbidden")
        inside = self._groups.within(group) if group.community else []
        for each in [*(other for other in inside if account.lid in other.members), group]:
            del each.members[account.lid]
            if each.members and not any(map(each.is_admin, each.members)):
                each.members[next(iter(each.members))] = Role.ADMIN
            news = self._changes.members(each, "remove", [account])
            self._changes.make(account, each, Change(news=news, gone=[account]))
        return group

    def requests(self, group: Group) -> Node:
        """Who asks to be let in."""
        asking = [
            Node(
                "membership_approval_request",
                {"jid": person.lid_jid, "phone_number": person.pn_jid, "request_time": when},
            )
            for lid, when in group.requests.items()
            if (person := self._groups.member(lid)) is not None
        ]
        return Node("membership_approval_requests", {}, asking)

    def decide(self, admin: Account, group: Group, request: Node) -> Node | None:
        """Let people in who asked, or not."""
        decision = next(iter(request.children()), None)
        if decision is None or decision.tag not in {"approve", "reject"}:
            raise Refused(400, "bad-request")
        answers: list[Node] = []
        decided: list[Account] = []
        for node in decision.children("participant"):
            person = self._accounts.resolve(node.jid("jid"))
            if person is None or group.requests.pop(person.lid, None) is None:
                answers.append(Node("participant", {"jid": node.jid("jid"), "error": 404}))
            else:
                answers.append(self._groups.participant(person.lid))
                decided.append(person)
        answer = Node("membership_requests_action", {}, Node(decision.tag, {}, answers))
        if not decided:
            return answer
        if decision.tag == "reject":
            told = [Node("requested_user", {"jid": person.lid_jid}) for person in decided]
            news = Node("revoked_membership_requests", {}, told)
            return self._changes.make(admin, group, Change(answer, news, only_admins=True))
        group.members |= {person.lid: Role.MEMBER for person in decided}
        news = self._changes.members(group, "add", decided)
        self._changes.make(admin, group, Change(news=news, newcomers=decided))
        self._communities.joined(group, decided)
        return answer

    def _join(self, account: Account, group: Group, reason: str, *, invited: bool = False) -> Node:
        if account.lid in group.members:
            raise Refused(409, "conflict")
        if group.approval and not invited:
            group.requests[account.lid] = int(time.time())
            asking = Node("requested_user", {"jid": account.lid_jid, "phone_number": account.pn_jid})
            news = Node("created_membership_requests", {"request_method": "invite_link"}, asking)
            self._changes.make(account, group, Change(news=news, only_admins=True))
            return Node("membership_approval_request", {"jid": group.jid})
        group.requests.pop(account.lid, None)
        group.members[account.lid] = Role.MEMBER
        news = self._changes.members(group, "add", [account], reason=reason)
        self._changes.make(account, group, Change(news=news, newcomers=[account], reason=reason))
        self._communities.joined(group, [account])
        return Node("group", {"jid": group.jid})
