"""What one request to a webhook says: an event alone or several as an array, in the form it was asked for."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from attrs import field, frozen

from actors.envelope import encode, stamp
from actors.waha import name_of, waha_event, waha_test
from storage import Event, Reads, Webhook, WebhookFormat, new_id, now


@frozen
class Request:
    """A body, and the id that stays the same when the same is said again."""

    id: str
    body: bytes = field(repr=False)


def is_told(webhook: Webhook, event: Event) -> bool:
    """Whether there is such an event in the webhook's form."""
    return webhook.format is WebhookFormat.TERZETTO or name_of(event) is not None


async def request_of(webhook: Webhook, events: Sequence[Event], reads: Reads, version: str) -> Request:
    """The request that tells of events of one session. Raises DatabaseUnavailable."""
    if webhook.format is WebhookFormat.WAHA:
        session = await reads.session(events[0].session_id)
        told = [_json(waha_event(event, session, version)) for event in events]
    else:
        told = [encode(event) for event in events]
    if webhook.batch is None:
        return Request(events[0].event_id, told[0].encode())
    # Tried again, the same id must not stand for more events than the receiver may have seen under it.
    ids = hashlib.sha256(" ".join(event.event_id for event in events).encode())
    return Request(f"bat_{ids.hexdigest()[:26]}", _array(told))


async def test_request(webhook: Webhook, reads: Reads, version: str) -> Request:
    """A request that tells of an event `webhook.test`, which is in no log. Raises DatabaseUnavailable."""
    event_id, at, data = new_id("evt"), now(), {"webhookId": webhook.id}
    if webhook.format is WebhookFormat.WAHA:
        session = None if webhook.session_id is None else await reads.session(webhook.session_id)
        body = waha_test(event_id, int(at.timestamp()), session, version, data)
    else:
        body = {
            "sessionId": webhook.session_id,
            "event": "webhook.test",
            "data": data,
            "eventId": event_id,
            "occurredAt": stamp(at),
        }
    return Request(event_id, _json(body).encode() if webhook.batch is None else _array([_json(body)]))


def _json(body: Any) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def _array(told: Sequence[str]) -> bytes:
    return f"[{','.join(told)}]".encode()
