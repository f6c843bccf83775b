"""How the control API shows things, as plain values for JSON."""

import base64
from collections import Counter
from typing import Any

import trio
from attrs import asdict

from loopback import proto
from loopback.accounts import Business
from loopback.calls import Call
from loopback.channels import Channel
from loopback.content import text_of, view_once
from loopback.faults import Fault
from loopback.groups import Group
from loopback.history import InboxMessage, SentMessage
from loopback.logins import Login
from loopback.network import Network
from loopback.phone import Phone
from loopback.profiles import PRIVACY
from loopback.synced import ChatSettings
from loopback.wire.node import GROUP, JID

__all__ = [
    "call_shown",
    "channel_shown",
    "chats_shown",
    "contacts_shown",
    "deliveries_shown",
    "fault_shown",
    "group_shown",
    "login_shown",
    "phone_shown",
    "received_shown",
    "sent_shown",
]


def phone_shown(network: Network, phone: Phone) -> dict[str, Any]:
    account = phone.account
    connected = {connection.jid.device for connection in network.connections_of(account)}
    return {
        "phone": account.phone,
        "name": account.name,
        "lid": str(account.lid_jid),
        "autoRead": phone.auto_read,
        "pushName": phone.synced.own_name() or account.name,
        "about": account.about,
        "pictureId": account.picture.partition(" ")[0] or None,
        "privacy": PRIVACY | account.privacy,
        "available": network.presence.available(account),
        "disappearingSeconds": account.disappearing,
        "blocked": _numbers(network, sorted(account.blocked)),
        "business": _business(account.business),
        "devices": [
            {
                "device": number,
                "linked": account.devices[number].linked,
                "connected": number in connected,
            }
            for number in account.numbers[1:]
        ],
    }


def received_shown(message: InboxMessage) -> dict[str, Any]:
    return {
        "messageId": message.id,
        "from": message.sender,
        "chat": message.chat,
        "fromMe": message.from_me,
        "type": message.type,
        "text": message.text,
        "timestamp": message.timestamp,
        "viewOnce": view_once(proto.e2e.Message.FromString(message.raw)),
        "about": message.about or None,
        "choices": message.choices,
        "raw": base64.b64encode(message.raw).decode(),
    }


def sent_shown(message: SentMessage) -> dict[str, Any]:
    receipts = [{"type": kind, "from": reader, "timestamp": t} for kind, reader, t in message.receipts]
    return {
        "messageId": message.id,
        "to": message.to,
        "timestamp": message.timestamp,
        "receipts": receipts,
    }


def call_shown(call: Call) -> dict[str, Any]:
    return {
        "callId": call.id,
        "from": call.caller.phone,
        "to": call.callee.phone,
        "video": call.video,
        "group": str(call.group.jid) if call.group is not None else None,
        "state": call.state,
        "timestamp": call.started,
    }


def chats_shown(network: Network, phone: Phone) -> list[dict[str, Any]]:
    """The chats that a phone wrote or got messages in or has settings for, those it used last first."""
    latest: dict[JID, tuple[int, int]] = {}
    for known in phone.memory.all():
        number, last = latest.get(known.chat, (0, 0))
        latest[known.chat] = (number + 1, max(last, known.timestamp))
    settings = {jid: each for chat, each in phone.synced.chats().items() if (jid := _same(network, chat))}
    for jid in settings:
        latest.setdefault(jid, (0, 0))
    shown = []
    for jid, (number, last) in sorted(latest.items(), key=lambda item: -item[1][1]):
        person, group = network.accounts.resolve(jid), network.groups.find(jid)
        chosen = settings.get(jid, ChatSettings())
        shown.append(
            {
                "chat": person.phone if person is not None else str(jid),
                "name": person.name if person is not None else group.subject if group is not None else None,
                "messages": number,
                "timestamp": last,
                "archived": chosen.archived,
                "pinned": chosen.pinned,
                "mutedUntil": chosen.muted_until,
            }
        )
    return shown


def _same(network: Network, chat: str) -> JID:
    """The address under which messages know a chat that settings name."""
    jid = JID.parse(chat)
    person = network.accounts.resolve(jid)
    return person.lid_jid if person is not None else jid


def contacts_shown(network: Network, phone: Phone) -> list[dict[str, Any]]:
    return [
        {"phone": person.phone, "lid": str(person.lid_jid), "fullName": name}
        for lid, name in phone.account.contacts.items()
        if (person := network.accounts.by_lid(lid)) is not None
    ]


def group_shown(network: Network, group: Group) -> dict[str, Any]:
    return {
        "jid": str(group.jid),
        "subject": group.subject,
        "description": group.description,
        "locked": group.locked,
        "announce": group.announce,
        "ephemeralSeconds": group.ephemeral,
        "approvalMode": group.approval,
        "memberAddMode": group.add_mode,
        "invite": group.invite,
        "picture": bool(group.picture),
        "community": group.community,
        "parent": f"{group.parent}@{GROUP}" if group.parent else None,
        "participants": [
            {"phone": person.phone, "lid": str(person.lid_jid), "role": group.members[person.lid] or "member"}
            for person in network.groups.members(group)
        ],
        "requests": [
            {"phone": person.phone, "lid": str(person.lid_jid)}
            for lid in group.requests
            if (person := network.accounts.by_lid(lid)) is not None
        ],
    }


def channel_shown(network: Network, channel: Channel) -> dict[str, Any]:
    return {
        "jid": str(channel.jid),
        "name": channel.name,
        "description": channel.description,
        "invite": channel.invite,
        "picture": bool(channel.picture),
        "owner": _numbers(network, [channel.owner])[0],
        "followers": [
            {"phone": person.phone, "muted": channel.followers[person.lid]}
            for person in network.channels.followers(channel)
        ],
        "posts": [
            {
                "serverId": post.server_id,
                "messageId": post.id,
                "type": post.type,
                "mediatype": post.mediatype or None,
                "timestamp": post.timestamp,
                "edited": bool(post.edited),
                "text": text_of(proto.e2e.Message.FromString(post.content)),
                "raw": base64.b64encode(post.content).decode(),
                "reactions": dict(Counter(post.reactions.values())),
                "views": len(post.viewers),
            }
            for post in channel.posts
        ],
    }


def _numbers(network: Network, lids: list[str]) -> list[str]:
    return [person.phone for lid in lids if (person := network.accounts.by_lid(lid)) is not None]


def _business(business: Business | None) -> dict[str, Any] | None:
    if business is None:
        return None
    return asdict(business, filter=lambda field, _: field.name != "certificate")


def fault_shown(fault: Fault) -> dict[str, Any]:
    left = None if fault.until is None else max(0, round((fault.until - trio.current_time()) * 1000))
    return {
        "id": fault.id,
        "kind": fault.kind,
        "phone": fault.phone,
        "code": fault.code,
        "delayMs": fault.delay_ms,
        "remaining": fault.remaining,
        "remainingMs": left,
    }


def deliveries_shown(network: Network, phone: Phone) -> list[dict[str, Any]]:
    account = phone.account
    ledgers = network.deliveries.ledgers()
    return [
        {
            "phone": account.phone,
            "device": jid.device,
            "waiting": len(network.deliveries.waiting(jid)),
            "handed": ledger.handed,
            "settled": ledger.settled,
            "messagesHanded": list(ledger.messages_handed),
            "messagesSettled": list(ledger.messages_settled),
        }
        for jid in account.device_jids
        if (ledger := ledgers.get(jid)) is not None
    ]


def login_shown(login: Login) -> dict[str, Any]:
    return {
        "number": login.number,
        "phone": login.phone,
        "device": login.device,
        "peer": login.peer.address,
        "at": login.at,
        "heard": login.heard,
        "ended": login.ended,
        "replacedBy": login.replaced_by,
        "overlap": login.overlap,
    }
