"""How the control API shows things, as plain values for JSON."""

import base64
from typing import Any

import trio

from loopback.calls import Call
from loopback.faults import Fault
from loopback.history import InboxMessage, SentMessage
from loopback.network import Network
from loopback.phone import Phone

__all__ = [
    "call_shown",
    "deliveries_shown",
    "fault_shown",
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
        "state": call.state,
        "timestamp": call.started,
    }


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
