"""An example of what a schema describes: as little as must be there, with values that could be."""

import itertools
from collections.abc import Mapping
from typing import Any

from api.schemas import REF
from storage.rows import Json

_JID = "628123456789@s.whatsapp.net"
_MOMENT = "2026-01-31T12:00:00.000Z"

_BY_NAME: Mapping[str, Any] = {
    "about": "Open 8 to 5",
    "action": "session.stop",
    "address": "Jl. Braga 1, Bandung",
    "after": "AQ8",
    "alt": "201234567890123@lid",
    "answer": "yes",
    "apiKey": "tz_BzlWnR5K…",
    "button": "Choose",
    "caption": "Today's mangoes",
    "chat": _JID,
    "clientRef": "order-7",
    "code": "AbCdEfGhIjKlMnOpQrStUv",
    "cursor": "AQ8",
    "desired": "running",
    "description": "Fresh every day",
    "documentUrl": "https://example.com/price-list.pdf",
    "emoji": "🥭",
    "event": "messages.upsert",
    "fileName": "price-list.pdf",
    "footer": "Toko Mangga",
    "from": _JID,
    "id": "kasir-1",
    "invite": "https://chat.whatsapp.com/AbCdEfGhIjKlMnOpQrStUv",
    "jid": _JID,
    "lid": "201234567890123@lid",
    "link": "https://chat.whatsapp.com/AbCdEfGhIjKlMnOpQrStUv",
    "mediaId": "media_01M81Y97QNDJCW5SJ9JGSRFVCA",
    "message": "Halo",
    "messageId": "3EB06F8038E49345281043",
    "mimeType": "image/jpeg",
    "name": "Toko Mangga",
    "owner": _JID,
    "participant": "628123456789",
    "phone": "628123456789",
    "prefix": "tz_BzlWnR5K",
    "pushName": "Ana",
    "question": "Which day?",
    "remoteJid": _JID,
    "requestId": "7380df4537a840e3b62a37983693eb51",
    "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr",
    "sessionId": "kasir-1",
    "status": "sent",
    "statusUrl": "/api/messages/msg_01M81Y97QNDJCW5SJ9JGSRFVCA",
    "subject": "Neighbours",
    "text": "Halo",
    "timestamp": 1795361644,
    "title": "Mangoes",
    "to": _JID,
    "type": "text",
    "until": "AQ9",
    "url": "https://example.com/mangoes",
    "vcard": "BEGIN:VCARD\nVERSION:3.0\nFN:Toko Mangga\nTEL;waid=628123456789:+62 812 3456 789\nEND:VCARD",
}
_BY_FORMAT = {"date-time": _MOMENT, "uri": "https://example.com/mango.jpg", "binary": "(bytes)"}
_MAYBE = {"anyOf", "description"}  # and nothing that wants a value
_WORDS = ("Monday", "Tuesday", "Wednesday", "Thursday")
_DEEPEST = 6


def example(schema: Json, components: Mapping[str, Json], *, name: str = "", depth: int = 0) -> Any:
    """A value that fits the schema; of several that it allows, the first."""
    match schema:
        case {"$ref": str(ref)}:
            return example(components[ref.removeprefix(REF)], components, name=name, depth=depth)
        case {"const": value} | {"enum": [value, *_]} | {"examples": [value, *_]}:
            return value
        case {"oneOf": [first, *_], "type": "object"} | {"anyOf": [first, *_], "type": "object"}:
            return _object(_merged(schema, first), components, depth)
        case {"anyOf": [_, {"type": "null"}]} if name not in _BY_NAME and schema.keys() <= _MAYBE:
            return None
        case {"oneOf": [first, *_]} | {"anyOf": [first, *_]}:
            return example(first, components, name=name, depth=depth)
        case {"type": "array"}:
            return _array(schema, components, name, depth)
        case {"type": "object"}:
            return _object(schema, components, depth)
        case {"type": "boolean"}:
            return bool(schema.get("default", True))
        case {"type": "integer" | "number"}:
            usual = _BY_NAME.get(name)
            number = usual if isinstance(usual, int) else 7
            return max(schema.get("minimum", number), min(number, schema.get("maximum", number)))
        case {"type": "string"}:
            return _string(schema, name)
        case _:
            return {}


def _string(schema: Json, name: str) -> str:
    if (shape := _BY_FORMAT.get(schema.get("format", ""))) is not None and name not in _BY_NAME:
        return shape
    if schema.get("contentEncoding") == "base64":
        return "iVBORw0KGgo="
    usual = _BY_NAME.get(name)
    return usual if isinstance(usual, str) else "mango"


def _array(schema: Json, components: Mapping[str, Json], name: str, depth: int) -> list[Any]:
    least = max(1, schema.get("minItems", 1))
    if depth > _DEEPEST:
        return []
    items = schema.get("items", {})
    if schema.get("uniqueItems") and items.get("type") == "string":
        return list(itertools.islice(_WORDS, least))
    return [example(items, components, name=name.removesuffix("s"), depth=depth + 1) for _ in range(least)]


def _object(schema: Json, components: Mapping[str, Json], depth: int) -> Json:
    for part in schema.get("allOf", ()):
        alternatives = part.get("oneOf") or part.get("anyOf") or [part]
        schema = _merged(schema, alternatives[0])
    properties = schema.get("properties", {})
    return {
        name: example(properties[name], components, name=name, depth=depth + 1)
        for name in schema.get("required", ())
        if name in properties
    }


def _merged(schema: Json, more: Json) -> Json:
    """A schema with what one of its alternatives adds."""
    own = schema.get("properties", {})
    added = {
        name: {**own.get(name, {}), **one} if one.get("type") != "null" else own.get(name, one)
        for name, one in more.get("properties", {}).items()
    }
    required = [*schema.get("required", ()), *more.get("required", ())]
    return {**schema, "properties": own | added, "required": list(dict.fromkeys(required))}
