"""Follows a running gateway's events over its WebSocket; after a lost connection it goes on where it was."""

import json
import random
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import trio
from trio_websocket import (
    ConnectionClosed,
    ConnectionRejected,
    HandshakeError,
    WebSocketConnection,
    open_websocket_url,
)

from api.running import NotRunningError, Running, refusal
from runtime import Backoff

_WAITS = Backoff(0.2, 10)
_LARGEST = 64 * 1024 * 1024  # bytes: a history's events can be long
_SILENCE = 30.0  # seconds until the connection is asked whether it lives
_PATIENCE = 10.0  # seconds that it has to say so


async def follow(running: Running, query: Mapping[str, str], as_json: bool) -> None:
    """Print events until cancelled.

    Raises NotRunningError when there is no first connection, or when a later one is refused for good.
    """
    query = dict(query)
    rng = random.Random()  # noqa: S311 - spreads clients that come back
    failures = 0
    begun = False
    while True:
        address = f"{running.url.rstrip('/').replace('http', 'ws', 1)}/api/ws?{urlencode(query)}"
        key = [(b"x-api-key", running.admin_key.encode())]
        try:
            async with open_websocket_url(
                address, extra_headers=key, max_message_size=_LARGEST
            ) as connection:
                begun, failures = True, 0
                while True:
                    event = json.loads(await _message(connection))
                    query["after"] = event["cursor"]
                    print(json.dumps(event, ensure_ascii=False) if as_json else line(event), flush=True)  # noqa: T201
        except ConnectionRejected as error:
            reason = refusal(running, error.status_code, error.body)
            if not begun or error.status_code < 500:
                raise NotRunningError(reason) from None
        except ConnectionClosed as error:
            reason = f"closed with {error.reason.code}" if error.reason else "closed"
        except (HandshakeError, trio.BrokenResourceError, trio.TooSlowError) as error:
            reason = str(error.__cause__ or error) or type(error).__name__
        if not begun:
            raise NotRunningError(f"no gateway answers at {running.url}: {reason}")
        print(f"terzetto: connection lost ({reason}); coming back", file=sys.stderr)  # noqa: T201
        await trio.sleep(_WAITS.delay(failures, rng))
        failures += 1


async def _message(connection: WebSocketConnection) -> str | bytes:
    """The next message. A connection that stays silent has to answer a ping, or it is trio.TooSlowError."""
    while True:
        with trio.move_on_after(_SILENCE):
            message: str | bytes = await connection.get_message()
            return message
        with trio.fail_after(_PATIENCE):
            await connection.ping()


def line(event: Mapping[str, Any]) -> str:
    """An event for people: local time, session, number, name, data."""
    time = datetime.fromisoformat(event["occurredAt"]).astimezone()
    data = json.dumps(event["data"], ensure_ascii=False, separators=(",", ":"))
    return f"{time:%H:%M:%S} {event['sessionId']} #{event['seq']} {event['event']} {data}"
