"""Requests with large bodies: how large they may be, how long they may take, and how many are held at once.

Quart gathers a body in memory as it arrives, whether anybody asks for it or not. Here a body beyond SMALL
waits for room first: its client is read no further, and TCP does the rest. The answer gives the room back.
"""

from contextlib import AsyncExitStack
from typing import Any

import trio
from hypercorn.typing import ASGIReceiveCallable, ASGIReceiveEvent
from quart import Request
from quart_trio.asgi import TrioASGIHTTPConnection

from api.bodies import is_json
from api.services import EXTENSION, Services

SMALL = 1 << 20
"""Bytes that need no room."""
FORM = 1 << 20
"""Bytes that a form may take beside its file."""
COPIES = 3
"""Of a body while it is taken apart."""
TIMEOUT = 600
"""Seconds for a file to arrive."""


class BulkConnection(TrioASGIHTTPConnection):
    """One request. A body that is a file, or a form, may be as large as files; JSON as the server says."""

    def _create_request_from_scope(self, send: Any) -> Request:
        request: Request = super()._create_request_from_scope(send)
        self._limit = self._services.max_body_bytes
        if not is_json(request.mimetype):
            self._limit = max(self._limit, self._services.intake.limits.largest + FORM)
            request.body = request.body_class(request.content_length, self._limit)
            request.body_timeout = TIMEOUT
        return request

    async def handle_messages(  # type: ignore[override] # as in quart_trio
        self, nursery: trio.Nursery, request: Request, receive: ASGIReceiveCallable
    ) -> None:
        length = request.content_length
        async with AsyncExitStack() as held:
            taken = 0

            async def receive_in_bounds() -> ASGIReceiveEvent:
                nonlocal taken
                message = await receive()
                if message["type"] == "http.request" and taken <= SMALL:
                    taken += len(message.get("body", b""))
                    if taken > SMALL and (length or 0) <= self._limit:
                        room = self._services.uploads.of(COPIES * (length or self._limit))
                        await held.enter_async_context(room)
                return message

            await super().handle_messages(nursery, request, receive_in_bounds)

    @property
    def _services(self) -> Services:
        services: Services = self.app.extensions[EXTENSION]
        return services
