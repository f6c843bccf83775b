"""Groups and communities as people make, change, join and leave them on their phones."""

from typing import Any

from quart import Blueprint

from loopback.addresses import Attrs
from loopback.answers import new_id
from loopback.control.asked import body, chat_of, decoded, phone_of
from loopback.control.problems import ANY_TEXT, FLAG, NUMBER, OPTIONAL, PEOPLE, TEXT, Problem, one_of
from loopback.control.shown import group_shown
from loopback.groups import Group
from loopback.network import Network
from loopback.phone import Phone
from loopback.wire.node import GROUP, GROUPS, JID, PN, Node

__all__ = ["routes"]

LINK = "https://chat.whatsapp.com/"
ADD_MODES = ("all_member_add", "admin_add")
ACTIONS = ("add", "remove", "promote", "demote", "approve", "reject")
CHANGES = {
    "subject": OPTIONAL(TEXT),
    "description": OPTIONAL(ANY_TEXT),
    "locked": OPTIONAL(FLAG),
    "announce": OPTIONAL(FLAG),
    "ephemeralSeconds": OPTIONAL(NUMBER),
    "approvalMode": OPTIONAL(FLAG),
    "memberAddMode": OPTIONAL(one_of(ADD_MODES)),
}


def routes(network: Network) -> Blueprint:
    """The routes."""
    at = Blueprint("groups", __name__)

    def ask(phone: Phone, to: JID, request: Node, *, look: bool = False) -> Node | None:
        """Make a request as a companion would. Raises Refused."""
        iq = Node("iq", {"to": to, "type": "get" if look else "set"}, request)
        return network.administration.answer(phone.account, None, iq)

    def group_of(jid: str) -> Group:
        group = network.groups.find(chat_of(jid, "group"))
        if group is None:
            raise Problem(404, "unknown-group", "There is no such group")
        return group

    @at.post("/phones/<number>/groups")
    async def create(number: str) -> tuple[Any, int]:
        phone = phone_of(network, number)
        given = await body(subject=TEXT, participants=PEOPLE, community=OPTIONAL(FLAG), parent=OPTIONAL(TEXT))
        parts = [Node("participant", {"jid": JID(person, PN)}) for person in given["participants"]]
        if given["community"]:
            parts.append(Node("parent", {"default_membership_approval_mode": "request_required"}))
        if given["parent"] is not None:
            parts.append(Node("linked_parent", {"jid": group_of(given["parent"]).jid}))
        made = ask(phone, GROUPS, Node("create", {"subject": given["subject"]}, parts))
        assert made is not None
        return {"group": f"{made.attr('id')}@{GROUP}"}, 201

    @at.get("/phones/<number>/groups")
    async def groups(number: str) -> Any:
        phone = phone_of(network, number)
        return {"groups": [group_shown(network, each) for each in network.groups.of(phone.account)]}

    @at.post("/phones/<number>/groups/join")
    async def join(number: str) -> Any:
        phone = phone_of(network, number)
        given = await body(invite=TEXT)
        code = given["invite"].removeprefix(LINK)
        answer = ask(phone, GROUPS, Node("invite", {"code": code}))
        assert answer is not None
        return {"group": answer.attr("jid"), "asked": answer.tag == "membership_approval_request"}

    @at.patch("/phones/<number>/groups/<jid>")
    async def change(number: str, jid: str) -> Any:
        phone, group = phone_of(network, number), group_of(jid)
        given = await body(**CHANGES)
        for request in _changes(group, given):
            ask(phone, group.jid, request)
        return group_shown(network, group)

    @at.post("/phones/<number>/groups/<jid>/participants")
    async def participants(number: str, jid: str) -> Any:
        phone, group = phone_of(network, number), group_of(jid)
        given = await body(action=one_of(ACTIONS), participants=PEOPLE)
        people = [Node("participant", {"jid": JID(person, PN)}) for person in given["participants"]]
        request = Node(given["action"], {}, people)
        if given["action"] in {"approve", "reject"}:
            request = Node("membership_requests_action", {}, request)
        answer = ask(phone, group.jid, request)
        while answer is not None and answer.tag not in ACTIONS:
            answer = next(iter(answer.children()), None)
        refused = [node for node in (answer.children() if answer else ()) if "error" in node.attrs]
        return {
            "refused": [{"phone": _number(network, each), "code": each.attr("error")} for each in refused]
        }

    @at.put("/phones/<number>/groups/<jid>/picture")
    async def picture(number: str, jid: str) -> Any:
        phone, group = phone_of(network, number), group_of(jid)
        given = await body(data=TEXT)
        picture = Node("picture", {"type": "image"}, decoded(given["data"], "data"))
        attrs: Attrs = {"type": "set", "target": group.jid}
        network.pictures.answer(phone.account, None, Node("iq", attrs, picture))
        return group_shown(network, group)

    @at.post("/phones/<number>/groups/<jid>/invite/revoke")
    async def revoke(number: str, jid: str) -> Any:
        phone, group = phone_of(network, number), group_of(jid)
        ask(phone, group.jid, Node("invite"))
        return {"invite": group.invite}

    @at.put("/phones/<number>/groups/<jid>/subgroups/<child>")
    async def link(number: str, jid: str, child: str) -> Any:
        phone, community = phone_of(network, number), group_of(jid)
        target = Node("group", {"jid": group_of(child).jid})
        ask(phone, community.jid, Node("links", {}, Node("link", {"link_type": "sub_group"}, target)))
        return {}

    @at.delete("/phones/<number>/groups/<jid>/subgroups/<child>")
    async def unlink(number: str, jid: str, child: str) -> Any:
        phone, community = phone_of(network, number), group_of(jid)
        target = Node("group", {"jid": group_of(child).jid})
        ask(phone, community.jid, Node("unlink", {"unlink_type": "sub_group"}, target))
        return {}

    @at.delete("/phones/<number>/groups/<jid>")
    async def leave(number: str, jid: str) -> Any:
        phone, group = phone_of(network, number), group_of(jid)
        ask(phone, GROUPS, Node("leave", {}, Node("group", {"id": group.jid})))
        return {}

    return at


def _changes(group: Group, given: dict[str, Any]) -> list[Node]:
    """The requests that make the changes asked for."""
    made: list[Node] = []
    if given["subject"] is not None:
        made.append(Node("subject", {}, given["subject"]))
    if (description := given["description"]) is not None:
        attrs: Attrs = {"id": new_id(), "prev": group.description_id or None}
        attrs |= {"delete": None if description else "true"}
        made.append(Node("description", attrs, Node("body", {}, description) if description else None))
    if given["locked"] is not None:
        made.append(Node("locked" if given["locked"] else "unlocked"))
    if given["announce"] is not None:
        made.append(Node("announcement" if given["announce"] else "not_announcement"))
    if (seconds := given["ephemeralSeconds"]) is not None:
        timer = Node("ephemeral", {"expiration": int(seconds)}) if seconds else Node("not_ephemeral")
        made.append(timer)
    if given["approvalMode"] is not None:
        join = Node("group_join", {"state": "on" if given["approvalMode"] else "off"})
        made.append(Node("membership_approval_mode", {}, join))
    if given["memberAddMode"] is not None:
        made.append(Node("member_add_mode", {}, given["memberAddMode"]))
    return made


def _number(network: Network, participant: Node) -> str | None:
    jid = participant.jid("jid")
    account = network.accounts.resolve(jid)
    return account.phone if account is not None else (jid.user if jid is not None else None)
