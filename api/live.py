"""What a running gateway tells over a WebSocket; after a lost connection it is heard again."""

import json
import random
from collections.abc import Callable
from typing import Any, NoReturn

import trio
from trio_websocket import (
    ConnectionClosed,
    ConnectionRejected,
    HandshakeError,
    WebSocketConnection,
)

from api.running import NotRunningError, Running, refusal
from api.websocket import open_websocket
from runtime import Backoff

_WAITS = Backoff(0.2, 10)
_SILENCE = 30.0  # seconds until the connection is asked whether it lives
_PATIENCE = 10.0  # seconds that it has to say so


async def hear(
    running: Running, path: Callable[[], str], heard: Callable[[Any], None], lost: Callable[[str], None]
) -> NoReturn:
    """Hand each message to `heard`, until cancelled; `lost` is told why, when it has to come back.

    `path` is asked before each connection. Raises NotRunningError when there is no first connection, or when
    a later one is refused for good.
    """
    rng = random.Random()  # noqa: S311 - spreads clients that come back
    failures = 0
    begun = False
    while True:
        address = f"{running.url.rstrip('/').replace('http', 'ws', 1)}{path()}"
        key = [("x-api-key", running.admin_key)]
        try:
            async with open_websocket(address, key) as connection:
                begun, failures = True, 0
                while True:
                    heard(json.loads(await _message(connection)))
        except ConnectionRejected as error:
            reason = refusal(running, error.status_code, error.body)
            if not begun or error.status_code < 500:
                raise NotRunningError(reason) from None
        except ConnectionClosed as error:
            reason = f"closed with {error.reason.code}" if error.reason else "closed"
        except (HandshakeError, OSError, trio.BrokenResourceError, trio.TooSlowError) as error:
            reason = str(error.__cause__ or error) or type(error).__name__
        if not begun:
            raise NotRunningError(f"no gateway answers at {running.url}: {reason}")
        lost(reason)
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
