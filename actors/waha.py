"""Events in the form of WAHA (the WhatsApp HTTP API of devlike.pro), for receivers that were made for it.

Only some events have a counterpart there, `name_of` says which. A message of others is `message`, one's own
is `message.any`. Persons are `…@c.us`, and a message's id names its chat: `false_628123@c.us_3EB0…`.
"""

from collections.abc import Callable
from typing import Any

from storage import Event, Json, Session

_STATUS = {
    "stopped": "STOPPED",
    "starting": "STARTING",
    "reconnecting": "STARTING",
    "pairing": "SCAN_QR_CODE",
    "connected": "WORKING",
    "logged_out": "FAILED",
    "restricted": "FAILED",
    "failed": "FAILED",
}
_ACK = {
    "failed": (-1, "ERROR"),
    "queued": (0, "PENDING"),
    "sending": (0, "PENDING"),
    "sent": (1, "SERVER"),
    "delivered": (2, "DEVICE"),
    "read": (3, "READ"),
    "played": (4, "PLAYED"),
}
_CALL = {"offered": "received", "accepted": "accepted", "rejected": "rejected"}
_PRESENCE = {"composing": "typing", "recording": "recording", "paused": "paused"}
_FILES = (
    "imageMessage",
    "videoMessage",
    "ptvMessage",
    "audioMessage",
    "documentMessage",
    "stickerMessage",
)


def name_of(event: Event) -> str | None:
    """What WAHA calls such an event; None: it has none of the kind."""
    data = event.data
    match event.event:
        case "messages.upsert":
            return "message.any" if data["key"]["fromMe"] else "message"
        case "messages.update":
            return "message.ack" if data["status"] in _ACK else None
        case "messages.reaction" | "messages.edited" | "messages.revoked":
            return event.event.replace("messages.", "message.")
        case "poll.vote":
            return "poll.vote.failed" if data["options"] is None else "poll.vote"
        case "call":
            return f"call.{_CALL[data['stage']]}" if data["stage"] in _CALL else None
        case "chat.presence":
            return "presence.update"
        case "session.status" | "presence.update":
            return event.event
        case _:
            return None


def waha_event(event: Event, session: Session | None, version: str) -> Json:
    """An event that has a name there; `session` is its session as it is now, `version` ours."""
    name = name_of(event)
    assert name is not None
    told = _about(session, event.session_id, version)
    payload = _PAYLOADS[event.event](event, told["me"] and told["me"]["id"])
    timestamp = int(event.occurred_at.timestamp() * 1000)
    return {"id": event.event_id, "timestamp": timestamp, "event": name, **told, "payload": payload}


def waha_test(event_id: str, timestamp: int, session: Session | None, version: str, payload: Json) -> Json:
    """An event `webhook.test`, which WAHA has not, at a time in seconds."""
    told = _about(session, None, version)
    return {
        "id": event_id,
        "timestamp": timestamp * 1000,
        "event": "webhook.test",
        **told,
        "payload": payload,
    }


def _about(session: Session | None, session_id: str | None, version: str) -> Json:
    me = None
    if session is not None and session.phone is not None:
        me = {"id": f"{session.phone}@c.us", "lid": session.lid, "pushName": session.push_name}
    return {
        "session": session_id if session is None else session.id,
        "metadata": {} if session is None else session.metadata,
        "me": me,
        # WAHA's own engine upon the same client library as ours.
        "engine": "GOWS",
        "environment": {"version": version, "engine": "GOWS", "tier": "CORE", "browser": None},
    }


def _message(event: Event, me: str | None) -> Json:
    data = event.data
    message: Json = data.get("message") or {}
    part = next((value for value in message.values() if isinstance(value, dict)), {})
    file = next((message[name] for name in _FILES if name in message), None)
    context: Json = part.get("contextInfo") or {}
    from_me = data["key"]["fromMe"]
    return {
        **_addressed(data["key"], me),
        "timestamp": data["messageTimestamp"],
        "source": "app",
        "body": message.get("conversation") or part.get("text") or part.get("caption") or "",
        "hasMedia": file is not None,
        "media": file and {"url": None, "mimetype": file.get("mimetype"), "filename": file.get("fileName")},
        "ack": 1 if from_me else 2,
        "ackName": "SERVER" if from_me else "DEVICE",
        "location": _location(message.get("locationMessage")),
        "vCards": _cards(message),
        "replyTo": _reply(context),
        "_data": data,
    }


def _edited(event: Event, me: str | None) -> Json:
    return {**_message(event, me), "editedMessageId": event.data["key"]["id"]}


def _revoked(event: Event, me: str | None) -> Json:
    key = event.data["key"]
    after = {**_addressed(key, me), "timestamp": _seconds(event), "body": ""}
    return {"before": None, "after": after, "revokedMessageId": key["id"], "_data": event.data}


def _ack(event: Event, me: str | None) -> Json:
    number, name = _ACK[event.data["status"]]
    addressed = _addressed(event.data["key"], me)
    participant = _person(event.data.get("participant")) or addressed["participant"]
    return {**addressed, "participant": participant, "ack": number, "ackName": name, "_data": event.data}


def _reaction(event: Event, me: str | None) -> Json:
    reaction = event.data["reaction"]
    return {
        **_addressed(reaction["key"], me),
        "timestamp": _seconds(event),
        "reaction": {"text": reaction["text"], "messageId": _id(event.data["key"])},
        "_data": event.data,
    }


def _vote(event: Event, me: str | None) -> Json:
    data = event.data
    vote_key = data["pollUpdates"][0]["pollUpdateMessageKey"] if data["pollUpdates"] else data["key"]
    vote = {
        **_addressed(vote_key, me),
        "from": _person(data["voter"]),
        "selectedOptions": data["options"] or [],
        "timestamp": data["timestamp"] * 1000,
    }
    return {"vote": vote, "poll": _addressed(data["key"], me), "_data": data}


def _status(event: Event, me: str | None) -> Json:  # noqa: ARG001 - each payload is made of the same two
    return {"name": event.session_id, "status": _STATUS[event.data["status"]], "_data": event.data}


def _call(event: Event, me: str | None) -> Json:  # noqa: ARG001
    data = event.data
    return {
        "id": data["callId"],
        "from": _person(data["from"]),
        "timestamp": _seconds(event),
        "isVideo": data["media"] == "video",
        "isGroup": False,
        "_data": data,
    }


def _presence(event: Event, me: str | None) -> Json:  # noqa: ARG001
    data = event.data
    if event.event == "chat.presence":
        chat, who, known, seen = data["chat"], data["sender"], _PRESENCE[data["state"]], None
    else:
        chat = who = data["jid"]
        known, seen = "online" if data["online"] else "offline", data["lastSeen"]
    presence = {"participant": _person(who), "lastKnownPresence": known, "lastSeen": seen}
    return {"id": _person(chat), "presences": [presence]}


_PAYLOADS: dict[str, Callable[[Event, str | None], Json]] = {
    "messages.upsert": _message,
    "messages.update": _ack,
    "messages.reaction": _reaction,
    "messages.edited": _edited,
    "messages.revoked": _revoked,
    "poll.vote": _vote,
    "session.status": _status,
    "call": _call,
    "chat.presence": _presence,
    "presence.update": _presence,
}


def _addressed(key: Json, me: str | None) -> Json:
    """From whom to whom a message went: `from` is the chat, unless the message is one's own."""
    chat, from_me = _person(key["remoteJid"]), key["fromMe"]
    return {
        "id": _id(key),
        "from": me if from_me else chat,
        "fromMe": from_me,
        "to": chat if from_me else me,
        "participant": _person(key.get("participant")),
    }


def _id(key: Json) -> str:
    parts = ["true" if key["fromMe"] else "false", _person(key["remoteJid"]), key["id"]]
    if participant := _person(key.get("participant")):
        parts.append(participant)
    return "_".join(map(str, parts))


def _person(jid: str | None) -> str | None:
    return jid and jid.replace("@s.whatsapp.net", "@c.us")


def _seconds(event: Event) -> int:
    return int(event.occurred_at.timestamp())


def _location(part: Any) -> Json | None:
    if part is None:
        return None
    return {
        "latitude": part.get("degreesLatitude"),
        "longitude": part.get("degreesLongitude"),
        "description": part.get("name"),
    }


def _cards(message: Json) -> list[str]:
    several = message.get("contactsArrayMessage", {}).get("contacts", [])
    single = [message["contactMessage"]] if "contactMessage" in message else []
    return [card["vcard"] for card in (*single, *several) if "vcard" in card]


def _reply(context: Json) -> Json | None:
    if "stanzaId" not in context:
        return None
    quoted: Json = context.get("quotedMessage") or {}
    return {
        "id": context["stanzaId"],
        "participant": _person(context.get("participant")),
        "body": quoted.get("conversation") or quoted.get("extendedTextMessage", {}).get("text"),
    }
